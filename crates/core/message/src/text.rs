//! Full names and other free text on their way into a header.

use crate::token::RFC822_SPECIALS;

/// ASCII text as a phrase, such as a full name before `<address>`: a quoted string when it contains special characters.
///
/// `None` when there is nothing visible.
pub fn ascii_phrase(text: &[u8]) -> Option<Vec<u8>> {
    let is_special = |byte: &u8| RFC822_SPECIALS.contains(byte) || *byte == b'%' || *byte == b'!';
    if text.iter().any(is_special) {
        let mut quoted = Vec::with_capacity(text.len() + 2);
        quoted.push(b'"');
        for &byte in text {
            if matches!(byte, b'"' | b'\\' | b'\r' | b'\n') {
                quoted.push(b'\\');
            }
            quoted.push(byte);
        }
        quoted.push(b'"');
        return Some(quoted);
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let words: Vec<&[u8]> = text.split(is_blank).filter(|word| !word.is_empty()).collect();
    (!words.is_empty()).then(|| words.join(&b' '))
}

/// ASCII text as the inside of a comment: parentheses balanced, no backslash at the end.
///
/// `None` when there is nothing visible.
pub fn ascii_comment(text: &[u8]) -> Option<Vec<u8>> {
    let mut comment = Vec::with_capacity(text.len());
    let mut depth = 0usize;
    let mut input = text.iter();
    while let Some(&byte) = input.next() {
        match byte {
            b'\\' => {
                if let Some(&next) = input.next() {
                    comment.extend_from_slice(&[byte, next]);
                }
                continue;
            }
            b'(' => depth += 1,
            b')' if depth == 0 => continue,
            b')' => depth -= 1,
            _ => {}
        }
        comment.push(byte);
    }
    comment.resize(comment.len() + depth, b')');
    (!comment.iter().all(|&byte| bytes::is_space(byte))).then_some(comment)
}

/// Each run of control characters and blanks as one blank, none at either end; `None` when nothing is left.
pub fn clean_control_and_space(text: &[u8]) -> Option<Vec<u8>> {
    let is_gap = |byte: &u8| byte.is_ascii_control() || *byte == b' ';
    let words: Vec<&[u8]> = text.split(is_gap).filter(|word| !word.is_empty()).collect();
    (!words.is_empty()).then(|| words.join(&b' '))
}

/// Text from outside that is put into a comment of our own header (a login name, a certificate's name): unprintable
/// characters, backslashes and unopened closing parentheses become `?`, unclosed ones are closed.
pub fn sanitize_comment(text: &[u8]) -> Vec<u8> {
    let mut comment = Vec::with_capacity(text.len());
    let mut depth = 0usize;
    for &byte in text {
        let is_printable = byte == b' ' || byte.is_ascii_graphic();
        comment.push(match byte {
            b'(' => {
                depth += 1;
                byte
            }
            b')' if depth > 0 => {
                depth -= 1;
                byte
            }
            b')' | b'\\' => b'?',
            _ if is_printable => byte,
            _ => b'?',
        });
    }
    comment.resize(comment.len() + depth, b')');
    comment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases() {
        assert_eq!(ascii_phrase(b"Joe  User").unwrap(), b"Joe User");
        assert_eq!(ascii_phrase(b"Joe \"X\" User").unwrap(), b"\"Joe \\\"X\\\" User\"");
        assert_eq!(ascii_phrase(b"  "), None);
    }

    #[test]
    fn comments() {
        assert_eq!(ascii_comment(b")foo (bar\\").unwrap(), b"foo (bar)");
        assert_eq!(sanitize_comment(b"a)\\(\x01\xe9"), b"a??(??)");
    }
}
