//! From text to a flat list of tokens.

use super::Token;

/// Whether a character is a token of its own (`|` for alias files).
fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'|' | b'%'
            | b'!'
            | b'('
            | b')'
            | b'<'
            | b'>'
            | b'@'
            | b','
            | b';'
            | b':'
            | b'\\'
            | b'"'
            | b'.'
            | b'['
            | b']'
    )
}

/// Tokenizes text in external form, all of it.
pub fn scan(text: &[u8]) -> Vec<Token> {
    scan_limit(text, 0)
}

/// Tokenizes text in external form and stops after `limit` tokens (0: no limit); the rest of the
/// text is dropped.
pub fn scan_limit(text: &[u8], limit: usize) -> Vec<Token> {
    let mut list = Vec::new();
    let mut input = Input { rest: text };
    while let Some(byte) = input.next() {
        let token = match byte {
            _ if is_space(byte) => continue,
            b'(' => Token::Comment(input.comment()),
            b'[' => Token::DomainLiteral(input.collect_past(b']')),
            b'"' => Token::Quoted(input.collect_past(b'"')),
            b'\\' => input.word(byte),
            _ if is_operator(byte) => Token::Op(byte),
            _ => input.word(byte),
        };
        list.push(token);
        if limit > 0 && list.len() >= limit {
            break;
        }
    }
    list
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Text not yet looked at.
struct Input<'a> {
    rest: &'a [u8],
}

impl Input<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    /// Collects up to an unquoted byte for which `stop` holds, which is left in the input.
    /// Backslashes are removed (one at the end of the text is lost), white space becomes a blank.
    fn collect(&mut self, out: &mut Vec<u8>, stop: impl Fn(u8) -> bool) {
        while let Some(&byte) = self.rest.first() {
            let byte = if byte == b'\\' {
                self.rest = &self.rest[1..];
                match self.rest.first() {
                    Some(&quoted) => quoted,
                    None => return,
                }
            } else if stop(byte) {
                return;
            } else {
                byte
            };
            out.push(if is_space(byte) { b' ' } else { byte });
            self.rest = &self.rest[1..];
        }
    }

    fn collect_past(&mut self, end: u8) -> Vec<u8> {
        let mut out = Vec::new();
        self.collect(&mut out, |byte| byte == end);
        self.next();
        out
    }

    /// An atom that begins with `first`, which was taken already. An atom that holds quoted
    /// special characters is a quoted string from here on.
    fn word(&mut self, first: u8) -> Token {
        let mut out = Vec::new();
        if first != b'\\' {
            out.push(first);
        } else if let Some(quoted) = self.next() {
            out.push(if is_space(quoted) { b' ' } else { quoted });
        }
        self.collect(&mut out, |byte| is_space(byte) || is_operator(byte));
        let special = |byte: &u8| *byte == b' ' || byte.is_ascii_control() || is_operator(*byte);
        if out.iter().any(special) { Token::Quoted(out) } else { Token::Atom(out) }
    }

    /// A comment after its `(`. Comments nest and are kept in external form.
    fn comment(&mut self) -> Vec<u8> {
        let mut out = vec![b'('];
        let mut level = 1;
        while let Some(byte) = self.next() {
            out.push(byte);
            match byte {
                b'(' => level += 1,
                b')' => {
                    level -= 1;
                    if level == 0 {
                        break;
                    }
                }
                b'\\' => match self.next() {
                    Some(quoted) => out.push(quoted),
                    None => break,
                },
                _ => (),
            }
        }
        out
    }
}
