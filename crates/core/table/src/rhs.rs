//! Values that are file names: the stored value is the files' content in base64.

use std::fs::File;
use std::io::Read;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The content of the named files, joined by newlines, in base64.
pub(crate) fn files_to_base64(names: &str) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    let mut count = 0;
    for name in bytes::list::split(names, bytes::list::SEPARATORS) {
        if count > 0 {
            content.push(b'\n');
        }
        let failed = |what: &str, error| format!("{what} {name}: {}", crate::open::reason(&error));
        let mut file = File::open(name).map_err(|error| failed("open", error))?;
        file.read_to_end(&mut content).map_err(|error| failed("read", error))?;
        count += 1;
    }
    if count == 0 {
        return Err(format!("empty pathname list: >>{names}<<'"));
    }
    Ok(encode(&content))
}

/// As [`files_to_base64`], for names in a table source.
pub(crate) fn files_in_source(names: &[u8]) -> Result<Vec<u8>, String> {
    match std::str::from_utf8(names) {
        Ok(names) => files_to_base64(names),
        Err(_) => Err(format!("open {}: No such file or directory", bytes::show(names))),
    }
}

/// The content behind a base64 value, or Postfix's text about what is wrong with it.
pub(crate) fn content(value: &[u8]) -> Result<Vec<u8>, String> {
    decode(value).ok_or_else(|| format!("malformed BASE64 value: {}", bytes::show_limited(value, 30)))
}

fn encode(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len().div_ceil(3) * 4);
    for group in data.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) & 63;
            let letter = ALPHABET.get(index as usize).copied().unwrap_or(b'=');
            out.push(if place <= group.len() { letter } else { b'=' });
        }
    }
    out
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    if padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for &byte in text.get(..text.len() - padding)? {
        let value = ALPHABET.iter().position(|&letter| letter == byte)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_round_trip() {
        for text in [&b""[..], b"a", b"ab", b"abc", b"abcd", b"\xff\x00\x80"] {
            assert_eq!(decode(&encode(text)).as_deref(), Some(text));
        }
        assert_eq!(encode(b"ab"), b"YWI=");
        assert_eq!(decode(b"YWI"), None);
        assert_eq!(decode(b"Y*I="), None);
    }
}
