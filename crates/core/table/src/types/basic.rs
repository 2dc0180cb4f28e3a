//! Types with little behind them: `static:`, `fail:`, `randmap:`; and where tables of rules are read from.

use std::cell::Cell;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use crate::error::Error;
use crate::flags::Flags;
use crate::local::{Entry, LocalTable, Owner, Seek, Trust, Update};
use crate::open::{Opened, Opening, reason};
use crate::rhs;
use crate::text;

/// One value for every key.
struct Static(Vec<u8>);

impl LocalTable for Static {
    fn lookup(&self, _key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(Some(self.0.clone()))
    }
}

/// `static:value` or `static:{ value with blanks }`.
pub(crate) fn open_static(opening: &Opening<'_>) -> Result<Opened, String> {
    let value = if opening.name.starts_with('{') {
        text::extract_trimmed(opening.name).map_err(|why| format!("bad static:name syntax: {why}"))?
    } else {
        opening.name
    };
    let value = if opening.flags.contains(Flags::SRC_RHS_IS_FILE) {
        rhs::files_to_base64(value)?
    } else {
        value.as_bytes().to_vec()
    };
    Ok(Opened::local(Static(value), Flags::FIXED))
}

/// Every request fails.
struct Fail(String);

impl LocalTable for Fail {
    fn lookup(&self, _key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Err(Error::retry(self.0.clone()))
    }

    fn update(&self, _key: &[u8], _value: &[u8]) -> Option<Result<Update, Error>> {
        Some(Err(Error::retry(self.0.clone())))
    }

    fn delete(&self, _key: &[u8]) -> Option<Result<bool, Error>> {
        Some(Err(Error::retry(self.0.clone())))
    }

    fn sequence(&self, _seek: Seek) -> Option<Result<Option<Entry>, Error>> {
        Some(Err(Error::retry(self.0.clone())))
    }
}

/// `fail:anything`.
pub(crate) fn open_fail(opening: &Opening<'_>) -> Result<Opened, String> {
    Ok(Opened::local(Fail(opening.title()), Flags::PATTERN))
}

/// One of several values, by chance.
struct Random {
    values: Vec<Vec<u8>>,
    state: Cell<u64>,
}

impl LocalTable for Random {
    fn lookup(&self, _key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        // A xorshift generator: the choice spreads load, nothing depends on nobody guessing it.
        let mut state = self.state.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.state.set(state);
        let count = u64::try_from(self.values.len()).unwrap_or(1).max(1);
        Ok(usize::try_from(state % count).ok().and_then(|at| self.values.get(at).cloned()))
    }
}

/// `randmap:{ value, ... }`.
pub(crate) fn open_randmap(opening: &Opening<'_>) -> Result<Opened, String> {
    opening.require_read()?;
    let body = text::inside_braces(opening.name).unwrap_or_default();
    let is_file = opening.flags.contains(Flags::SRC_RHS_IS_FILE);
    let value = |text: &str| if is_file { rhs::files_to_base64(text) } else { Ok(text.as_bytes().to_vec()) };
    let values = text::elements(body).map(value).collect::<Result<Vec<_>, _>>()?;
    if values.is_empty() {
        return Err(format!("bad syntax: \"randmap:{}\"; need \"randmap:{{value...}}\"", opening.name));
    }
    // The standard library seeds its hasher from the system's random numbers.
    let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), opening.name) | 1;
    let owner = Owner { trust: Trust::Trusted, uid: 0 };
    Ok(Opened::local(Random { values, state: Cell::new(seed) }, Flags::PATTERN).owned_by(owner))
}

/// The text of a table of rules, from a file or from the configuration.
pub(crate) struct Text {
    pub(crate) content: Vec<u8>,
    pub(crate) owner: Owner,
}

impl Text {
    /// Reads `/file/name`, or makes lines of `{ { rule }, { rule } }`.
    pub(crate) fn read(opening: &Opening<'_>) -> Result<Self, String> {
        if opening.name.starts_with('{') {
            let lines = lines(opening.name).map_err(|why| format!("{} map: {why}", opening.kind))?;
            let uid = nix::unistd::getuid().as_raw();
            return Ok(Self { content: lines.into_bytes(), owner: Owner::of_file(uid) });
        }
        let failed = |error| format!("open {}: {}", opening.name, reason(&error));
        let mut file = File::open(opening.name).map_err(failed)?;
        let mut content = Vec::new();
        let owner = Owner::of_file(file.metadata().map_err(failed)?.uid());
        file.read_to_end(&mut content).map_err(failed)?;
        Ok(Self { content, owner })
    }
}

fn lines(name: &str) -> Result<String, String> {
    let mut lines = String::new();
    for rule in text::elements(text::extract(name)?) {
        lines.push_str(text::extract_trimmed(rule)?);
        lines.push('\n');
    }
    Ok(lines)
}
