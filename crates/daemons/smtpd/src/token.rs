//! The command tokenizer.
//!
//! Tokens are separated by white space. `<...>` and `"..."` are kept whole (with what they quote), a backslash
//! protects the next character, and `from:` and `to:` end a token, so that `MAIL FROM:<a@b>` is three tokens.
//! The address keeps its quotes and comments: the address parser needs them.

/// One token of an SMTP command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The text, quotes and brackets included.
    pub text: Vec<u8>,
    /// A closing quote or bracket is missing.
    pub malformed: bool,
}

impl Token {
    /// Whether the token is this word, in any case.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word.as_bytes())
    }

    /// What follows a prefix given in any case, such as `SIZE=`.
    #[must_use]
    pub fn after(&self, prefix: &str) -> Option<&[u8]> {
        let (head, rest) = self.text.split_at_checked(prefix.len())?;
        head.eq_ignore_ascii_case(prefix.as_bytes()).then_some(rest)
    }
}

/// Splits a command line into tokens.
#[must_use]
pub fn tokenize(line: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(4);
    let mut rest = line;
    while let Some(token) = next(&mut rest) {
        tokens.push(token);
    }
    tokens
}

fn next(rest: &mut &[u8]) -> Option<Token> {
    let mut token = Token { text: Vec::with_capacity(rest.len().min(64)), malformed: false };
    while let Some(byte) = take(rest) {
        match byte {
            _ if is_space(byte) => {
                while rest.first().is_some_and(|&b| is_space(b)) {
                    take(rest);
                }
                if !token.text.is_empty() {
                    break;
                }
            }
            b'<' => quoted(rest, &mut token, byte, b'>'),
            b'"' => quoted(rest, &mut token, byte, byte),
            b':' => {
                token.text.push(byte);
                if token.is("to:") || token.is("from:") {
                    break;
                }
            }
            b'\\' => {
                token.text.push(byte);
                match take(rest) {
                    Some(escaped) => token.text.push(escaped),
                    None => break,
                }
            }
            _ => token.text.push(byte),
        }
    }
    (!token.text.is_empty()).then_some(token)
}

/// Copies up to the closing character; a double quote inside `<>` binds stronger than the brackets.
fn quoted(rest: &mut &[u8], token: &mut Token, open: u8, close: u8) {
    let mut wanted = vec![close];
    token.text.push(open);
    while let Some(byte) = take(rest) {
        token.text.push(byte);
        let innermost = wanted.last().copied().unwrap_or(close);
        if byte == b'\\' {
            match take(rest) {
                Some(escaped) => token.text.push(escaped),
                None => break,
            }
        } else if byte == innermost {
            wanted.pop();
            if wanted.is_empty() {
                return;
            }
        } else if byte == b'"' || (byte == b'<' && innermost == b'>') {
            wanted.push(if byte == b'"' { b'"' } else { b'>' });
        }
    }
    token.malformed = true;
}

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (&first, tail) = rest.split_first()?;
    *rest = tail;
    Some(first)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        tokenize(line.as_bytes())
            .into_iter()
            .map(|token| String::from_utf8_lossy(&token.text).into_owned())
            .collect()
    }

    #[test]
    fn an_address_is_one_token_after_the_colon() {
        assert_eq!(words("mail from:<a@b> size=1"), ["mail", "from:", "<a@b>", "size=1"]);
        assert_eq!(words("RCPT TO: <\"a b\"@c>"), ["RCPT", "TO:", "<\"a b\"@c>"]);
        assert_eq!(words("   "), Vec::<String>::new());
    }

    #[test]
    fn an_open_quote_is_malformed() {
        assert!(tokenize(b"rcpt to:<\"a b>")[2].malformed);
        assert!(!tokenize(b"rcpt to:<a@[x>")[2].malformed);
    }
}
