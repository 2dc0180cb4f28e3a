//! EHLO keywords: sets of them, as in `smtpd_discard_ehlo_keywords`, and what a server's EHLO reply offers.

use bytes::NameMask;

/// A set of keywords.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keywords(u32);

const NAMES: NameMask = NameMask(&[
    ("8BITMIME", 1 << 0),
    ("AUTH", 1 << 6),
    ("ETRN", 1 << 4),
    ("PIPELINING", 1 << 1),
    ("SIZE", 1 << 2),
    ("VERP", 1 << 7),
    ("VRFY", 1 << 3),
    ("XCLIENT", 1 << 9),
    ("XFORWARD", 1 << 10),
    ("STARTTLS", 1 << 8),
    ("ENHANCEDSTATUSCODES", 1 << 11),
    ("DSN", 1 << 12),
    ("SMTPUTF8", 1 << 13),
    ("CHUNKING", 1 << 14),
    ("REQUIRETLS", 1 << 15),
    ("SILENT-DISCARD", 1 << 16),
]);

macro_rules! keywords {
    ($($(#[$doc:meta])* $name:ident = $bit:expr;)*) => {
        impl Keywords {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
        }
    };
}

keywords! {
    /// 8BITMIME (RFC 6152).
    EIGHT_BIT_MIME = 0;
    /// PIPELINING (RFC 2920).
    PIPELINING = 1;
    /// SIZE (RFC 1870).
    SIZE = 2;
    /// VRFY.
    VRFY = 3;
    /// ETRN (RFC 1985).
    ETRN = 4;
    /// AUTH (RFC 4954).
    AUTH = 6;
    /// XVERP.
    VERP = 7;
    /// STARTTLS (RFC 3207).
    STARTTLS = 8;
    /// XCLIENT.
    XCLIENT = 9;
    /// XFORWARD.
    XFORWARD = 10;
    /// ENHANCEDSTATUSCODES (RFC 2034).
    ENHANCED_STATUS_CODES = 11;
    /// DSN (RFC 3461).
    DSN = 12;
    /// SMTPUTF8 (RFC 6531).
    SMTPUTF8 = 13;
    /// CHUNKING (RFC 3030).
    CHUNKING = 14;
    /// REQUIRETLS (RFC 8689).
    REQUIRETLS = 15;
    /// Not a keyword: do not log what is discarded.
    SILENT = 16;
}

impl Keywords {
    /// No keyword.
    pub const NONE: Self = Self(0);

    /// The keywords in a list, in any case; words that are none are ignored.
    pub fn parse(list: &str) -> Self {
        bytes::list::split(list, bytes::list::SEPARATORS)
            .fold(Self::NONE, |set, word| Self(set.0 | NAMES.parse(word).unwrap_or(0)))
    }

    /// Whether one of `other` is in here.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set less the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The names, separated by blanks.
    pub fn text(self) -> String {
        NAMES.text(self.0)
    }
}

/// The attributes that a server takes with XFORWARD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Xforward {
    /// Client name.
    pub name: bool,
    /// Client address.
    pub addr: bool,
    /// Client port.
    pub port: bool,
    /// Protocol.
    pub proto: bool,
    /// HELO name.
    pub helo: bool,
    /// Queue id.
    pub ident: bool,
    /// Local or remote.
    pub source: bool,
}

/// What a server offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The name that the server gave itself.
    pub name: Vec<u8>,
    /// The keywords.
    pub keywords: Keywords,
    /// The greatest message it takes; 0 means that it does not say.
    pub size_limit: u64,
    /// What it takes with XFORWARD.
    pub xforward: Xforward,
    /// The words after AUTH.
    pub auth: Vec<u8>,
}

impl Offer {
    /// Reads an EHLO or LHLO reply, leaving out what is in `discard`. The second result is a SIZE argument that is no number.
    pub fn read(reply: &[u8], discard: Keywords) -> (Self, Option<Vec<u8>>) {
        let mut offer = Self::default();
        let mut bad_size = None;
        let mut first = true;
        for line in reply.split(|&byte| byte == b'\n') {
            // Some servers write `AUTH=LOGIN`, after an old draft; the code may be followed by either separator.
            let line = line.get(3..).unwrap_or_default();
            let line = &line[line.iter().take_while(|byte| matches!(byte, b'-' | b' ')).count()..];
            let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
            let Some(word) = words.next() else { continue };
            let (keyword, argument) = match word.iter().position(|&byte| byte == b'=') {
                Some(at) => (&word[..at], Some(&word[at + 1..]).filter(|rest| !rest.is_empty())),
                None => (word, None),
            };
            if keyword.is_empty() {
                continue;
            }
            if std::mem::take(&mut first) {
                offer.name = keyword.to_vec();
                continue;
            }
            let mut words = argument.into_iter().chain(words);
            let Some(keyword) = std::str::from_utf8(keyword).ok() else { continue };
            let known =
                Keywords(NAMES.parse(keyword).unwrap_or(0)).without(Keywords::SILENT).without(discard);
            if known.is_empty() {
                continue;
            }
            offer.keywords = offer.keywords.with(known);
            if known.has(Keywords::SIZE) {
                match words.next() {
                    Some(word) if word.iter().all(u8::is_ascii_digit) => {
                        // A limit beyond all numbers is none.
                        offer.size_limit = bytes::decimal(word).unwrap_or(0);
                    }
                    Some(word) => bad_size = Some(word.to_vec()),
                    None => {}
                }
            } else if known.has(Keywords::XFORWARD) {
                words.for_each(|word| offer.xforward.add(word));
            } else if known.has(Keywords::AUTH) {
                let words: Vec<&[u8]> = words.collect();
                offer.auth = words.join(&b' ');
            }
        }
        (offer, bad_size)
    }
}

impl Xforward {
    fn add(&mut self, word: &[u8]) {
        match word.to_ascii_uppercase().as_slice() {
            b"NAME" => self.name = true,
            b"ADDR" => self.addr = true,
            b"PORT" => self.port = true,
            b"PROTO" => self.proto = true,
            b"HELO" => self.helo = true,
            b"IDENT" => self.ident = true,
            b"SOURCE" => self.source = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        let set = Keywords::parse("pipelining, starttls nonsense silent-discard");
        assert!(set.has(Keywords::PIPELINING) && set.has(Keywords::SILENT) && !set.has(Keywords::SIZE));
        assert_eq!(set.text(), "PIPELINING STARTTLS SILENT-DISCARD");
    }

    #[test]
    fn offers() {
        let reply = b"250-mx.example hello\n250-PIPELINING\n250-SIZE 1000\n250-AUTH=LOGIN PLAIN\n250-XFORWARD NAME ADDR\n250 8bitmime";
        let (offer, bad) = Offer::read(reply, Keywords::NONE);
        assert_eq!(offer.name, b"mx.example");
        assert_eq!((offer.size_limit, bad), (1000, None));
        assert_eq!(offer.auth, b"LOGIN PLAIN");
        assert!(offer.xforward.name && offer.xforward.addr && !offer.xforward.helo);
        assert!(offer.keywords.has(Keywords::EIGHT_BIT_MIME));
        let (offer, bad) = Offer::read(b"250-x\n250-SIZE ten\n250 PIPELINING", Keywords::PIPELINING);
        assert_eq!(bad.as_deref(), Some(&b"ten"[..]));
        assert!(!offer.keywords.has(Keywords::PIPELINING));
    }
}
