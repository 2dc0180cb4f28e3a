//! A server's reply: lines put together, code and enhanced status code taken out.

use dsn::Status;

/// A complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits of the last line.
    pub code: u16,
    /// The enhanced status code (RFC 3463) of the last line if it agrees with the reply code, else `X.0.0`; a protocol error
    /// for codes that are no final answer.
    pub status: Status,
    /// All lines with their codes, joined by a newline; control characters are `?`.
    pub text: Vec<u8>,
}

impl Reply {
    /// The first digit.
    pub fn class(&self) -> u16 {
        self.code / 100
    }

    /// Whether it begins with 2.
    pub fn is_positive(&self) -> bool {
        self.class() == 2
    }

    /// The text with blanks for newlines, as it appears in log lines and bounces.
    pub fn one_line(&self) -> Vec<u8> {
        self.text.iter().map(|&byte| if byte == b'\n' { b' ' } else { byte }).collect()
    }

    /// Whether the code says that the client broke the protocol, or is no possible answer to it.
    pub fn is_protocol_error(&self) -> bool {
        !(400..=599).contains(&self.code) || self.code == 555 || (500..510).contains(&self.code)
    }
}

/// What a line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// More lines follow.
    More,
    /// This is no reply line; it is kept in the text, and more is awaited.
    Garbage,
    /// The reply is complete.
    Done(Reply),
}

/// Puts the lines of a reply together.
#[derive(Clone, Debug)]
pub struct Assembler {
    text: Vec<u8>,
    limit: usize,
    full: bool,
}

impl Assembler {
    /// `limit` (`line_length_limit`) is where a reply of several lines is no longer kept.
    pub fn new(limit: usize) -> Self {
        Self { text: Vec::new(), limit, full: false }
    }

    /// Whether lines of the current reply had to be dropped; the first time since the reply began.
    pub fn overflowed(&mut self) -> bool {
        self.text.len() >= self.limit && !std::mem::replace(&mut self.full, true)
    }

    /// The text so far.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Takes a line without its line end, already made printable.
    pub fn line(&mut self, line: &[u8]) -> Line {
        if self.text.len() < self.limit {
            if !self.text.is_empty() {
                self.text.push(b'\n');
            }
            self.text.extend_from_slice(line);
        }
        let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
        match (digits, line.get(digits)) {
            (3, Some(b'-')) => Line::More,
            (3, Some(b' ') | None) => {
                self.full = false;
                Line::Done(Reply {
                    code: code(line),
                    status: status(line),
                    text: std::mem::take(&mut self.text),
                })
            }
            _ => Line::Garbage,
        }
    }
}

fn code(line: &[u8]) -> u16 {
    line.iter().take(3).fold(0, |code, byte| code * 10 + u16::from(byte - b'0'))
}

fn status(line: &[u8]) -> Status {
    const PROTOCOL_ERROR: Status = Status::new("5.5.0");
    let Some(class @ (b'2' | b'4' | b'5')) = line.first().copied() else {
        return PROTOCOL_ERROR;
    };
    let text = line.get(4..).unwrap_or_default();
    let text = &text[text.iter().take_while(|&&byte| byte == b' ').count()..];
    match dsn::enhanced_status(text) {
        Some(length) if text.first() == Some(&class) => {
            Status::parse(&text[..length]).unwrap_or(PROTOCOL_ERROR)
        }
        _ => Status::new("5.0.0").with_class(class - b'0'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &[u8]) -> Reply {
        match Assembler::new(2048).line(line) {
            Line::Done(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn codes() {
        assert_eq!(one(b"250 2.1.0 Ok").status.as_str(), "2.1.0");
        assert_eq!(one(b"250 Ok").status.as_str(), "2.0.0");
        assert_eq!(one(b"450").status.as_str(), "4.0.0");
        assert_eq!(one(b"550 4.1.1 odd").status.as_str(), "5.0.0");
        assert_eq!(one(b"354 go").status.as_str(), "5.5.0");
        assert_eq!(one(b"552  5.3.4 big").status.as_str(), "5.3.4");
        assert_eq!(one(b"552  5.3.4 big").code, 552);
    }

    #[test]
    fn several_lines() {
        let mut assembler = Assembler::new(20);
        assert_eq!(assembler.line(b"250-one"), Line::More);
        assert_eq!(assembler.line(b"hello"), Line::Garbage);
        assert_eq!(assembler.line(b"250-xxxxxxxxxxxxxxx"), Line::More);
        assert!(assembler.overflowed());
        assert!(!assembler.overflowed());
        let Line::Done(reply) = assembler.line(b"250 two") else { panic!() };
        assert_eq!(reply.text, b"250-one\nhello\n250-xxxxxxxxxxxxxxx");
        assert_eq!(reply.one_line(), b"250-one hello 250-xxxxxxxxxxxxxxx");
        assert!(!assembler.overflowed());
    }

    #[test]
    fn protocol_errors() {
        assert!(one(b"502 what").is_protocol_error());
        assert!(one(b"555 what").is_protocol_error());
        assert!(one(b"354 what").is_protocol_error());
        assert!(!one(b"550 no").is_protocol_error());
    }
}
