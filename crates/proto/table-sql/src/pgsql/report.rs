//! Errors of the server, in the words of PostgreSQL's own library.

use std::fmt::Write;

/// How many characters of a query are shown.
const SHOWN: usize = 60;
/// How many of them follow the place of the error.
const AFTER: usize = 10;

/// What the server says is wrong.
#[derive(Clone, Default, Debug)]
pub(crate) struct Report {
    pub(crate) severity: String,
    pub(crate) code: String,
    message: String,
    detail: String,
    hint: String,
    /// Where in the query, counted in characters from 1.
    position: Option<usize>,
    internal_position: Option<usize>,
    internal_query: String,
    context: String,
}

impl Report {
    /// Reads the body of a message.
    pub(crate) fn read(body: &[u8]) -> Self {
        let mut report = Self::default();
        for field in body.split(|&byte| byte == 0) {
            let Some((&kind, text)) = field.split_first() else { continue };
            let text = String::from_utf8_lossy(text).into_owned();
            match kind {
                b'S' => report.severity = text,
                b'C' => report.code = text,
                b'M' => report.message = text,
                b'D' => report.detail = text,
                b'H' => report.hint = text,
                b'P' => report.position = text.parse().ok(),
                b'p' => report.internal_position = text.parse().ok(),
                b'q' => report.internal_query = text,
                b'W' => report.context = text,
                _ => {}
            }
        }
        report
    }

    /// Whether the server ends the connection.
    pub(crate) fn is_fatal(&self) -> bool {
        self.severity != "ERROR"
    }

    /// All of it, as lines.
    pub(crate) fn text(&self, query: &str) -> String {
        let mut text = format!("{}:  {}\n", self.severity, self.message);
        match (self.position, self.internal_position) {
            (Some(position), _) if !query.is_empty() => show_position(&mut text, query, position),
            (_, Some(position)) if !self.internal_query.is_empty() => {
                show_position(&mut text, &self.internal_query, position);
            }
            _ => {}
        }
        for (name, field) in [
            ("DETAIL", &self.detail),
            ("HINT", &self.hint),
            ("QUERY", &self.internal_query),
            ("CONTEXT", &self.context),
        ] {
            if !field.is_empty() {
                text.push_str(&format!("{name}:  {field}\n"));
            }
        }
        text
    }
}

/// Appends the line of the query that an error is in, and below it a mark.
fn show_position(text: &mut String, query: &str, position: usize) {
    let chars: Vec<char> = query.chars().collect();
    let at = position.saturating_sub(1).min(chars.len());
    let before = chars.get(..at).unwrap_or_default();
    let number = before.iter().filter(|&&char| char == '\n').count() + 1;
    let mut start = before.iter().rposition(|&char| char == '\n').map_or(0, |newline| newline + 1);
    let rest = chars.get(at..).unwrap_or_default();
    let mut end = rest.iter().position(|&char| char == '\n').map_or(chars.len(), |newline| at + newline);
    let (mut cut_before, mut cut_after) = ("", "");
    if end - start > SHOWN {
        if start + SHOWN < at + AFTER {
            if at + AFTER < end {
                end = at + AFTER;
                cut_after = "...";
            }
            if end - start > SHOWN {
                start = end - SHOWN;
                cut_before = "...";
            }
        } else {
            end = start + SHOWN;
            cut_after = "...";
        }
    }
    let line: String = chars.get(start..end).unwrap_or_default().iter().collect();
    let head = format!("LINE {number}: {cut_before}");
    let width = head.len() + at - start;
    let line = line.replace('\t', " ");
    let _infallible = write!(text, "{head}{line}{cut_after}\n{:width$}^\n", "");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(body: &str) -> Report {
        Report::read(body.replace('|', "\0").as_bytes())
    }

    #[test]
    fn texts() {
        let fatal = report("SFATAL|VFATAL|C28P01|Mpassword authentication failed for user \"x\"|Fauth.c|");
        assert!(fatal.is_fatal());
        assert_eq!(fatal.text(""), "FATAL:  password authentication failed for user \"x\"\n");
        let error = report("SERROR|C42703|Mcolumn \"y\" does not exist|P8|HTry x.|");
        assert!(!error.is_fatal());
        assert_eq!(
            error.text("SELECT y FROM t"),
            "ERROR:  column \"y\" does not exist\nLINE 1: SELECT y FROM t\n               ^\nHINT:  Try x.\n"
        );
    }

    /// As psql(1) shows them.
    #[test]
    fn long_queries() {
        let place = |query: &str, position: usize| {
            let mut text = String::new();
            show_position(&mut text, query, position);
            text
        };
        let long = "0123456789".repeat(10);
        assert_eq!(place(&long, 1), format!("LINE 1: {}...\n        ^\n", &long[..60]));
        assert_eq!(place(&long, 70), format!("LINE 1: ...{}...\n{:61}^\n", &long[19..79], ""));
        assert_eq!(place("a\nbc\nd", 4), "LINE 2: bc\n         ^\n");
        assert_eq!(place("ab", 3), "LINE 1: ab\n          ^\n");
    }
}
