//! `$name` in `forward_path`, `luser_relay` and `command_execution_directory`.

use std::os::unix::ffi::OsStrExt;

use conf::expand::{Expand, Expanded, Filter};

use crate::delivery::Delivery;
use crate::state::{State, UserRights};

/// What became of the address's extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extension {
    /// It is part of the result.
    Used,
    /// It is not.
    Unused,
}

/// An expanded text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expansion {
    /// The text.
    pub(crate) text: Vec<u8>,
    /// There was a syntax error.
    pub(crate) failed: bool,
    /// There was a name without a value.
    pub(crate) undefined: bool,
    /// Whether the extension is in it.
    pub(crate) extension: Extension,
}

impl Delivery<'_> {
    /// Expands a text; characters in values that `filter` does not list become `_`.
    pub(crate) fn expand(
        &self,
        pattern: &str,
        state: &State,
        rights: &UserRights,
        filter: Option<&str>,
    ) -> Expansion {
        expand(pattern, state, rights, filter, self.config.splitter.delimiters())
    }
}

fn expand(
    pattern: &str,
    state: &State,
    rights: &UserRights,
    filter: Option<&str>,
    delimiters: &[u8],
) -> Expansion {
    let filter = filter.map_or(Filter::Keep, |allowed| Filter::Allowed(allowed.as_bytes()));
    let how = Expand { filter, ..Expand::PLAIN };
    let run = |state: &State| -> Expanded {
        how.run(pattern.as_bytes(), &|name: &[u8]| value(name, state, rights, delimiters))
    };
    let out = run(state);
    for warning in &out.warnings {
        log::warning!("{warning}");
    }
    // Not every mention is a use: `${extension?text}` only asks.
    let is_used = state.extension.as_ref().is_some_and(|extension| {
        let other = State { extension: Some([extension, &b"x"[..]].concat()), ..state.clone() };
        run(&other).text != out.text
    });
    let extension = if is_used { Extension::Used } else { Extension::Unused };
    Expansion { text: out.text, failed: out.failed, undefined: out.undefined, extension }
}

fn value(name: &[u8], state: &State, rights: &UserRights, delimiters: &[u8]) -> Option<Vec<u8>> {
    let path = |path: &Option<std::path::PathBuf>| Some(path.as_ref()?.as_os_str().as_bytes().to_vec());
    match name {
        b"user" => Some(state.user.clone()),
        b"home" => path(&rights.home),
        b"shell" => path(&rights.shell),
        b"domain" => state.domain.clone(),
        b"local" | b"mailbox" => Some(state.local.clone()),
        b"recipient" => Some(state.recipient.address.clone()),
        b"extension" => state.extension.clone(),
        b"recipient_delimiter" => {
            state.delimiter().or(delimiters.first().copied()).map(|delimiter| vec![delimiter])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORWARD: &str = "$home/.forward${recipient_delimiter}${extension}";

    fn state(local: &str, user: &str, extension: Option<&str>) -> State {
        State {
            local: local.into(),
            user: user.into(),
            extension: extension.map(Into::into),
            ..State::default()
        }
    }

    fn rights() -> UserRights {
        UserRights { home: Some("/home/joe".into()), ..UserRights::default() }
    }

    #[test]
    fn forward_paths() {
        let with = state("joe+x/y", "joe", Some("x/y"));
        let out = expand(FORWARD, &with, &rights(), Some("abcdefghijklmnopqrstuvwxyz/"), b"+");
        assert_eq!(out.text, b"/home/joe/.forward_x/y");
        assert_eq!((out.undefined, out.extension), (false, Extension::Used));
        let without = expand(FORWARD, &state("joe", "joe", None), &rights(), None, b"+");
        assert!(without.undefined);
        let plain = expand("$home/.forward${extension?-ext}", &with, &rights(), None, b"+");
        assert_eq!(
            (plain.text.as_slice(), plain.extension),
            (&b"/home/joe/.forward-ext"[..], Extension::Unused)
        );
        assert!(expand("${home", &with, &rights(), None, b"").failed);
    }

    #[test]
    fn delimiters() {
        let of = |state: &State, delimiters: &[u8]| {
            expand("$recipient_delimiter", state, &rights(), None, delimiters).text
        };
        assert_eq!(of(&state("joe-x", "joe", Some("x")), b"+-"), b"-");
        assert_eq!(of(&state("joe", "joe", None), b"+-"), b"+");
    }
}
