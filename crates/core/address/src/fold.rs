//! Case folding for comparison and table keys (Unicode default case folding).

use std::cmp::Ordering;

/// Which part of an address is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldPart {
    /// What follows the last `@`.
    Host,
    /// What precedes the last `@`, or all when there is none.
    User,
    /// Both.
    All,
}

/// Folds text: UTF-8 by Unicode's full case folding (`ß` becomes `ss`), bytes that are not UTF-8
/// stay as they are.
pub fn casefold(text: &[u8]) -> Vec<u8> {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut out = Vec::with_capacity(text.len() + 8);
    for chunk in text.utf8_chunks() {
        for ch in chunk.valid().chars() {
            fold_char(ch, &mut out);
        }
        out.extend_from_slice(chunk.invalid());
    }
    out
}

/// [`casefold`] for text that is known to be UTF-8.
pub fn casefold_str(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let folded = casefold(text.as_bytes());
    String::from_utf8(folded).unwrap_or_else(|_| text.to_ascii_lowercase())
}

/// Whether two texts are the same but for case.
pub fn eq_fold(left: &[u8], right: &[u8]) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    casefold(left) == casefold(right)
}

/// Orders two texts without regard to case.
pub fn cmp_fold(left: &[u8], right: &[u8]) -> Ordering {
    casefold(left).cmp(&casefold(right))
}

/// Folds part of an address in internal form.
pub fn fold_address(address: &[u8], part: FoldPart) -> Vec<u8> {
    let (local, domain) = crate::split_at_domain(address);
    match (part, domain) {
        (FoldPart::Host, None) => address.to_vec(),
        (FoldPart::Host, Some(domain)) => [local, b"@", &casefold(domain)].concat(),
        (FoldPart::User, Some(_)) => [&casefold(local), &address[local.len()..]].concat(),
        (FoldPart::All, _) | (FoldPart::User, None) => casefold(address),
    }
}

/// Lower case of upper case is the folding of a character, with a few exceptions.
fn fold_char(ch: char, out: &mut Vec<u8>) {
    match ch {
        'ı' | '\u{13a0}'..='\u{13f5}' => push(ch, out),
        'ẞ' => out.extend_from_slice(b"ss"),
        // Cherokee folds to upper case.
        '\u{13f8}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => {
            ch.to_uppercase().for_each(|upper| push(upper, out));
        }
        _ => ch.to_uppercase().flat_map(char::to_lowercase).for_each(|lower| push(lower, out)),
    }
}

fn push(ch: char, out: &mut Vec<u8>) {
    out.extend_from_slice(ch.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_is_not_lowercasing() {
        let fold = |text: &str| casefold_str(text);
        assert_eq!(fold("Straße ẞ"), "strasse ss");
        assert_eq!(fold("Δημοσθένους"), "δημοσθένουσ");
        assert_eq!(fold("ı İ K"), "ı i\u{307} k");
        assert_eq!(fold("ᾈ ᾀ ŉ ﬆ"), "ἀι ἀι ʼn st");
        assert_eq!(fold("Ꭰ ꭰ"), "Ꭰ Ꭰ");
        assert_eq!(casefold(b"ABC\xff\xc3\x84"), b"abc\xff\xc3\xa4");
    }
}
