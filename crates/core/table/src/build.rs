//! Building tables from their text: what postmap(1) and postalias(1) do, and what opening an outdated index does.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;

use address::tok822;
use nix::sys::stat::{Mode as FileMode, umask};
use nix::unistd::{Gid, Uid, getegid, geteuid, setegid, seteuid, setgroups};

use crate::env::Env;
use crate::error::Error;
use crate::flags::{Flags, Mode};
use crate::lines::Lines;
use crate::local::Update;
use crate::open::{Opening, reason};
use crate::source::{self, Rules};
use crate::table::Table;

/// The text format of a table's source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// `key whitespace value`: postmap(1).
    Map,
    /// `name: value, value`: postalias(1) and aliases(5).
    Alias,
}

/// Table types that [`create`] can build.
pub const BUILDABLE: &[&str] = &["btree", "cdb", "fail", "hash", "lmdb"];

/// Replaces the contents of `kind:name` by the entries of a source text, in one step. `label` is the source's name in
/// messages. An error is a text for a `fatal:` line.
pub fn create(
    env: &Rc<Env>,
    (kind, name): (&str, &str),
    flags: Flags,
    format: Format,
    (label, text): (&str, &[u8]),
) -> Result<(), String> {
    let table = open(env, (kind, name), Mode::Truncate, flags | Flags::BULK_UPDATE)?;
    fill(&table, flags, format, (label, text))
        .and_then(|()| table.close())
        .map_err(|error| write_error(&table, error))
}

/// Adds the entries of a text to `kind:name`, one by one: `postmap -i`. An error is a text for a `fatal:` line.
pub fn extend(
    env: &Rc<Env>,
    (kind, name): (&str, &str),
    flags: Flags,
    format: Format,
    (label, text): (&str, &[u8]),
) -> Result<(), String> {
    let flags = flags | Flags::LOCK;
    let table = open(env, (kind, name), Mode::Create, flags)?;
    fill(&table, flags, format, (label, text)).map_err(|error| write_error(&table, error))?;
    if format == Format::Alias {
        // The entry that says that the table is complete is there already.
        let replacing = flags.without(Flags::DUP_WARN | Flags::DUP_IGNORE) | Flags::DUP_REPLACE;
        let table = open(env, (kind, name), Mode::Create, replacing)?;
        store(&table, b"@", b"@").map_err(|error| write_error(&table, error))?;
    }
    Ok(())
}

fn open(env: &Rc<Env>, (kind, name): (&str, &str), mode: Mode, flags: Flags) -> Result<Table, String> {
    let is_known = crate::TYPES.contains(&kind) || env.registry.openers.borrow().contains_key(kind);
    if !is_known {
        return Err(format!("unsupported map type: {kind}"));
    }
    if mode == Mode::Truncate && !BUILDABLE.contains(&kind) && !env.is_buildable(kind) {
        return Err(format!("no 'map create' support for this type: {kind}"));
    }
    Table::try_open(&format!("{kind}:{name}"), env, mode, flags)
}

fn write_error(table: &Table, error: Error) -> String {
    match error {
        Error::Retry { .. } | Error::Config { .. } => {
            format!("table {}: write error: {}", table.name(), crate::NO_ERROR)
        }
        other => other.to_string(),
    }
}

fn fill(table: &Table, flags: Flags, format: Format, (label, text): (&str, &[u8])) -> Result<(), Error> {
    let utf8 = table.flags().contains(Flags::UTF8_ACTIVE);
    match format {
        Format::Map => {
            let rhs_is_file = flags.contains(Flags::SRC_RHS_IS_FILE);
            let rules = Rules { label, utf8, rhs_is_file, incomplete: "", skipping: "skipping this entry" };
            for entry in source::entries(text, rules) {
                store(table, &entry.key, &entry.value)?;
            }
        }
        Format::Alias => {
            for (key, value) in aliases(label, text, utf8) {
                store(table, &key, &value)?;
            }
            // COMPAT: Sendmail's mark of a complete table.
            if flags.contains(Flags::BULK_UPDATE) || table.flags().contains(Flags::BULK_UPDATE) {
                store(table, b"@", b"@")?;
            }
        }
    }
    Ok(())
}

fn store(table: &Table, key: &[u8], value: &[u8]) -> Result<(), Error> {
    match table.update_blocking(key, value)? {
        Update::Stored | Update::Kept => Ok(()),
    }
}

/// The entries of an alias file: names in internal form, values in external form.
fn aliases<'a>(label: &'a str, text: &'a [u8], utf8: bool) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + 'a {
    Lines::new(label, text).filter_map(move |line| {
        let number = line.number;
        if utf8 && std::str::from_utf8(&line.text).is_err() {
            let shown = bytes::show(&line.text);
            log::warning!("{label}, line {number}: non-UTF-8 input \"{shown}\" -- ignoring this line");
            return None;
        }
        let tokens = tok822::scan(&line.text);
        if tokens.is_empty() {
            return None;
        }
        let Some((name, value)) = split_alias(&tokens) else {
            log::warning!("{label}, line {number}: need name:value pair");
            return None;
        };
        if name.iter().any(|token| token.is_op(b'@') || token.is_op(b'%')) {
            log::warning!("{label}, line {number}: name must be local and have no domain");
            return None;
        }
        Some((tok822::internalize(name), tok822::externalize(value)))
    })
}

/// The tokens before and after the first colon, where both exist and the name is one name.
fn split_alias(tokens: &[tok822::Token]) -> Option<(&[tok822::Token], &[tok822::Token])> {
    let colon = tokens.iter().position(|token| token.is_op(b':'))?;
    let (name, value) = (tokens.get(..colon)?, tokens.get(colon + 1..)?);
    let is_pair = !name.is_empty() && !value.is_empty() && !name.iter().any(|token| token.is_op(b','));
    is_pair.then_some((name, value))
}

/// Whether a text looks more like an alias file than like a table.
fn format_of(label: &str, text: &[u8]) -> Format {
    let (mut map, mut alias) = (0, 0);
    for line in Lines::new(label, text) {
        let length = crate::text::key_length(&line.text, |_| false).ok();
        if length.is_some_and(|length| {
            let (key, value) = line.text.split_at(length);
            !key.is_empty() && !key.ends_with(b":") && !bytes::trim(value).is_empty()
        }) {
            map += 1;
        }
        if line.text.contains(&b':') && split_alias(&tok822::scan(&line.text)).is_some() {
            alias += 1;
        }
        if map + alias >= 10 {
            break;
        }
    }
    if alias > map { Format::Alias } else { Format::Map }
}

/// Builds the index of a table that is being opened for reading.
pub(crate) fn refresh(opening: &Opening<'_>, source: &fs::Metadata) -> Result<(), String> {
    let name = opening.name;
    let text = fs::read(name).map_err(|error| format!("open {name}: {}", reason(&error)))?;
    let format = format_of(name, &text);
    let kept = opening.flags.only(Flags::UTF8_REQUEST | Flags::SRC_RHS_IS_FILE);
    let flags = kept | Flags::DUP_WARN | Flags::FOLD_FIX;
    let _identity = AsOwner::of(source)?;
    create(opening.env, (opening.kind, name), flags, format, (name, &text))
}

/// The entries of a source, for a table without index.
pub(crate) fn read(opening: &Opening<'_>, text: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (label, utf8) = (opening.name, opening.utf8());
    match format_of(label, text) {
        Format::Alias => aliases(label, text, utf8).collect(),
        Format::Map => {
            let rhs_is_file = opening.flags.contains(Flags::SRC_RHS_IS_FILE);
            let rules = Rules { label, utf8, rhs_is_file, incomplete: "", skipping: "skipping this entry" };
            source::entries(text, rules).map(|entry| (entry.key, entry.value)).collect()
        }
    }
}

/// For the superuser: the identity of a file's owner, and the umask of its permissions, as long as the value lives. The
/// index then belongs to whom the text belongs, and a mistake here gives nobody more rights.
pub struct AsOwner {
    umask: Option<FileMode>,
    identity: Option<(Uid, Gid)>,
}

impl AsOwner {
    /// Owner and permissions of a file.
    pub fn of(source: &fs::Metadata) -> Result<Self, String> {
        let mut guard = Self { umask: None, identity: None };
        guard.take_permissions(source);
        guard.take_identity(source)?;
        Ok(guard)
    }

    /// Nothing yet.
    pub fn none() -> Self {
        Self { umask: None, identity: None }
    }

    /// No more rights for group and others than the file has.
    pub fn take_permissions(&mut self, source: &fs::Metadata) {
        if source.is_file() {
            self.umask = Some(umask(FileMode::from_bits_truncate(0o022 | (!source.mode() & 0o077))));
        }
    }

    /// The identity of the file's owner, when this is the superuser.
    pub fn take_identity(&mut self, source: &fs::Metadata) -> Result<(), String> {
        let before = (geteuid(), getegid());
        let wanted = (Uid::from_raw(source.uid()), Gid::from_raw(source.gid()));
        if !nix::unistd::getuid().is_root() || !before.0.is_root() || before == wanted {
            return Ok(());
        }
        self.identity = Some(before);
        set_identity(wanted).map_err(|error| format!("set_eugid: {}", error.desc()))
    }
}

impl Drop for AsOwner {
    fn drop(&mut self) {
        if let Some(mask) = self.umask {
            umask(mask);
        }
        if let Some(identity) = self.identity
            && let Err(error) = set_identity(identity)
        {
            // Going on as somebody else would fail later in ways that nobody understands.
            log::panic_text!("cannot return to uid {}: {}", identity.0, error.desc());
            std::process::abort();
        }
    }
}

fn set_identity((uid, gid): (Uid, Gid)) -> nix::Result<()> {
    seteuid(Uid::from_raw(0))?;
    setegid(gid)?;
    setgroups(&[gid])?;
    seteuid(uid)
}
