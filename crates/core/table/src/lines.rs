//! Logical lines of a table's text: comments and blank lines removed, indented lines joined to the one before.

/// Reads the logical lines of a text.
pub(crate) struct Lines<'a> {
    /// The file name for messages.
    label: &'a str,
    rest: &'a [u8],
    number: usize,
}

/// A logical line.
pub(crate) struct Line {
    /// Its text, without line ends; not empty.
    pub(crate) text: Vec<u8>,
    /// The number of its first physical line.
    pub(crate) number: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(label: &'a str, text: &'a [u8]) -> Self {
        Self { label, rest: text, number: 0 }
    }

    fn physical(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        match bytes::split_once(self.rest, b'\n') {
            Some((line, rest)) => {
                self.rest = rest;
                Some(line)
            }
            None => Some(std::mem::take(&mut self.rest)),
        }
    }

    fn logical(&mut self) -> Option<Line> {
        let mut text = Vec::new();
        let mut first = self.number;
        let mut has_nul = false;
        while let Some(line) = self.physical() {
            if text.is_empty() {
                first = self.number;
            }
            has_nul |= line.contains(&0);
            let start = bytes::trim_start(line);
            if !start.is_empty() && !start.starts_with(b"#") {
                text.extend_from_slice(line);
            }
            let continues = |byte: &u8| *byte == b'#' || bytes::is_space(*byte);
            if !text.is_empty() && !self.rest.first().is_some_and(continues) {
                break;
            }
        }
        if has_nul {
            self.warn_nul(first);
            // COMPAT: what follows a NUL does not exist for programs that see C strings.
            let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
            text.truncate(end);
        }
        (!text.is_empty()).then_some(Line { text, number: first })
    }

    fn warn_nul(&self, first: usize) {
        let (label, last) = (self.label, self.number);
        if first == last {
            log::warning!("{label}, line {last}: text after null byte may be ignored");
        } else {
            log::warning!("{label}, line {first}-{last}: text after null byte may be ignored");
        }
    }
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            let line = self.logical()?;
            if !line.text.first().is_some_and(|&byte| bytes::is_space(byte)) {
                return Some(line);
            }
            let (shown, more) =
                (bytes::show_limited(&line.text, 30), if line.text.len() > 30 { "..." } else { "" });
            log::warning!("{}: logical line must not start with whitespace: \"{shown}{more}\"", self.label);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_and_counts() {
        let text = b"# c\n\na b\n  c\n# x\n d\ne f\n\n";
        let lines: Vec<_> = Lines::new("t", text).map(|line| (line.number, line.text)).collect();
        assert_eq!(lines, [(3, b"a b  c d".to_vec()), (7, b"e f".to_vec())]);
    }
}
