//! Keys and values on standard output.

use std::io::{BufWriter, StdoutLock, Write};

use command::{Fatal, fatal};

/// Standard output. What is written leaves at the end of the program, a fatal end included.
pub(crate) struct Output {
    out: BufWriter<StdoutLock<'static>>,
    json: bool,
    separator: &'static str,
}

impl Output {
    pub(crate) fn new(json: bool, separator: &'static str) -> Self {
        Self { out: BufWriter::new(std::io::stdout().lock()), json, separator }
    }

    /// Prints key and value.
    pub(crate) fn pair(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fatal> {
        match self.json {
            true => self.line(&[&json(key, value)]),
            false => self.line(&[key, self.separator.as_bytes(), value]),
        }
    }

    /// Prints the value of a key that the user knows.
    pub(crate) fn value(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fatal> {
        match self.json {
            true => self.line(&[&json(key, value)]),
            false => self.line(&[value]),
        }
    }

    fn line(&mut self, parts: &[&[u8]]) -> Result<(), Fatal> {
        let written = parts.iter().chain([&b"\n".as_slice()]).try_for_each(|part| self.out.write_all(part));
        written.map_err(|error| fatal!("write error on standard output: {error}"))
    }
}

fn json(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut line = b"{\"".to_vec();
    quote(key, &mut line);
    line.extend_from_slice(b"\": \"");
    quote(value, &mut line);
    line.extend_from_slice(b"\"}");
    line
}

/// The text of a JSON string. What is not UTF-8 stays as it is.
fn quote(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x00..=0x1f | 0x7f => out.extend_from_slice(format!("\\u{byte:04X}").as_bytes()),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings() {
        assert_eq!(json(b"a\"b\\\x01\x7f", b"c\n\xff"), b"{\"a\\\"b\\\\\\u0001\\u007F\": \"c\\n\xff\"}");
    }
}
