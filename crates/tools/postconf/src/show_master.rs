//! Shows master.cf: entries, fields and `-o` settings.

use crate::entry::Entry;
use crate::mode::{Class, Mode};
use crate::pattern::{COMMAND, Pattern, fits};
use crate::print::Output;
use crate::registry::Registry;
use command::{Fatal, fatal};
use std::collections::BTreeMap;

/// A pattern of the command line, and whether anything fitted.
struct Request<'a> {
    text: &'a str,
    pattern: Pattern,
    is_matched: bool,
}

/// Shows whole entries.
pub(crate) fn entries(registry: &Registry, out: &mut Output, names: &[String]) -> Result<(), Fatal> {
    let mut requests = parse(names, 2, "-M option requires service_name[/type]")?;
    for entry in &registry.entries {
        let expand = |text: &str| registry.expand(text, Some(entry));
        let expand = registry.mode.has(Mode::EXPAND).then_some(&expand as &dyn Fn(&str) -> _);
        if requests.is_empty() {
            entry.print(out, registry.mode, expand)?;
        }
        for request in requests.iter_mut().filter(|request| entry.is(&request.pattern)) {
            request.is_matched = true;
            entry.print(out, registry.mode, expand)?;
        }
    }
    warn_unmatched(&requests);
    Ok(())
}

/// Shows fields.
pub(crate) fn fields(registry: &Registry, out: &mut Output, names: &[String]) -> Result<(), Fatal> {
    let mut requests = parse(names, 3, "-F option requires service_name[/type[/field]]")?;
    let mut wanted = Vec::new();
    for request in &requests {
        wanted.push(request.pattern.field()?.map_or(0..=COMMAND, |field| field..=field));
    }
    for entry in &registry.entries {
        let expand = |text: &str| registry.expand(text, Some(entry));
        let expand = registry.mode.has(Mode::EXPAND).then_some(&expand as &dyn Fn(&str) -> _);
        if requests.is_empty() {
            for field in 0..=COMMAND {
                entry.print_field(out, registry.mode, field, expand)?;
            }
        }
        for (request, fields) in requests.iter_mut().zip(&wanted) {
            if entry.is(&request.pattern) {
                request.is_matched = true;
                for field in fields.clone() {
                    entry.print_field(out, registry.mode, field, expand)?;
                }
            }
        }
    }
    warn_unmatched(&requests);
    Ok(())
}

/// Shows `-o` settings; with `-PP`, every parameter as the service sees it.
pub(crate) fn parameters(
    registry: &Registry,
    out: &mut Output,
    class: Class,
    names: &[String],
) -> Result<(), Fatal> {
    let mut requests = parse(names, 3, "-P option requires service_name[/type[/parameter]]")?;
    for entry in &registry.entries {
        let settings = registry.settings_of(entry).cloned();
        let values = if registry.mode.has(Mode::MERGED_PARAMETERS) {
            merged(registry, entry, Some(class).filter(|_| requests.is_empty()), settings)?
        } else {
            match settings {
                Some(settings) => settings,
                None => continue,
            }
        };
        if requests.is_empty() {
            for (name, value) in &values {
                parameter(registry, out, entry, name, value)?;
            }
        }
        for request in requests.iter_mut().filter(|request| entry.is(&request.pattern)) {
            let what = request.pattern.what();
            request.is_matched |= what == "*";
            for (name, value) in values.iter().filter(|(name, _)| fits(what, name)) {
                request.is_matched = true;
                parameter(registry, out, entry, name, value)?;
            }
        }
    }
    warn_unmatched(&requests);
    Ok(())
}

fn parse<'a>(names: &'a [String], parts: usize, problem: &str) -> Result<Vec<Request<'a>>, Fatal> {
    let parse = |text: &'a String| match Pattern::parse(text, 1, parts) {
        Some(pattern) => Ok(Request { text, pattern, is_matched: false }),
        None => Err(fatal!("{problem}")),
    };
    names.iter().map(parse).collect()
}

fn warn_unmatched(requests: &[Request<'_>]) {
    for request in requests.iter().filter(|request| !request.is_matched) {
        log::warning!("unmatched request: \"{}\"", request.text);
    }
}

/// Every parameter with the value that counts for the service.
fn merged(
    registry: &Registry,
    entry: &Entry,
    class: Option<Class>,
    settings: Option<BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, Fatal> {
    let mut values = settings.unwrap_or_default();
    for (name, node) in &registry.nodes {
        if class.is_none_or(|class| class.has(node.origin)) {
            let value = registry.value(registry.mode, name, Some(entry))?;
            values.insert(name.clone(), value.unwrap_or_default());
        }
    }
    Ok(values)
}

fn parameter(
    registry: &Registry,
    out: &mut Output,
    entry: &Entry,
    name: &str,
    value: &str,
) -> Result<(), Fatal> {
    let mode = registry.mode;
    let full_name = format!("{}/{name}", entry.name);
    if mode.has(Mode::NO_VALUE) {
        out.line(mode, &full_name);
        return Ok(());
    }
    // With -PP, defaults come here in which names mean something to one program only; Postfix expands them, and ends at
    // the first of which it can make nothing.
    let is_raw =
        mode.has(Mode::MERGED_PARAMETERS) && registry.nodes.get(name).is_some_and(|node| node.is_raw);
    let value = match mode.has(Mode::EXPAND) && !is_raw {
        true => registry.expand(value, Some(entry))?,
        false => value.to_owned(),
    };
    if mode.has(Mode::JSON) {
        out.json(&full_name, &value);
    } else if mode.has(Mode::NO_NAME) {
        out.line(mode, &value);
    } else {
        out.line(mode, &format!("{full_name} = {value}"));
    }
    Ok(())
}
