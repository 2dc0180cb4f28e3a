//! Output: lines with white space normalised and long ones folded, and JSON strings.

use crate::mode::Mode;
use std::io::Write;

/// Lines longer than this are folded where they can be.
pub(crate) const LINE_LIMIT: usize = 80;
/// What a folded line begins with.
pub(crate) const INDENT: &str = "    ";

/// Standard output. It is written at the end, or before a warning about what was shown.
#[derive(Debug, Default)]
pub(crate) struct Output {
    text: String,
}

impl Output {
    /// Adds text as it is.
    pub(crate) fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a line; runs of white space become one blank, or the place where a long line is folded.
    pub(crate) fn line(&mut self, mode: Mode, text: &str) {
        let mut length = 0;
        for word in bytes::list::split(text, conf::lines::BLANKS) {
            if length > 0 {
                if !mode.has(Mode::FOLD) || length + word.len() < LINE_LIMIT {
                    self.text.push(' ');
                    length += 1;
                } else {
                    self.text.push('\n');
                    self.text.push_str(INDENT);
                    length = INDENT.len();
                }
            }
            self.text.push_str(word);
            length += word.len();
        }
        self.text.push('\n');
    }

    /// Adds a line with one JSON object of one member.
    pub(crate) fn json(&mut self, name: &str, value: &str) {
        self.text.push_str(&format!("{{\"{}\": \"{}\"}}\n", json(name), json(value)));
    }

    /// Writes what was added. A reader that went away is none of our business.
    pub(crate) fn flush(&mut self) {
        drop(std::io::stdout().write_all(&bytes::escape::to_bytes(&self.text)));
        self.text.clear();
    }

    /// Takes what was added.
    pub(crate) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}

/// The inside of a JSON string.
pub(crate) fn json(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            char if char.is_ascii_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(char))),
            '\\' | '"' => {
                quoted.push('\\');
                quoted.push(char);
            }
            char => quoted.push(char),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding() {
        let mut fold = Mode::default();
        fold.add('f');
        let mut out = Output::default();
        let word = "x".repeat(40);
        out.line(fold, &format!("a =  {word}\t{word} b"));
        assert_eq!(out.take(), format!("a = {word}\n    {word} b\n"));
        out.line(Mode::default(), &format!("a =  {word}\t{word} b"));
        assert_eq!(out.take(), format!("a = {word} {word} b\n"));
    }

    #[test]
    fn json_strings() {
        let mut out = Output::default();
        out.json("a\"b", "\t\\\u{7f}é");
        assert_eq!(out.take(), "{\"a\\\"b\": \"\\t\\\\\\u007Fé\"}\n");
    }
}
