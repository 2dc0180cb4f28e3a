//! Logical lines, as main.cf, master.cf and lookup table sources have them.

use crate::Error;

/// A logical line: a line and the lines after it that begin with white space, without their line ends.
#[derive(Debug, PartialEq, Eq)]
pub struct LogicalLine {
    /// The text.
    pub text: Vec<u8>,
    /// Number of the first line.
    pub first: usize,
    /// Number of the last line.
    pub last: usize,
}

/// Reads the logical lines of a text. Empty lines, blank lines and lines whose first character is `#` do not count,
/// also between a line and its continuation.
#[derive(Debug)]
pub struct LogicalLines<'a> {
    path: &'a str,
    rest: &'a [u8],
    line: usize,
}

impl<'a> LogicalLines<'a> {
    /// The logical lines of `text`; `path` is for warnings.
    pub fn new(path: &'a str, text: &'a [u8]) -> Self {
        LogicalLines { path, rest: text, line: 0 }
    }
}

impl Iterator for LogicalLines<'_> {
    type Item = LogicalLine;

    fn next(&mut self) -> Option<LogicalLine> {
        let mut text: Vec<u8> = Vec::new();
        let mut first = self.line + 1;
        let mut has_null = false;
        while !self.rest.is_empty() {
            let (line, rest) = match self.rest.iter().position(|&byte| byte == b'\n') {
                Some(end) => (self.rest.get(..end)?, self.rest.get(end + 1..)?),
                None => (self.rest, &b""[..]),
            };
            self.rest = rest;
            self.line += 1;
            if text.is_empty() {
                first = self.line;
            }
            has_null |= line.contains(&0);
            if !matches!(line.iter().find(|byte| !is_space(**byte)), None | Some(b'#')) {
                text.extend_from_slice(line);
            }
            if !text.is_empty() && !rest.first().is_some_and(|&byte| byte == b'#' || is_space(byte)) {
                break;
            }
        }
        if has_null {
            let lines = if first == self.line { first.to_string() } else { format!("{first}-{}", self.line) };
            log::warning!("{}, line {lines}: text after null byte may be ignored", self.path);
        }
        if text.first().is_some_and(|&byte| is_space(byte)) {
            let start = String::from_utf8_lossy(text.get(..30).unwrap_or(&text));
            let dots = if text.len() > 30 { "..." } else { "" };
            log::warning!("{}: logical line must not start with whitespace: \"{start}{dots}\"", self.path);
            return self.next();
        }
        (!text.is_empty()).then_some(LogicalLine { text, first, last: self.line })
    }
}

/// Splits `name = value`; an error says what is missing, in Postfix's words.
pub fn split_name_value(text: &str) -> Result<(&str, &str), &'static str> {
    let text = text.trim_start_matches(SPACE);
    if text.is_empty() || text.starts_with('=') {
        return Err("missing attribute name");
    }
    let end = text.find(|char| SPACE.contains(&char) || char == '=').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match rest.trim_start_matches(SPACE).strip_prefix('=') {
        Some(value) => Ok((name, value.trim_matches(SPACE))),
        None => Err("missing '=' after attribute name"),
    }
}

/// The elements of a list in which `{ }` may hold one together, such as `import_environment`; an error names the
/// parameter.
pub fn split_list(name: &str, text: &str) -> Result<Vec<String>, Error> {
    let element = |text| match in_braces(text) {
        (text, None) => Ok(text.to_owned()),
        (_, Some(problem)) => Err(Error::Value(format!("{name}: {problem}"))),
    };
    bytes::list::split_braced(text, bytes::list::SEPARATORS).map(element).collect()
}

/// The text inside `{ }`, without the blanks at its ends; text that does not begin with `{` stays as it is.
///
/// Beside it what is wrong, in Postfix's words; the text is then what can be made of it.
pub fn in_braces(text: &str) -> (&str, Option<String>) {
    let Some(inner) = text.strip_prefix('{') else { return (text, None) };
    let mut level = 1usize;
    let end = inner.find(|char| {
        match char {
            '{' => level += 1,
            '}' => level -= 1,
            _ => {}
        }
        level == 0
    });
    let (inner, problem) = match end {
        None => (inner, Some(format!("missing '}}' in \"{text}\""))),
        Some(end) => {
            let (inner, rest) = inner.split_at(end);
            (inner, (rest != "}").then(|| format!("syntax error after '}}' in \"{text}\"")))
        }
    };
    (inner.trim_matches(SPACE), problem)
}

/// What separates the fields of master.cf.
pub const BLANKS: &str = " \t\r\n";

/// White space as isspace(3) has it.
pub(crate) const SPACE: &[char] = &[' ', '\t', '\n', '\r', '\x0b', '\x0c'];

fn is_space(byte: u8) -> bool {
    SPACE.contains(&char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_value() {
        assert_eq!(split_name_value(" a = b c "), Ok(("a", "b c")));
        assert_eq!(split_name_value("a="), Ok(("a", "")));
        assert_eq!(split_name_value("= b"), Err("missing attribute name"));
        assert_eq!(split_name_value("a b = c"), Err("missing '=' after attribute name"));
    }

    #[test]
    fn conformance_of_lists() {
        let read = crate::testing::conformance;
        let (Some(input), Some(want)) = (read("text/mail_parm_split.in"), read("text/mail_parm_split.ref"))
        else {
            return;
        };
        let mut got = String::new();
        for line in input.lines() {
            got += &format!("Input:\t>{line}<\n");
            let elements: Vec<_> =
                bytes::list::split_braced(line, bytes::list::SEPARATORS).map(in_braces).collect();
            for problem in elements.iter().filter_map(|(_, problem)| problem.as_ref()) {
                got += &format!("unknown: warning: stdin: {problem}\n");
            }
            elements.iter().for_each(|(text, _)| got += &format!("Output:\t>{text}<\n"));
        }
        assert_eq!(got, want);
        let error = split_list("import_environment", "TZ { A=b").unwrap_err().to_string();
        assert_eq!(error, "import_environment: missing '}' in \"{ A=b\"");
    }

    /// The vectors of Postfix's own test, where the conformance data are at hand.
    #[test]
    fn conformance_of_logical_lines() {
        let Some(text) = crate::testing::conformance("text/readlline.toml") else { return };
        let mut count = 0;
        for vector in crate::testing::vectors(&text) {
            let input = vector["input"].as_bytes();
            let mut lines = LogicalLines::new("memory buffer", input);
            let line = lines.next();
            let name = &vector["name"];
            match line {
                Some(line) => {
                    assert_eq!(line.text, vector["want"].as_bytes(), "{name}");
                    assert_eq!(line.first.to_string(), vector["want_first_line"], "{name}");
                    assert_eq!(line.last.to_string(), vector["want_last_line"], "{name}");
                }
                None => assert_eq!(vector["want"], "", "{name}"),
            }
            count += 1;
        }
        assert!(count > 10);
    }
}
