//! `static:` and `fail:`.

use crate::error::Error;
use crate::flags::Flags;
use crate::local::{Entry, LocalTable, Seek, Update};
use crate::open::{Opened, Opening};
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
