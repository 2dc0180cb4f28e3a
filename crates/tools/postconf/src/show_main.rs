//! Shows parameters of main.cf.

use crate::mode::{Class, Mode};
use crate::print::Output;
use crate::registry::Registry;
use command::Fatal;

/// Shows the named parameters, or all of the wanted classes.
pub(crate) fn parameters(
    registry: &Registry,
    out: &mut Output,
    class: Class,
    names: &[String],
) -> Result<(), Fatal> {
    if names.is_empty() {
        for (name, _) in registry.nodes.iter().filter(|(_, node)| class.has(node.origin)) {
            parameter(registry, out, name)?;
        }
    }
    for name in names {
        if registry.nodes.contains_key(name) {
            parameter(registry, out, name)?;
        } else {
            log::warning!("{name}: unknown parameter");
        }
    }
    Ok(())
}

fn parameter(registry: &Registry, out: &mut Output, name: &str) -> Result<(), Fatal> {
    let mode = registry.mode;
    let Some(mut value) = registry.value(mode, name, None)? else { return Ok(()) };
    if mode.has(Mode::NO_VALUE) {
        out.line(mode, name);
        return Ok(());
    }
    let is_raw = registry.nodes.get(name).is_some_and(|node| node.is_raw);
    if mode.has(Mode::EXPAND) && !is_raw {
        value = registry.expand(&value, None)?;
    }
    if mode.has(Mode::JSON) {
        out.json(name, &value);
    } else if mode.has(Mode::NO_NAME) {
        out.line(mode, &value);
    } else {
        out.line(mode, &format!("{name} = {value}"));
    }
    Ok(())
}
