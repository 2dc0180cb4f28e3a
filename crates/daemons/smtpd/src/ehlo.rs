//! EHLO keywords, and which of them are kept from a client.

/// A set of EHLO keywords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Keywords(u32);

macro_rules! keywords {
    ($($bit:literal $name:ident $text:literal,)*) => {
        impl Keywords {
            $(pub(crate) const $name: Keywords = Keywords(1 << $bit);)*
            const NAMES: &'static [(&'static str, Keywords)] = &[$(($text, Keywords::$name),)*];
        }
    };
}

keywords! {
    0 EIGHTBITMIME "8BITMIME",
    5 AUTH "AUTH",
    4 ETRN "ETRN",
    1 PIPELINING "PIPELINING",
    2 SIZE "SIZE",
    6 VERP "XVERP",
    3 VRFY "VRFY",
    8 XCLIENT "XCLIENT",
    9 XFORWARD "XFORWARD",
    7 STARTTLS "STARTTLS",
    10 ENHANCEDSTATUSCODES "ENHANCEDSTATUSCODES",
    11 DSN "DSN",
    12 SMTPUTF8 "SMTPUTF8",
    13 CHUNKING "CHUNKING",
    14 REQUIRETLS "REQUIRETLS",
    15 SILENT "SILENT-DISCARD",
}

impl Keywords {
    /// Reads a list of keywords, in any case. Unknown words are ignored.
    pub(crate) fn parse(list: &str) -> Keywords {
        let mut set = Keywords::default();
        for word in list.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
            if let Some((_, keyword)) = Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
                set.0 |= keyword.0;
            }
        }
        set
    }

    pub(crate) fn has(self, keyword: Keywords) -> bool {
        self.0 & keyword.0 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl std::fmt::Display for Keywords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut separator = "";
        for (name, keyword) in Self::NAMES {
            if self.has(*keyword) {
                write!(f, "{separator}{name}")?;
                separator = " ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_in_postfix_order() {
        let set = Keywords::parse("dsn, Pipelining etrn");
        assert!(set.has(Keywords::DSN) && !set.has(Keywords::AUTH));
        assert_eq!(set.to_string(), "ETRN PIPELINING DSN");
    }
}
