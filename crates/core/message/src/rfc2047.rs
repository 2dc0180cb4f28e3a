//! Non-ASCII text in headers as encoded words (RFC 2047).

/// Where the encoded words will stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Between `(` and `)`.
    Comment,
    /// As the words of a phrase, such as a full name before an address.
    Phrase,
}

/// Why text cannot be encoded; the texts are Postfix's warnings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No character set name.
    EmptyCharset,
    /// A character set name that leaves no room for text.
    LongCharset(String),
    /// A character set name with a character that RFC 2047 does not permit.
    BadCharset(u8, String),
    /// Nothing to encode.
    EmptyInput,
    /// A separator that is not white space.
    BadSeparator(String),
    /// A quoted string, which cannot be part of an encoded phrase.
    QuotedInput(Vec<u8>),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("rfc2047_encode: ")?;
        match self {
            Self::EmptyCharset => f.write_str("encoder called with empty charset name"),
            Self::LongCharset(name) => write!(f, "unreasonable charset name: '{name:.100}'"),
            Self::BadCharset(byte, name) => {
                write!(f, "invalid character: {byte:#x} in charset name: '{name}'")
            }
            Self::EmptyInput => f.write_str("encoder called with empty input"),
            Self::BadSeparator(text) => write!(f, "encoder called with non-whitespace separator: '{text}'"),
            Self::QuotedInput(text) => {
                write!(f, "encoder called with quoted word as input: '{}'", bytes::show(text))
            }
        }
    }
}

impl std::error::Error for Error {}

const WORD_LENGTH: usize = 75;
const EPILOG: &[u8] = b"?=";

/// The encoded words for `input`, separated by `separator`. Long text that is mostly not ASCII becomes base64, other text
/// quoted-printable.
pub fn encode(context: Context, charset: &str, input: &[u8], separator: &str) -> Result<Vec<u8>, Error> {
    check_charset(charset)?;
    let Some(&first) = input.first() else { return Err(Error::EmptyInput) };
    if separator.is_empty() || !separator.bytes().all(bytes::is_space) {
        return Err(Error::BadSeparator(separator.to_owned()));
    }
    // In addition to blanks and what RFC 2047 itself uses; see its sections 5.(2) and 5.(3) with erratum 4.
    let specials: &[u8] = match context {
        Context::Comment => b" =?_()\\",
        Context::Phrase if first == b'"' => return Err(Error::QuotedInput(input.to_vec())),
        Context::Phrase => b" =?_()<>@,;:\\\".[]#$%&'^`{|}~",
    };
    let must_quote = |byte: u8| !byte.is_ascii() || byte.is_ascii_control() || specials.contains(&byte);
    let is_long = input.len() >= 20;
    if is_long && input.iter().filter(|&&byte| must_quote(byte)).count() >= input.len() / 2 {
        return Ok(encode_base64(charset, input, separator));
    }
    Ok(encode_quoted(charset, input, separator, must_quote))
}

fn check_charset(charset: &str) -> Result<(), Error> {
    if charset.is_empty() {
        return Err(Error::EmptyCharset);
    }
    if charset.len() > WORD_LENGTH / 2 {
        return Err(Error::LongCharset(charset.to_owned()));
    }
    let is_token = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?.=".contains(&byte);
    match charset.bytes().find(|&byte| !is_token(byte)) {
        Some(byte) => Err(Error::BadCharset(byte, charset.to_owned())),
        None => Ok(()),
    }
}

fn encode_base64(charset: &str, input: &[u8], separator: &str) -> Vec<u8> {
    let prolog = format!("=?{charset}?B?");
    let room = WORD_LENGTH - EPILOG.len() - prolog.len();
    let words =
        input.chunks(3 * (room / 4)).map(|chunk| [prolog.as_bytes(), &base64(chunk), EPILOG].concat());
    words.collect::<Vec<_>>().join(separator.as_bytes())
}

fn encode_quoted(charset: &str, input: &[u8], separator: &str, must_quote: impl Fn(u8) -> bool) -> Vec<u8> {
    let prolog = format!("=?{charset}?Q?");
    let mut words = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let mut word = prolog.clone().into_bytes();
        let limit = WORD_LENGTH - EPILOG.len();
        while let Some((&byte, tail)) = rest.split_first() {
            if word.len() >= limit {
                break;
            }
            if byte == b' ' {
                word.push(b'_');
            } else if !must_quote(byte) {
                word.push(byte);
            } else if word.len() + 3 > limit {
                break;
            } else {
                word.extend_from_slice(format!("={byte:02X}").as_bytes());
            }
            rest = tail;
        }
        word.extend_from_slice(EPILOG);
        words.push(word);
    }
    words.join(separator.as_bytes())
}

fn base64(input: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut output = Vec::with_capacity(input.len().div_ceil(3) * 4);
    for chunk in input.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let symbol = ALPHABET[(bits >> (18 - 6 * digit)) as usize & 63];
            output.push(if digit <= chunk.len() { symbol } else { b'=' });
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_padding() {
        assert_eq!(base64(b"a"), b"YQ==");
        assert_eq!(base64(b"ab"), b"YWI=");
        assert_eq!(base64(b"abc"), b"YWJj");
    }

    #[test]
    fn long_text_is_split_into_words() {
        let encoded = encode(Context::Phrase, "utf-8", "é".repeat(60).as_bytes(), "\n ").unwrap();
        let words: Vec<&[u8]> = encoded.split(|&byte| byte == b'\n').collect();
        assert!(words.len() > 1 && words.iter().all(|word| word.len() <= WORD_LENGTH + 1));
    }
}
