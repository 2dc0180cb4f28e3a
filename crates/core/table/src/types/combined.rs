//! Tables made of tables: `pipemap:`, `unionmap:`, and `debug:`.

use crate::flags::Flags;
use crate::local::Owner;
use crate::open::{Backend, Opened, Opening};
use crate::table::Table;
use crate::text;

/// `pipemap:{ type:name, ... }`.
pub(crate) fn open_pipemap(opening: &Opening<'_>) -> Result<Opened, String> {
    open_tables(opening, Backend::Pipe)
}

/// `unionmap:{ type:name, ... }`.
pub(crate) fn open_unionmap(opening: &Opening<'_>) -> Result<Opened, String> {
    open_tables(opening, Backend::Union)
}

fn open_tables(opening: &Opening<'_>, combine: fn(Vec<Table>) -> Backend) -> Result<Opened, String> {
    opening.require_read()?;
    let body = text::inside_braces(opening.name).unwrap_or_default();
    let specs: Vec<&str> = text::elements(body).collect();
    if specs.is_empty() || specs.iter().any(|spec| !spec.contains(':')) {
        let kind = opening.kind;
        return Err(format!("bad syntax: \"{kind}:{}\"; need \"{kind}:{{type:name...}}\"", opening.name));
    }
    let open =
        |spec: &&str| Table::open_or(spec, opening.env, opening.mode, opening.flags, opening.on_failure);
    let tables = specs.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    // The first table sees the keys as they come.
    let keys = tables.first().map_or(Flags::NONE, |table| table.flags().only(Flags::FIXED | Flags::PATTERN));
    let owner = Owner::weakest(tables.iter().map(Table::owner));
    Ok(Opened { backend: combine(tables), flags: keys, owner, folds: false })
}

/// `debug:type:name`.
pub(crate) fn open_debug(opening: &Opening<'_>) -> Result<Opened, String> {
    let table = Table::open_or(opening.name, opening.env, opening.mode, opening.flags, opening.on_failure)?;
    let (flags, owner) =
        (table.flags().only(Flags::FIXED | Flags::PATTERN | Flags::MULTI_WRITER), table.owner());
    Ok(Opened { backend: Backend::Debug(table), flags, owner, folds: false })
}
