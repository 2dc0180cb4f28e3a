//! Tokens of structured headers: RFC 822 in general, RFC 2045 parameters in particular.

/// The special characters of RFC 822 section 3.3.
pub const RFC822_SPECIALS: &[u8] = b"()<>@,;:\\\".[]";

/// The special characters of RFC 2045 section 5.1.
pub const RFC2045_SPECIALS: &[u8] = b"()<>@,;:\\\"/[]?=";

/// One item of a structured header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A word without quotes.
    Word(Vec<u8>),
    /// The inside of a quoted string: backslashes removed, folding undone.
    Quoted(Vec<u8>),
    /// A special or control character.
    Special(u8),
}

impl Token {
    /// Whether this is the unquoted word `text`, ASCII case ignored.
    pub fn is_word(&self, text: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(text.as_bytes()))
    }

    /// The token's text, whatever its kind.
    pub fn text(&self) -> &[u8] {
        match self {
            Self::Word(text) | Self::Quoted(text) => text,
            Self::Special(byte) => std::slice::from_ref(byte),
        }
    }
}

/// How to scan.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    /// The characters that are tokens by themselves.
    pub specials: &'a [u8],
    /// How many tokens to keep; with a terminator the rest up to it is skipped, without one scanning stops.
    pub limit: usize,
    /// The character that ends an item.
    pub terminator: Option<u8>,
}

impl Scan<'_> {
    /// The tokens up to the terminator or the end; `input` moves behind what was read. `None` at the end of the header.
    ///
    /// Comments and white space are skipped. A NUL ends the text.
    pub fn next(&self, input: &mut &[u8]) -> Option<Vec<Token>> {
        let mut cursor = Cursor(input);
        let mut tokens = Vec::new();
        let mut terminated = false;
        loop {
            if self.terminator.is_none() && tokens.len() >= self.limit {
                terminated = true;
                break;
            }
            let Some(byte) = cursor.take() else { break };
            if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                continue;
            }
            if Some(byte) == self.terminator {
                terminated = true;
                break;
            }
            if byte == b'(' {
                cursor.skip_comment();
                continue;
            }
            let token = if byte == b'"' {
                Token::Quoted(cursor.quoted_string())
            } else if self.is_special(byte) {
                Token::Special(byte)
            } else {
                Token::Word(cursor.word(byte, |byte| self.is_special(byte)))
            };
            if tokens.len() < self.limit {
                tokens.push(token);
            }
        }
        *input = cursor.0;
        // Nothing after the last terminator is not an item.
        (terminated || !tokens.is_empty()).then_some(tokens)
    }

    fn is_special(&self, byte: u8) -> bool {
        byte.is_ascii_control() || self.specials.contains(&byte)
    }
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take(&mut self) -> Option<u8> {
        match *self.0 {
            [] | [0, ..] => None,
            [byte, ref rest @ ..] => {
                self.0 = rest;
                Some(byte)
            }
        }
    }

    fn skip_comment(&mut self) {
        let mut depth = 1;
        while let Some(byte) = self.take() {
            match byte {
                b'(' => depth += 1,
                b')' => depth -= 1,
                b'\\' => {
                    self.take();
                }
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn quoted_string(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some(byte) = self.take() {
            match byte {
                b'"' => break,
                b'\n' => {
                    while let [.., b' ' | b'\t' | b'\r' | b'\n'] = text[..] {
                        text.pop();
                    }
                }
                b'\\' => match self.take() {
                    Some(quoted) => text.push(quoted),
                    None => break,
                },
                _ => text.push(byte),
            }
        }
        text
    }

    fn word(&mut self, first: u8, is_special: impl Fn(u8) -> bool) -> Vec<u8> {
        let end = self
            .0
            .iter()
            .position(|&byte| byte == b' ' || byte == 0 || is_special(byte))
            .unwrap_or(self.0.len());
        let (rest_of_word, rest) = self.0.split_at(end);
        self.0 = rest;
        let mut word = Vec::with_capacity(1 + rest_of_word.len());
        word.push(first);
        word.extend_from_slice(rest_of_word);
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Token {
        Token::Word(text.as_bytes().to_vec())
    }

    #[test]
    fn content_type_by_parameters() {
        let mut input: &[u8] = b" multipart/mixed (a (nested) \\) comment); boundary=\"a\\\"b\n c\"; x=y";
        let scan = Scan { specials: RFC2045_SPECIALS, limit: 3, terminator: Some(b';') };
        assert_eq!(scan.next(&mut input).unwrap(), [word("multipart"), Token::Special(b'/'), word("mixed")]);
        let boundary = scan.next(&mut input).unwrap();
        assert_eq!(boundary, [word("boundary"), Token::Special(b'='), Token::Quoted(b"a\"b c".to_vec())]);
        assert_eq!(scan.next(&mut input).unwrap().len(), 3);
        assert_eq!(scan.next(&mut input), None);
    }

    #[test]
    fn empty_items_before_a_terminator_exist() {
        let mut input: &[u8] = b"; ;";
        let scan = Scan { specials: RFC2045_SPECIALS, limit: 3, terminator: Some(b';') };
        assert_eq!(scan.next(&mut input), Some(vec![]));
        assert_eq!(scan.next(&mut input), Some(vec![]));
        assert_eq!(scan.next(&mut input), None);
    }

    #[test]
    fn without_terminator_the_limit_stops() {
        let mut input: &[u8] = b" 8bit (eight) more";
        let scan = Scan { specials: RFC822_SPECIALS, limit: 1, terminator: None };
        assert_eq!(scan.next(&mut input).unwrap(), [word("8bit")]);
        assert_eq!(scan.next(&mut input).unwrap(), [word("more")]);
        assert_eq!(scan.next(&mut input), None);
    }
}
