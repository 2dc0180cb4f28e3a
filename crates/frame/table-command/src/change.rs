//! Building tables, `-i` and `-d`.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;

use command::{Fatal, fatal};
use table::build::{self, AsOwner};
use table::{Mode, Table};

use crate::Job;
use crate::query::{lines, until_nul};

const DONE: u8 = 0;
const NOT_FOUND: u8 = 1;

/// Builds each table from the text of the same name.
pub(crate) fn create(job: &Job<'_>) -> Result<u8, Fatal> {
    for argument in &job.options.tables {
        let (kind, name) = job.spec(argument);
        if kind == "proxy" {
            return Err(fatal!("can't create maps via the proxy service"));
        }
        let mut source = File::open(&name).map_err(|error| fatal!("open {name}: {}", reason(&error)))?;
        let text = read(&mut source, &name)?;
        let _guard = guard(job, &source, &name)?;
        let (flags, format) = (job.options.flags, job.dialect.format);
        build::create(&job.env, (&kind, &name), flags, format, (&name, &text)).map_err(Fatal::new)?;
    }
    Ok(DONE)
}

/// `-i`: adds entries from standard input to each table.
pub(crate) fn extend(job: &Job<'_>) -> Result<u8, Fatal> {
    for argument in &job.options.tables {
        let (kind, name) = job.spec(argument);
        let mut source = standard_input(&name)?;
        let _guard = guard(job, &source, &name)?;
        let text = read(&mut source, "stdin")?;
        let (flags, format) = (job.options.flags, job.dialect.format);
        build::extend(&job.env, (&kind, &name), flags, format, ("stdin", &text)).map_err(Fatal::new)?;
    }
    Ok(DONE)
}

fn standard_input(name: &str) -> Result<File, Fatal> {
    let copy = std::io::stdin().as_fd().try_clone_to_owned();
    Ok(File::from(copy.map_err(|error| fatal!("fstat {name}: {}", reason(&error)))?))
}

fn read(source: &mut File, name: &str) -> Result<Vec<u8>, Fatal> {
    let mut text = Vec::new();
    source.read_to_end(&mut text).map_err(|error| fatal!("read {name}: {}", reason(&error)))?;
    Ok(text)
}

/// The identity and the permissions of the text, while the table is built.
fn guard(job: &Job<'_>, source: &File, name: &str) -> Result<AsOwner, Fatal> {
    let status = source.metadata().map_err(|error| fatal!("fstat {name}: {}", reason(&error)))?;
    let mut guard = AsOwner::none();
    if job.options.save_permissions {
        guard.take_permissions(&status);
    }
    if job.options.as_owner {
        guard.take_identity(&status).map_err(Fatal::new)?;
    }
    Ok(guard)
}

/// `-d key`: removes it from all tables.
pub(crate) fn delete(job: &Job<'_>, key: &[u8]) -> Result<u8, Fatal> {
    let mut found = false;
    for argument in &job.options.tables {
        let table = open(job, argument)?;
        found |= table.delete_blocking(key).map_err(|error| job.failed(&table, "delete", error))?;
    }
    Ok(if found { DONE } else { NOT_FOUND })
}

/// `-d -`: each line of standard input is a key.
pub(crate) fn delete_standard_input(job: &Job<'_>) -> Result<u8, Fatal> {
    let tables =
        job.options.tables.iter().map(|argument| open(job, argument)).collect::<Result<Vec<_>, _>>()?;
    let mut found = false;
    lines(&mut std::io::stdin().lock(), &mut |key| {
        let key = until_nul(key);
        for table in &tables {
            found |= table.delete_blocking(key).map_err(|error| job.failed(table, "delete", error))?;
        }
        Ok(())
    })?;
    Ok(if found { DONE } else { NOT_FOUND })
}

fn open(job: &Job<'_>, argument: &std::ffi::OsString) -> Result<Table, Fatal> {
    // COMPAT: the proxy service has one mode for updates.
    let mode = if job.spec(argument).0 == "proxy" { Mode::Create } else { Mode::Write };
    job.open(argument, mode)
}

/// The system's words for an error.
fn reason(error: &std::io::Error) -> String {
    table::reason(error)
}
