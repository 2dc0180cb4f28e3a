//! Commands counted, for the line that is logged when a session ends.

use std::fmt::Write as _;

/// An SMTP command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Helo,
    Ehlo,
    Xclient,
    Xforward,
    Starttls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Vrfy,
    Etrn,
    Quit,
    Help,
    Unknown,
}

impl Verb {
    /// All of them, in the order of the log line.
    pub(crate) const ALL: [Verb; 17] = [
        Verb::Helo,
        Verb::Ehlo,
        Verb::Xclient,
        Verb::Xforward,
        Verb::Starttls,
        Verb::Auth,
        Verb::Mail,
        Verb::Rcpt,
        Verb::Data,
        Verb::Bdat,
        Verb::Rset,
        Verb::Noop,
        Verb::Vrfy,
        Verb::Etrn,
        Verb::Quit,
        Verb::Help,
        Verb::Unknown,
    ];

    /// The command of that name, in any case.
    pub(crate) fn parse(word: &[u8]) -> Verb {
        Verb::ALL
            .into_iter()
            .find(|verb| *verb != Verb::Unknown && word.eq_ignore_ascii_case(verb.name().as_bytes()))
            .unwrap_or(Verb::Unknown)
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Verb::Helo => "HELO",
            Verb::Ehlo => "EHLO",
            Verb::Xclient => "XCLIENT",
            Verb::Xforward => "XFORWARD",
            Verb::Starttls => "STARTTLS",
            Verb::Auth => "AUTH",
            Verb::Mail => "MAIL",
            Verb::Rcpt => "RCPT",
            Verb::Data => "DATA",
            Verb::Bdat => "BDAT",
            Verb::Rset => "RSET",
            Verb::Noop => "NOOP",
            Verb::Vrfy => "VRFY",
            Verb::Etrn => "ETRN",
            Verb::Quit => "QUIT",
            Verb::Help => "HELP",
            Verb::Unknown => "UNKNOWN",
        }
    }

    /// It can be repeated without end and without a delay, so that its use is limited.
    pub(crate) fn is_junk(self) -> bool {
        matches!(self, Verb::Helo | Verb::Ehlo | Verb::Rset | Verb::Noop | Verb::Vrfy | Verb::Etrn)
    }

    /// It is allowed before STARTTLS where TLS is required.
    pub(crate) fn is_allowed_before_tls(self) -> bool {
        matches!(
            self,
            Verb::Helo | Verb::Ehlo | Verb::Xclient | Verb::Starttls | Verb::Noop | Verb::Quit | Verb::Help
        )
    }

    /// Nothing may be pipelined after it (RFC 2920).
    pub(crate) fn ends_group(self) -> bool {
        matches!(self, Verb::Helo | Verb::Ehlo | Verb::Data | Verb::Noop | Verb::Vrfy)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    good: u32,
    total: u32,
}

/// How often each command came, and how often it went well.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stats([Count; Verb::ALL.len()]);

impl Stats {
    /// A command came.
    pub(crate) fn came(&mut self, verb: Verb) {
        self.0[verb as usize].total += 1;
    }

    /// It went well.
    pub(crate) fn went_well(&mut self, verb: Verb) {
        self.0[verb as usize].good += 1;
    }

    /// What had gone well went wrong in the end.
    pub(crate) fn went_wrong(&mut self, verb: Verb) {
        let count = &mut self.0[verb as usize];
        count.good = count.good.saturating_sub(1);
    }

    /// ` ehlo=1 mail=1 rcpt=0/1 commands=2/3`
    pub(crate) fn summary(&self) -> String {
        let mut text = String::with_capacity(96);
        let mut all = Count::default();
        for (verb, count) in Verb::ALL.into_iter().zip(self.0) {
            all.good += count.good;
            all.total += count.total;
            if count.total > 0 {
                append(&mut text, &verb.name().to_ascii_lowercase(), count, count.good != count.total);
            }
        }
        append(&mut text, "commands", all, all.good != all.total || all.total == 0);
        text
    }
}

fn append(text: &mut String, name: &str, count: Count, with_total: bool) {
    let _infallible = write!(text, " {name}={}", count.good);
    if with_total {
        let _infallible = write!(text, "/{}", count.total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_shows_totals_only_after_errors() {
        let mut stats = Stats::default();
        assert_eq!(stats.summary(), " commands=0/0");
        stats.came(Verb::Ehlo);
        stats.went_well(Verb::Ehlo);
        stats.came(Verb::Rcpt);
        assert_eq!(stats.summary(), " ehlo=1 rcpt=0/1 commands=1/2");
        stats.came(Verb::Unknown);
        assert_eq!(stats.summary(), " ehlo=1 rcpt=0/1 unknown=0/1 commands=1/3");
    }

    #[test]
    fn names_in_any_case() {
        assert_eq!(Verb::parse(b"eHlO"), Verb::Ehlo);
        assert_eq!(Verb::parse(b"unknown"), Verb::Unknown);
    }
}
