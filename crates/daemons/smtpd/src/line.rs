//! Lines out of bytes: SMTP commands and message content.
//!
//! A line ends in CR LF; a bare LF ends one as well and is reported, since what it may do is a matter of
//! configuration (`smtpd_forbid_bare_newline`). A NUL ends the usable part of a command.

use memchr::memchr;
use std::ops::Range;

/// How strictly line ends are taken for this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BareNewline {
    /// Bare newlines are noticed at all; only then is one CR, rather than any number, a part of the line end.
    pub detect: bool,
    /// The end of DATA must be the standard CR LF . CR LF.
    pub standard_end: bool,
    /// A bare newline is refused.
    pub reject: bool,
    /// A bare newline is mentioned when the session ends.
    pub note: bool,
}

impl BareNewline {
    /// The meaning of a value of `smtpd_forbid_bare_newline`.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (standard_end, reject, note) = match value.to_ascii_lowercase().as_str() {
            "normalize" | "yes" => (true, false, false),
            "note" => (true, false, true),
            "reject" => (true, true, false),
            "no" => (false, false, false),
            _ => return None,
        };
        Some(BareNewline { detect: standard_end, standard_end, reject, note })
    }
}

/// A piece of content: a whole line, or as much of a long one as the limit allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where its text is, without the line end.
    pub text: Range<usize>,
    /// How many bytes it took.
    pub used: usize,
    /// The line ended here.
    pub ended: bool,
    /// It ended in a bare LF.
    pub bare: bool,
}

/// The first line of `input`, or `None` when more bytes are needed to know it.
#[must_use]
pub fn piece(input: &[u8], limit: usize, strict: BareNewline) -> Option<Piece> {
    let window = &input[..input.len().min(limit)];
    if let Some(at) = memchr(b'\n', window) {
        return Some(ended(input, at, at + 1, strict));
    }
    if input.len() < limit || limit == 0 {
        return None;
    }
    if window.last() == Some(&b'\r') {
        // The limit fell between CR and LF: look one byte ahead.
        match input.get(limit) {
            None => return None,
            Some(b'\n') => return Some(ended(input, limit, limit + 1, strict)),
            Some(_) => {}
        }
    }
    Some(Piece { text: 0..limit, used: limit, ended: false, bare: false })
}

/// A command line, or what has to happen before there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// More bytes are needed.
    Incomplete,
    /// A command: where its text is, how many bytes to consume, and how it ended.
    Line {
        /// The text, without line end, up to the first NUL.
        text: Range<usize>,
        /// Bytes to consume.
        used: usize,
        /// The line ended in a bare LF.
        bare: bool,
        /// The line was longer than the limit; the excess was skipped.
        long: bool,
        /// So much excess that no more input is taken from this client.
        flood: bool,
    },
}

/// The first command of `input`. Excess up to the limit is skipped over, to stay in step with the client.
#[must_use]
pub fn command(input: &[u8], limit: usize, strict: BareNewline) -> Command {
    let Some(piece) = piece(input, limit, strict) else {
        return Command::Incomplete;
    };
    let text = piece.text.start
        ..piece.text.start + memchr(0, &input[piece.text.clone()]).unwrap_or(piece.text.len());
    if piece.ended {
        return Command::Line { text, used: piece.used, bare: piece.bare, long: false, flood: false };
    }
    let excess = &input[piece.used..];
    let window = &excess[..excess.len().min(limit)];
    match memchr(b'\n', window) {
        Some(at) => Command::Line { text, used: piece.used + at + 1, bare: false, long: true, flood: false },
        None if excess.len() < limit => Command::Incomplete,
        None => Command::Line { text, used: input.len(), bare: false, long: true, flood: true },
    }
}

fn ended(input: &[u8], newline: usize, used: usize, strict: BareNewline) -> Piece {
    let line = &input[..newline];
    let carriage_returns = line.iter().rev().take_while(|&&b| b == b'\r').count();
    let strip = if strict.detect { carriage_returns.min(1) } else { carriage_returns };
    Piece { text: 0..newline - strip, used, ended: true, bare: strict.detect && carriage_returns == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict() -> BareNewline {
        BareNewline::parse("normalize").unwrap()
    }

    #[test]
    fn line_ends() {
        let line = piece(b"ab\r\ncd", 100, strict()).unwrap();
        assert_eq!((line.text, line.used, line.bare), (0..2, 4, false));
        assert!(piece(b"ab\ncd", 100, strict()).unwrap().bare);
        assert_eq!(piece(b"ab\r\r\n", 100, strict()).unwrap().text, 0..3);
        assert_eq!(piece(b"ab\r\r\n", 100, BareNewline::default()).unwrap().text, 0..2);
        assert!(piece(b"ab\r", 100, strict()).is_none());
    }

    #[test]
    fn a_limit_between_cr_and_lf_does_not_split_the_line() {
        assert!(piece(b"abc\r", 4, strict()).is_none());
        let line = piece(b"abc\r\n", 4, strict()).unwrap();
        assert_eq!((line.text, line.used, line.ended), (0..3, 5, true));
        let part = piece(b"abcd\r\n", 4, strict()).unwrap();
        assert_eq!((part.text, part.used, part.ended), (0..4, 4, false));
    }

    #[test]
    fn an_overlong_command_is_cut_and_the_rest_skipped() {
        let Command::Line { text, used, long, flood, .. } = command(b"NOOP xxxxxx\r\nQUIT\r\n", 8, strict())
        else {
            panic!("no line");
        };
        assert_eq!((text, used, long, flood), (0..8, 13, true, false));
        assert_eq!(command(b"NOOP xxxxxx", 8, strict()), Command::Incomplete);
        assert!(matches!(command(&[b'x'; 16], 8, strict()), Command::Line { flood: true, .. }));
    }

    #[test]
    fn a_nul_ends_the_command() {
        let Command::Line { text, used, .. } = command(b"NOOP\0x\r\n", 80, strict()) else {
            panic!("no line");
        };
        assert_eq!((text, used), (0..4, 8));
    }
}
