//! `local_login_sender_maps`: which senders a login name may use.
//!
//! A table's answer is a list of senders in external form: an address, a user, `@domain`, the word for the empty sender,
//! or `*` for all. An extension of the sender does not count.

use address::split::Splitter;
use address::{eq_fold, quote};
use table::{Error, FindFlags, Maps};

/// The answer that allows any sender.
const WILDCARD: &[u8] = b"*";

/// Who may send as whom.
pub(crate) struct LoginSenders {
    /// The tables, by login name.
    pub(crate) maps: Maps,
    /// How extensions are split off.
    pub(crate) splitter: Splitter,
    /// The word for the empty sender.
    pub(crate) null_sender: String,
}

impl LoginSenders {
    /// Whether a login name may use a sender, which is in internal form.
    pub(crate) fn allow(&self, login: &str, sender: &[u8]) -> Result<bool, Error> {
        let Some(found) = self.maps.find_blocking(login.as_bytes(), FindFlags::Any)? else {
            return Ok(false);
        };
        let domain = sender.iter().rposition(|&byte| byte == b'@').and_then(|at| sender.get(at..));
        let stripped =
            self.splitter.strip(sender).map_or_else(|| sender.to_vec(), |stripped| stripped.address);
        let external = quote::quote_822_local(&stripped);
        Ok(patterns(&found.value).into_iter().any(|pattern| {
            if pattern.starts_with(b"@") {
                return domain.is_some_and(|domain| eq_fold(pattern, domain));
            }
            if pattern.eq_ignore_ascii_case(WILDCARD) {
                return true;
            }
            if pattern.eq_ignore_ascii_case(self.null_sender.as_bytes()) {
                return sender.is_empty();
            }
            eq_fold(pattern, &external)
        }))
    }
}

/// The elements of a list; what is in double quotes stays together.
fn patterns(list: &[u8]) -> Vec<&[u8]> {
    let is_separator = |byte: u8| byte == b',' || matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let mut found = Vec::new();
    let (mut start, mut at, mut is_quoted) = (0, 0, false);
    while let Some(&byte) = list.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => is_quoted = !is_quoted,
            _ if !is_quoted && is_separator(byte) => {
                found.push(list.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    found.push(list.get(start..).unwrap_or_default());
    found.retain(|pattern| !pattern.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::rc::Rc;
    use table::{Env, Flags};

    fn senders(tables: &str, delimiters: &str, null_sender: &str) -> LoginSenders {
        LoginSenders {
            maps: Maps::open("test", tables, &Rc::new(Env::default()), Flags::LOOKUP),
            splitter: Splitter::new(delimiters),
            null_sender: null_sender.to_owned(),
        }
    }

    #[test]
    fn cases_of_postfix() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/upstream");
        let Ok(text) = std::fs::read_to_string(data.join("access_lists/login_sender_match.toml")) else {
            println!("skipped: no conformance data in {}", data.display());
            return;
        };
        let file: toml::Table = text.parse().unwrap();
        for vector in file["vector"].as_array().unwrap() {
            let text = |name: &str| vector[name].as_str().unwrap();
            assert_eq!(text("wildcard").as_bytes(), WILDCARD);
            let senders = senders(text("tables"), text("delimiters"), text("null_sender"));
            let got = match senders.allow(text("login_name"), text("sender").as_bytes()) {
                Ok(true) => "found",
                Ok(false) => "not_found",
                Err(_) => "retry",
            };
            assert_eq!(got, text("want"), "{}", text("name"));
        }
    }

    #[test]
    fn quotes_keep_a_pattern_together() {
        assert_eq!(patterns(b"a, \"b c\"@d,,e\\ f"), [b"a".as_slice(), b"\"b c\"@d", b"e\\ f"]);
        let senders = senders("inline:{ {foo = foo-owner@example.com} }", "-", "<>");
        assert_eq!(senders.allow("foo", b"foo-owner@example.com"), Ok(false));
    }
}
