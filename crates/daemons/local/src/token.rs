//! What stands in aliases, .forward and :include: files: addresses, commands, files and more files.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use address::{Address, tok822};
use bytes::starts_with_ignore_case;
use delivery::Verdict;

use crate::delivery::{Delivery, both, boxed};
use crate::state::{State, UserRights};

const INCLUDE: &[u8] = b":include:";

/// What one element of a list is.
#[derive(Debug, PartialEq, Eq)]
enum Destination<'a> {
    File(&'a [u8]),
    Home(&'a [u8]),
    Command(&'a [u8]),
    Include(&'a [u8]),
    Address,
}

impl<'a> Destination<'a> {
    /// By the text between quotes, if there were any.
    fn of(text: &'a [u8]) -> Self {
        match text {
            [b'/', ..] => Self::File(text),
            [b'~', ..] => Self::Home(text),
            [b'|', command @ ..] => Self::Command(command),
            _ if starts_with_ignore_case(text, INCLUDE) => {
                Self::Include(text.get(INCLUDE.len()..).unwrap_or_default())
            }
            _ => Self::Address,
        }
    }
}

impl Delivery<'_> {
    /// Delivers to each element of a list; the number of elements comes with the verdict.
    pub(crate) async fn token_string(
        &self,
        state: &State,
        rights: &UserRights,
        text: &[u8],
    ) -> (Verdict, usize) {
        log::debug!("deliver_token_string: {}", bytes::show(text));
        let tree = tok822::parse(text);
        let (mut verdict, mut count) = (Verdict::Done, 0);
        for address in tok822::addresses(&tree) {
            count += 1;
            verdict = both(verdict, boxed(self.token(state, rights, address)).await);
        }
        (verdict, count)
    }

    /// Delivers to each element in each line of a file, up to the first line that has to wait.
    pub(crate) async fn token_stream(
        &self,
        state: &State,
        rights: &UserRights,
        file: File,
    ) -> (Verdict, usize) {
        let limit = u64::try_from(self.config.params.line_length_limit).unwrap_or(2048);
        let mut input = BufReader::new(file);
        let mut count = 0;
        loop {
            let mut line = Vec::new();
            match input.by_ref().take(limit).read_until(b'\n', &mut line) {
                Ok(0) => return (Verdict::Done, count),
                Ok(_) if line.first() == Some(&b'#') => {}
                Ok(_) => {
                    let (verdict, found) = boxed(self.token_string(state, rights, &line)).await;
                    count += found;
                    if verdict == Verdict::Keep {
                        return (verdict, count);
                    }
                }
                Err(error) => {
                    let reason = format!("error reading forwarding file: {}", sys::reason(&error));
                    return (self.deferred(state, "4.3.0", reason).await, count);
                }
            }
        }
    }

    async fn token(&self, state: &State, rights: &UserRights, address: &Address) -> Verdict {
        let text = address.internalize();
        log::debug!("deliver_token: {}", bytes::show(&text));
        match Destination::of(&text) {
            Destination::File(path) => boxed(self.file(state.clone(), rights, path_of(path))).await,
            Destination::Home(path) => boxed(self.token_home(state, rights, path)).await,
            Destination::Command(_) if self.config.commands & state.expansion == 0 => {
                self.bounced(state, "5.7.1", "mail to command is restricted").await
            }
            Destination::Command(command) => boxed(self.command(state.clone(), rights, command)).await,
            Destination::Include(path) => self.include(state.clone(), rights.clone(), path_of(path)).await,
            Destination::Address => boxed(self.resolve_tree(state.clone(), rights, address)).await,
        }
    }

    async fn token_home(&self, state: &State, rights: &UserRights, text: &[u8]) -> Verdict {
        let problem = match (text, &rights.home) {
            ([b'~', b'/', below @ ..], Some(home)) => {
                let path = [home.as_os_str().as_bytes(), b"/", below].concat();
                // The home of root may be `/` itself.
                let path = path.strip_prefix(b"/").filter(|path| path.starts_with(b"/")).unwrap_or(&path);
                return self.file(state.clone(), rights, path_of(path)).await;
            }
            ([b'~', b'/', ..], None) => "unknown home directory for",
            _ => "bad home directory syntax for",
        };
        log::warning!("{problem}: {}", bytes::show(text));
        self.bounced(state, "5.3.5", "mail system configuration error").await
    }
}

fn path_of(text: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        let tree = tok822::parse(text.as_bytes());
        tok822::addresses(&tree).map(|one| format!("{:?}", kind(&one.internalize()))).collect()
    }

    fn kind(text: &[u8]) -> (char, String) {
        let (kind, text) = match Destination::of(text) {
            Destination::File(path) => ('f', path),
            Destination::Home(path) => ('h', path),
            Destination::Command(command) => ('c', command),
            Destination::Include(path) => ('i', path),
            Destination::Address => ('a', text),
        };
        (kind, String::from_utf8_lossy(text).into_owned())
    }

    #[test]
    fn elements_of_lists() {
        assert_eq!(
            list("joe, \"|/usr/bin/vacation -a 'x y' joe\", /var/log/mail, \"jim\"@example.com"),
            [
                "('a', \"joe\")",
                "('c', \"/usr/bin/vacation -a 'x y' joe\")",
                "('f', \"/var/log/mail\")",
                "('a', \"jim@example.com\")"
            ]
        );
        assert_eq!(list(":include:/etc/list"), ["('i', \"/etc/list\")"]);
        assert_eq!(list("\":Include:/a b\", ~/mbox"), ["('i', \"/a b\")", "('h', \"~/mbox\")"]);
        assert!(list("  ").is_empty());
    }
}
