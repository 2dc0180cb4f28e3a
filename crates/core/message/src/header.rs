//! Recognising message headers, and what is known about the ones that Postfix treats specially.

/// The length of the header's name when `line` begins a message header, without white space before the colon.
///
/// As RFC 5322 section 4.5 permits, white space may stand between name and colon. The name consists of printable ASCII.
pub fn name_length(line: &[u8]) -> Option<usize> {
    let end = line.iter().position(|&byte| matches!(byte, b' ' | b'\t' | b':' | 0..=0x1f | 0x7f..))?;
    if end == 0 {
        return None;
    }
    let rest = line.get(end..)?;
    let after = rest.iter().find(|&&byte| byte != b' ' && byte != b'\t')?;
    (*after == b':').then_some(end)
}

/// Whether `line` begins a message header.
pub fn is_header(line: &[u8]) -> bool {
    name_length(line).is_some()
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal $(| $property:ident)*;)*) => {
        /// Headers that Postfix knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum HeaderKind {
            /// A header that is listed in `message_drop_headers` and otherwise has no meaning to Postfix.
            Other,
            $(#[doc = concat!("`", $name, ":`")] $(#[$doc])* $kind,)*
        }

        impl HeaderKind {
            /// The name in its usual capitals; `None` for [`HeaderKind::Other`].
            pub fn name(self) -> Option<&'static str> {
                match self {
                    Self::Other => None,
                    $(Self::$kind => Some($name),)*
                }
            }
        }

        const KNOWN: &[(HeaderKind, &str, u8)] = &[$((HeaderKind::$kind, $name, 0 $(| $property)*),)*];
    };
}

const SENDER: u8 = 1;
const RECIPIENT: u8 = 2;
const RESENT: u8 = 4;
const EXTRACT: u8 = 8;
const MIME: u8 = 16;

kinds! {
    ApparentlyTo = "Apparently-To" | RECIPIENT;
    Bcc = "Bcc" | RECIPIENT | EXTRACT;
    Cc = "Cc" | RECIPIENT | EXTRACT;
    ContentDescription = "Content-Description" | MIME;
    ContentDisposition = "Content-Disposition" | MIME;
    ContentId = "Content-ID" | MIME;
    ContentLength = "Content-Length";
    ContentTransferEncoding = "Content-Transfer-Encoding" | MIME;
    ContentType = "Content-Type" | MIME;
    DeliveredTo = "Delivered-To";
    DispositionNotificationTo = "Disposition-Notification-To" | SENDER;
    Date = "Date";
    ErrorsTo = "Errors-To" | SENDER;
    From = "From" | SENDER;
    MailFollowupTo = "Mail-Followup-To" | SENDER;
    MessageId = "Message-Id";
    MimeVersion = "MIME-Version" | MIME;
    Received = "Received";
    ReplyTo = "Reply-To" | SENDER;
    ResentBcc = "Resent-Bcc" | RECIPIENT | EXTRACT | RESENT;
    ResentCc = "Resent-Cc" | RECIPIENT | EXTRACT | RESENT;
    ResentDate = "Resent-Date" | RESENT;
    ResentFrom = "Resent-From" | SENDER | RESENT;
    ResentMessageId = "Resent-Message-Id" | RESENT;
    ResentReplyTo = "Resent-Reply-To" | RECIPIENT | RESENT;
    ResentSender = "Resent-Sender" | SENDER | RESENT;
    ResentTo = "Resent-To" | RECIPIENT | EXTRACT | RESENT;
    ReturnPath = "Return-Path" | SENDER;
    ReturnReceiptTo = "Return-Receipt-To" | SENDER;
    Sender = "Sender" | SENDER;
    To = "To" | RECIPIENT | EXTRACT;
    /// (RFC 8689)
    TlsRequired = "TLS-Required";
    /// (asks for the ESMTP extension of RFC 8689)
    RequireTlsEsmtp = "Require-TLS-ESMTP";
}

/// What is special about one header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderInfo {
    /// Which header.
    pub kind: HeaderKind,
    properties: u8,
    dropped: bool,
}

impl HeaderInfo {
    /// Its value is one or more sender addresses.
    pub fn is_sender(self) -> bool {
        self.properties & SENDER != 0
    }

    /// Its value is one or more recipient addresses.
    pub fn is_recipient(self) -> bool {
        self.properties & RECIPIENT != 0
    }

    /// It is one of the `Resent-` headers.
    pub fn is_resent(self) -> bool {
        self.properties & RESENT != 0
    }

    /// `sendmail -t` takes recipients from it.
    pub fn is_extracted(self) -> bool {
        self.properties & EXTRACT != 0
    }

    /// It describes a MIME entity; mime_header_checks apply to it also in the primary header block.
    pub fn is_mime(self) -> bool {
        self.properties & MIME != 0
    }

    /// `message_drop_headers` removes it.
    pub fn is_dropped(self) -> bool {
        self.dropped
    }
}

/// The known headers together with the configured `message_drop_headers`.
#[derive(Clone, Debug, Default)]
pub struct HeaderTable {
    dropped: Vec<Vec<u8>>,
}

impl HeaderTable {
    /// A table that drops the headers named in `message_drop_headers` (names separated by blanks or commas).
    pub fn new(message_drop_headers: &str) -> Self {
        let names = bytes::list::split(message_drop_headers, bytes::list::SEPARATORS);
        Self { dropped: names.map(|name| name.to_ascii_lowercase().into_bytes()).collect() }
    }

    /// What is known about the header that `line` begins with; `None` for headers without special meaning.
    pub fn find(&self, line: &[u8]) -> Option<HeaderInfo> {
        let colon = bytes::memchr::memchr(b':', line)?;
        let mut name = line.get(..colon)?;
        while let [head @ .., b' ' | b'\t'] = name {
            name = head;
        }
        let dropped = self.dropped.iter().any(|drop| drop.eq_ignore_ascii_case(name));
        let known = KNOWN
            .iter()
            .find(|(_, known, _)| known.len() == name.len() && known.as_bytes().eq_ignore_ascii_case(name));
        match known {
            Some(&(kind, _, properties)) => Some(HeaderInfo { kind, properties, dropped }),
            None if dropped => Some(HeaderInfo { kind: HeaderKind::Other, properties: 0, dropped }),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names() {
        assert_eq!(name_length(b"Subject: x"), Some(7));
        assert_eq!(name_length(b"Subject \t: x"), Some(7));
        assert_eq!(name_length(b"Sub ject: x"), None);
        assert_eq!(name_length(b": x"), None);
        assert_eq!(name_length(b" X: x"), None);
        assert_eq!(name_length(b"Subject"), None);
        assert_eq!(name_length(b"S\xe9: x"), None);
        assert_eq!(name_length(b"S\x01: x"), None);
        assert_eq!(name_length(b""), None);
    }

    #[test]
    fn known_and_dropped_headers() {
        let table = HeaderTable::new("bcc, content-length X-Secret");
        let bcc = table.find(b"BCC : a").unwrap();
        assert!(bcc.is_dropped() && bcc.is_recipient() && bcc.is_extracted());
        let secret = table.find(b"x-secret: a").unwrap();
        assert!(secret.is_dropped() && secret.kind == HeaderKind::Other);
        assert!(table.find(b"Subject: a").is_none());
        assert!(table.find(b"Content-Type: a").unwrap().is_mime());
    }
}
