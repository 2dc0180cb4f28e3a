//! Walks through the lines of a file; comments and blank lines go to the new file as they are.

/// White space at the start of a line makes it part of the one before.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// The old file's lines, and the new file in the making.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
    /// The new file.
    pub(crate) new: Vec<u8>,
    /// The number of the line last taken.
    pub(crate) number: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(old: &'a [u8]) -> Lines<'a> {
        Lines { rest: old, new: Vec::with_capacity(old.len()), number: 0 }
    }

    /// The next line with content, with its line end.
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        while let Some(line) = self.take() {
            if has_content(&line) {
                return Some(line);
            }
            self.new.extend_from_slice(&line);
        }
        None
    }

    /// The lines with content that continue the one last taken.
    pub(crate) fn continuation(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        while self.rest.first().is_some_and(|&byte| byte == b'#' || is_space(byte)) {
            let Some(line) = self.take() else { break };
            if has_content(&line) {
                text.extend_from_slice(&line);
            } else {
                self.new.extend_from_slice(&line);
            }
        }
        text
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|&byte| byte == b'\n').map_or(self.rest.len(), |at| at + 1);
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.number += 1;
        let mut line = line.to_owned();
        if !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        Some(line)
    }
}

fn has_content(line: &[u8]) -> bool {
    !matches!(line.iter().find(|byte| !is_space(**byte)), None | Some(b'#'))
}
