//! What a command answered, and how answers travel from the namespaces to here: as text, each in a frame.

use std::fmt;
use std::process::Output;

use crate::Answers;

/// Before each answer.
const FRAME: char = '\u{1e}';
/// Between the parts of an answer.
const PART: char = '\u{1f}';

/// Output, errors and exit status of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) output: Vec<String>,
    /// Sorted: warnings about names come in the order of a hash table.
    pub(crate) errors: Vec<String>,
    pub(crate) status: i32,
}

impl Answer {
    /// Lines only in the other (`-`) and only in this (`+`).
    pub(crate) fn difference(&self, other: &Answer) -> Option<String> {
        if self == other {
            return None;
        }
        let mut text = harness::difference(&other.output, &self.output);
        text += &harness::difference(&other.errors, &self.errors);
        if self.status != other.status {
            text += &format!("- status {}\n+ status {}\n", other.status, self.status);
        }
        // What is the same can be long.
        Some(
            text.lines()
                .filter(|line| !line.starts_with("  "))
                .take(40)
                .map(|line| format!("{line}\n"))
                .collect(),
        )
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.output.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        self.errors.iter().try_for_each(|line| writeln!(f, "stderr: {line}"))?;
        writeln!(f, "status: {}", self.status)
    }
}

/// Writes an answer for [`parse`].
pub(crate) fn frame(configuration: &str, command: &str, output: &Output) -> String {
    let status = output.status.code().unwrap_or(-1);
    let (out, errors) = (visible(&output.stdout), visible(&output.stderr));
    format!("{FRAME}{configuration}{PART}{command}{PART}{status}{PART}{out}{PART}{errors}")
}

/// Reads what [`frame`] wrote.
pub(crate) fn parse(text: &str) -> Answers {
    let mut answers = Answers::new();
    for frame in text.split(FRAME).skip(1) {
        let parts: Vec<&str> = frame.split(PART).collect();
        let [configuration, command, status, output, errors] = parts[..] else { panic!("a frame: {frame}") };
        let lines = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
        let mut answer = Answer {
            output: lines(output),
            errors: lines(errors),
            status: status.parse().expect("a status"),
        };
        answer.errors.sort();
        answers.insert((configuration.to_owned(), command.to_owned()), answer);
    }
    answers
}

/// Bytes as text, without loss: those that do not print are shown by number.
fn visible(bytes: &[u8]) -> String {
    let show = |&byte: &u8| match byte {
        b'\n' | b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    bytes.iter().map(show).collect()
}
