//! Message content on the wire: CRLF, doubled dots, long lines broken.

use message::Ending;

/// Writes records of message content as lines of an SMTP DATA phase.
#[derive(Clone, Debug)]
pub struct ContentWriter {
    limit: usize,
    left: usize,
    last: Ending,
    broken: bool,
}

impl ContentWriter {
    /// `limit` is `smtp_line_length_limit`: longer lines are broken by CRLF and a blank; 0 means no limit.
    pub fn new(limit: usize) -> Self {
        let limit = if limit == 0 { usize::MAX } else { limit };
        Self { limit, left: limit, last: Ending::Line, broken: false }
    }

    /// Appends a record to `out`.
    pub fn record(&mut self, ending: Ending, text: &[u8], out: &mut Vec<u8>) {
        let mut rest = text;
        loop {
            if self.left == self.limit && rest.first() == Some(&b'.') {
                out.push(b'.');
            }
            if rest.len() < self.left {
                break;
            }
            let (head, tail) = rest.split_at(self.left);
            out.extend_from_slice(head);
            out.extend_from_slice(b"\r\n");
            rest = tail;
            self.left = self.limit;
            if rest.is_empty() && ending == Ending::Line {
                self.last = ending;
                return;
            }
            out.push(b' ');
            self.left -= 1;
            self.broken = true;
            if rest.is_empty() {
                break;
            }
        }
        out.extend_from_slice(rest);
        match ending {
            Ending::Part => self.left -= rest.len(),
            Ending::Line => {
                out.extend_from_slice(b"\r\n");
                self.left = self.limit;
            }
        }
        self.last = ending;
    }

    /// Ends a last line that was not ended.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.last == Ending::Part {
            out.extend_from_slice(b"\r\n");
            self.last = Ending::Line;
        }
    }

    /// Whether a line was broken; true once.
    pub fn take_broken(&mut self) -> bool {
        std::mem::take(&mut self.broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(limit: usize, records: &[(Ending, &str)]) -> String {
        let mut writer = ContentWriter::new(limit);
        let mut out = Vec::new();
        for (ending, text) in records {
            writer.record(*ending, text.as_bytes(), &mut out);
        }
        writer.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dots_at_the_start_of_lines_only() {
        use Ending::{Line, Part};
        assert_eq!(write(998, &[(Line, "."), (Line, "a.b"), (Line, "")]), "..\r\na.b\r\n\r\n");
        assert_eq!(write(998, &[(Part, "a"), (Line, ".b"), (Part, ".")]), "a.b\r\n..\r\n");
    }

    #[test]
    fn long_lines_are_broken() {
        use Ending::{Line, Part};
        assert_eq!(write(4, &[(Line, "abcdefghij")]), "abcd\r\n efg\r\n hij\r\n");
        assert_eq!(write(4, &[(Line, "abcd")]), "abcd\r\n");
        assert_eq!(write(4, &[(Part, "abcd"), (Line, "e")]), "abcd\r\n e\r\n");
        assert_eq!(write(0, &[(Line, "abcdefghij")]), "abcdefghij\r\n");
    }

    proptest::proptest! {
        #[test]
        fn what_arrives_is_what_was_sent(lines in proptest::collection::vec("[.a]{0,12}", 0..20)) {
            let records: Vec<_> = lines.iter().map(|line| (Ending::Line, line.as_str())).collect();
            let wire = write(998, &records);
            let undotted: Vec<&str> = wire.split_terminator("\r\n").map(|line| line.strip_prefix('.').unwrap_or(line)).collect();
            proptest::prop_assert_eq!(undotted, lines);
            proptest::prop_assert!(!wire.contains("\r\n.\r\n") && !wire.starts_with(".\r\n"));
        }
    }
}
