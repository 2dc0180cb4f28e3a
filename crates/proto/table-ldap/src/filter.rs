//! Filters of searches, from text (RFC 4515) to what is sent.
//!
//! COMPAT: what is accepted is what OpenLDAP's library accepts: a filter without parentheses, the escapes of RFC 1960,
//! and spaces around. Tests: unit tests, `ldap_as_the_reference`.

use crate::ber::{BOOLEAN, OCTETS, SEQUENCE, Writer};
use crate::code::Code;

const AND: u8 = 0xa0;
const OR: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUALITY: u8 = 0xa3;
const SUBSTRINGS: u8 = 0xa4;
const AT_LEAST: u8 = 0xa5;
const AT_MOST: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const APPROXIMATE: u8 = 0xa8;
const EXTENSIBLE: u8 = 0xa9;

const INITIAL: u8 = 0x80;
const ANY: u8 = 0x81;
const FINAL: u8 = 0x82;

/// How deep filters may be nested.
const DEPTH: usize = 100;

/// Encodes a filter.
pub(crate) fn encode(text: &[u8]) -> Result<Vec<u8>, Code> {
    let mut written = Writer::default();
    let complete = match skip_spaces(text) {
        text @ [b'(', ..] => in_parentheses(text, &mut written, DEPTH)
            .and_then(|after| skip_spaces(after).is_empty().then_some(())),
        text => simple(text, &mut written),
    };
    complete.map(|()| written.finish()).ok_or(Code::FILTER_ERROR)
}

/// Writes the filter at the start of a text, and gives what is after it.
fn in_parentheses<'a>(text: &'a [u8], written: &mut Writer, depth: usize) -> Option<&'a [u8]> {
    let text = skip_spaces(text.strip_prefix(b"(")?);
    let end = closing(text)?;
    let (inside, after) = (text.get(..end)?, text.get(end + 1..)?);
    let depth = depth.checked_sub(1)?;
    match inside {
        [b'&', list @ ..] => nested(AND, list, written, depth)?,
        [b'|', list @ ..] => nested(OR, list, written, depth)?,
        [b'!', list @ ..] => nested(NOT, list, written, depth)?,
        [b'(', ..] => return None,
        item => simple(item, written)?,
    }
    Some(after)
}

/// Writes a list of filters.
fn nested(tag: u8, list: &[u8], written: &mut Writer, depth: usize) -> Option<()> {
    let mut inner = Writer::default();
    let mut rest = skip_spaces(list);
    let mut count = 0;
    while !rest.is_empty() {
        rest = skip_spaces(in_parentheses(rest, &mut inner, depth)?);
        count += 1;
    }
    if tag == NOT && count != 1 {
        return None;
    }
    written.value(tag, &inner.finish());
    Some(())
}

/// Where the parenthesis is that ends what a text begins with.
fn closing(text: &[u8]) -> Option<usize> {
    let (mut open, mut is_escaped) = (1, false);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => {}
            b'(' => open += 1,
            b')' => open -= 1,
            _ => {}
        }
        is_escaped = byte == b'\\' && !is_escaped;
        if open == 0 {
            return Some(at);
        }
    }
    None
}

/// Writes `attribute=value` and its like.
fn simple(text: &[u8], written: &mut Writer) -> Option<()> {
    let (attribute, value) = bytes::split_once(text, b'=')?;
    let (tag, attribute) = match attribute {
        [attribute @ .., b'<'] => (AT_MOST, attribute),
        [attribute @ .., b'>'] => (AT_LEAST, attribute),
        [attribute @ .., b'~'] => (APPROXIMATE, attribute),
        [attribute @ .., b':'] => return extensible(attribute, value, written),
        attribute if value == b"*" => {
            written.value(PRESENT, described(attribute)?);
            return Some(());
        }
        attribute => match wildcards(value)?.as_slice() {
            [_] => (EQUALITY, attribute),
            pieces => return substrings(described(attribute)?, pieces, written),
        },
    };
    let (attribute, value) = (described(attribute)?, unescape(value)?);
    written.nested(tag, |inner| {
        inner.value(OCTETS, attribute);
        inner.value(OCTETS, &value);
    });
    Some(())
}

fn substrings(attribute: &[u8], pieces: &[&[u8]], written: &mut Writer) -> Option<()> {
    let mut list = Writer::default();
    for (at, piece) in pieces.iter().enumerate() {
        let tag = match at {
            0 => INITIAL,
            at if at + 1 == pieces.len() => FINAL,
            _ => ANY,
        };
        if !piece.is_empty() || tag == ANY {
            list.value(tag, &unescape(piece)?);
        }
    }
    written.nested(SUBSTRINGS, |inner| {
        inner.value(OCTETS, attribute);
        inner.value(SEQUENCE, &list.finish());
    });
    Some(())
}

/// Writes `attribute:dn:rule:=value`, of which parts may be missing.
fn extensible(text: &[u8], value: &[u8], written: &mut Writer) -> Option<()> {
    let is_dn = |text: &[u8]| text.eq_ignore_ascii_case(b"dn");
    let (attribute, by_name, rule) = match bytes::split_once(text, b':') {
        None => (text, false, &b""[..]),
        Some((attribute, rest)) => match bytes::split_once(rest, b':') {
            None if is_dn(rest) => (described(attribute)?, true, &b""[..]),
            None => (attribute, false, rest),
            Some((dn, rule)) if is_dn(dn) => (attribute, true, rule),
            Some(_) => return None,
        },
    };
    if attribute.is_empty() && rule.is_empty() {
        return None;
    }
    if !attribute.is_empty() {
        described(attribute)?;
    }
    if !rule.is_empty() && (described(rule)?.contains(&b';')) {
        return None;
    }
    let value = unescape(value)?;
    written.nested(EXTENSIBLE, |inner| {
        if !rule.is_empty() {
            inner.value(0x81, rule);
        }
        if !attribute.is_empty() {
            inner.value(0x82, attribute);
        }
        inner.value(0x83, &value);
        if by_name {
            inner.flag(0x80 | (BOOLEAN + 3), true);
        }
    });
    Some(())
}

/// The text itself, when it describes an attribute: a name or numbers with dots, and options after semicolons.
fn described(text: &[u8]) -> Option<&[u8]> {
    let is_word = |word: &[u8]| word.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let mut parts = text.split(|&byte| byte == b';');
    let name = parts.next()?;
    let is_valid = match name.first()? {
        first if first.is_ascii_alphabetic() => is_word(name),
        _ => {
            name.split(|&byte| byte == b'.').all(|arc| !arc.is_empty() && arc.iter().all(u8::is_ascii_digit))
        }
    };
    (is_valid && parts.all(|option| !option.is_empty() && is_word(option))).then_some(text)
}

/// The pieces of a value between its asterisks.
fn wildcards(value: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut pieces, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(&byte) = value.get(at) {
        match byte {
            b'*' => {
                pieces.push(value.get(start..at)?);
                start = at + 1;
            }
            b'(' | b')' => return None,
            b'\\' => at += escape(value.get(at + 1..)?)?.1,
            _ => {}
        }
        at += 1;
    }
    pieces.push(value.get(start..)?);
    Some(pieces)
}

/// The byte that is meant by what follows a backslash, and the length of that.
fn escape(text: &[u8]) -> Option<(u8, usize)> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match text {
        [high, low, ..] if digit(*high).is_some() && digit(*low).is_some() => {
            Some(((digit(*high)? << 4) | digit(*low)?, 2))
        }
        [byte @ (b'*' | b'(' | b')' | b'\\'), ..] => Some((*byte, 1)),
        _ => None,
    }
}

fn unescape(value: &[u8]) -> Option<Vec<u8>> {
    let (mut plain, mut at) = (Vec::with_capacity(value.len()), 0);
    while let Some(&byte) = value.get(at) {
        at += 1;
        match byte {
            b'*' | b'(' | b')' => return None,
            b'\\' => {
                let (meant, length) = escape(value.get(at..)?)?;
                plain.push(meant);
                at += length;
            }
            _ => plain.push(byte),
        }
    }
    Some(plain)
}

fn skip_spaces(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n')).count();
    text.get(spaces..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Option<String> {
        let encoded = encode(text.as_bytes()).ok()?;
        Some(encoded.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    #[test]
    fn filters() {
        for (text, want) in [
            ("a=b", "a30604016104 0162"),
            ("(a=b)", "a306040161040162"),
            ("( a=b)", "a306040161040162"),
            ("(a=b) ", "a306040161040162"),
            ("(a= b )", "a30804016104032062 20"),
            ("a=", "a3050401610400"),
            ("a=*", "870161"),
            ("(a<=b)", "a606040161040162"),
            ("(a>=b)", "a506040161040162"),
            ("(a~=b)", "a806040161040162"),
            ("(a=b=c)", "a30804016104 03623d63"),
            (r"(a=\2a\28\5C)", "a30804016104032a285c"),
            (r"(a=\*\(\))", "a30804016104032a2829"),
            ("(a=b*)", "a408040161300380 0162"),
            ("(a=*b)", "a4080401613003820162"),
            ("(a=b*c*d)", "a40e0401613009800162810163820164"),
            ("(a=b**d)", "a40d0401613008800162810082 0164"),
            (r"(a=\2a*)", "a408040161300380012a"),
            ("(&(a=b)(c=d))", "a010a306040161040162a306040163040164"),
            ("(& (a=b) (c=d) )", "a010a306040161040162a306040163040164"),
            ("(|(a=b)(!(c=d)))", "a112a306040161040162a208a306040163040164"),
            ("(&)", "a000"),
            ("(a:=b)", "a906820161830162"),
            ("(a:dn:=b)", "a9098201618301628401ff"),
            ("(a:1.2:=b)", "a90b8103312e32820161830162"),
            ("(:dn:1.2:=b)", "a90b8103312e328301628401ff"),
            ("(a;x-y=b)", "a30a0405613b782d79040162"),
            ("(1.2=b)", "a3080403312e32040162"),
        ] {
            assert_eq!(hex(text).as_deref(), Some(want.replace(' ', "").as_str()), "{text}");
        }
    }

    #[test]
    fn no_filters() {
        for text in [
            "",
            "(a=b)garbage",
            "(a=b))(",
            "(a=b)(c=d)",
            "a",
            "()",
            "(a=b",
            "((a=b))",
            "(=b)",
            "(a b=c)",
            "(a;=b)",
            "(1.=b)",
            "(1..2=b)",
            r"(a=\)",
            r"(a=\zz)",
            "(!(a=b)(c=d))",
            "(!)",
            "(&a=b)",
            "(&(a=b)c)",
            "(a<=b*)",
            "(:=b)",
            "(a:b:c:=d)",
            "(:a;b:=c)",
        ] {
            assert_eq!(hex(text), None, "{text}");
        }
        let deep = format!("{}(a=b){}", "(!".repeat(5000), ")".repeat(5000));
        assert_eq!(hex(&deep), None);
    }
}
