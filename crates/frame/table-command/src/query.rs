//! `-q` and `-s`: lookups and lists.

use std::io::BufRead;

use command::{Fatal, fatal};
use table::{Flags, Mode, Seek, Table};

use crate::Job;
use crate::output::Output;

const FOUND: u8 = 0;
const NOT_FOUND: u8 = 1;

/// `-q key`: the first table that knows it.
pub(crate) fn one(job: &Job<'_>, key: &[u8]) -> Result<u8, Fatal> {
    let mut output = Output::new(job.options.json, job.dialect.separator);
    for argument in &job.options.tables {
        let table = job.open(argument, Mode::Read)?;
        if let Some(value) = lookup(job, &table, key)? {
            output.value(key, &value)?;
            return Ok(FOUND);
        }
    }
    Ok(NOT_FOUND)
}

/// `-q -`: each line of standard input is a key, or a message has the keys in it.
pub(crate) fn standard_input(job: &Job<'_>) -> Result<u8, Fatal> {
    let mut output = Output::new(job.options.json, job.dialect.separator);
    let mut tables: Vec<Option<Table>> = job.options.tables.iter().map(|_| None).collect();
    let mut found = false;
    let mut visit = |key: &[u8]| -> Result<(), Fatal> {
        // COMPAT: a key ends at its first NUL, as all text does in Postfix.
        let key = until_nul(key);
        for (slot, argument) in tables.iter_mut().zip(&job.options.tables) {
            let table = match slot {
                Some(table) => table,
                // Tables that no key gets to stay closed.
                None => slot.insert(job.open(argument, Mode::Read)?),
            };
            if let Some(value) = lookup(job, table, key)? {
                output.pair(key, &value)?;
                found = true;
                return Ok(());
            }
        }
        Ok(())
    };
    let mut input = std::io::stdin().lock();
    match job.dialect.message_keys.filter(|_| job.options.parts.headers || job.options.parts.body) {
        Some(keys) => keys(job.main, &mut input, job.options.parts, &mut visit)?,
        None => lines(&mut input, &mut visit)?,
    }
    Ok(if found { FOUND } else { NOT_FOUND })
}

/// Hands each line to a function, without its end.
pub(crate) fn lines(
    input: &mut dyn BufRead,
    visit: &mut dyn FnMut(&[u8]) -> Result<(), Fatal>,
) -> Result<(), Fatal> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let count =
            input.read_until(b'\n', &mut line).map_err(|error| fatal!("read standard input: {error}"))?;
        if count == 0 {
            return Ok(());
        }
        visit(line.strip_suffix(b"\n").unwrap_or(&line))?;
    }
}

/// What is before the first NUL.
pub(crate) fn until_nul(text: &[u8]) -> &[u8] {
    bytes::split_once(text, 0).map_or(text, |(before, _)| before)
}

fn lookup(job: &Job<'_>, table: &Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fatal> {
    let mut answer = table.lookup_blocking(key);
    if job.options.flags.contains(Flags::SRC_RHS_IS_FILE)
        && let Ok(Some(value)) = &answer
    {
        answer = table.decode_file_value(key, value).map(Some);
    }
    let value = answer.map_err(|error| job.failed(table, "query", error))?;
    if value.as_ref().is_some_and(Vec::is_empty) {
        warn_empty_value(table, key);
    }
    Ok(value)
}

fn warn_empty_value(table: &Table, key: &[u8]) {
    let (name, key) = (table.name(), bytes::show(key));
    log::warning!("table {name}: key {key}: empty string result is not allowed");
    log::warning!("table {name} should return NO RESULT in case of NOT FOUND");
}

/// `-s`: all entries of the first table.
pub(crate) fn list(job: &Job<'_>) -> Result<u8, Fatal> {
    // COMPAT: only the first table is listed, and none at all is not a usage error.
    let Some(argument) = job.options.tables.first() else { return Ok(NOT_FOUND) };
    let table = job.open(argument, Mode::Read)?;
    let mut output = Output::new(job.options.json, job.dialect.separator);
    let mut seek = Seek::First;
    loop {
        let entry = table.sequence_blocking(seek).map_err(|error| job.failed(&table, "sequence", error))?;
        let Some((key, mut value)) = entry else { return Ok(FOUND) };
        seek = Seek::Next;
        if key.is_empty() {
            log::warning!("table {}: empty lookup key value is not allowed", table.name());
        } else if value.is_empty() {
            warn_empty_value(&table, &key);
        }
        if job.options.flags.contains(Flags::SRC_RHS_IS_FILE) {
            match table.decode_file_value(&key, &value) {
                Ok(content) => value = content,
                Err(_) => continue,
            }
        }
        output.pair(&key, &value)?;
    }
}
