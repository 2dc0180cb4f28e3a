//! `sendmail -t`: recipients from the message's headers.

use address::tok822;
use message::mime::Header;

/// Collects the addresses of To, Cc, Bcc and their `Resent-` forms, of which the latter win.
#[derive(Debug, Default)]
pub(crate) struct Recipients {
    plain: Vec<Vec<u8>>,
    resent: Option<Vec<Vec<u8>>>,
}

impl Recipients {
    /// Looks at one header.
    pub(crate) fn look_at(&mut self, header: &Header) {
        let Some(info) = header.info.filter(|info| info.is_recipient() && info.is_extracted()) else {
            return;
        };
        if self.resent.is_some() && !info.is_resent() {
            return;
        }
        let list = if info.is_resent() { self.resent.get_or_insert_default() } else { &mut self.plain };
        let Some((_, value)) = bytes::split_once(&header.text, b':') else { return };
        list.extend(addresses(value));
    }

    /// All of them.
    pub(crate) fn into_list(self) -> Vec<Vec<u8>> {
        self.resent.unwrap_or(self.plain)
    }
}

/// The addresses in a text, in internal form.
pub(crate) fn addresses(text: &[u8]) -> Vec<Vec<u8>> {
    tok822::addresses(&tok822::parse(text)).map(tok822::Address::internalize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use message::header::HeaderTable;
    use message::mime::HeaderClass;

    fn recipients(headers: &[&str]) -> Vec<String> {
        let table = HeaderTable::new("");
        let mut recipients = Recipients::default();
        for text in headers {
            let info = table.find(text.as_bytes());
            recipients.look_at(&Header {
                class: HeaderClass::Primary,
                info,
                text: text.as_bytes().to_vec(),
                offset: 0,
            });
        }
        recipients.into_list().into_iter().map(|one| String::from_utf8(one).unwrap()).collect()
    }

    #[test]
    fn all_recipient_headers_count() {
        let found = recipients(&[
            "To: A <a@x>, b@y",
            "Subject: c@z",
            "bcc: \"quoted @ local\"@x.org",
            "Reply-To: d@w",
        ]);
        assert_eq!(found, ["a@x", "b@y", "quoted @ local@x.org"]);
    }

    #[test]
    fn resent_headers_win() {
        assert_eq!(recipients(&["To: a@x", "Resent-To: b@y", "Cc: c@z"]), ["b@y"]);
    }
}
