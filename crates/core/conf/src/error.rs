//! What can be wrong with the configuration, in Postfix's words.

use std::io;

/// A configuration error; its text is what Postfix logs after `fatal: `.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that cannot be opened.
    #[error("open {path}: {}", reason(.source))]
    Open {
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The default main.cf, which decides about other directories, cannot be opened.
    #[error("open file {path}: {}", reason(.source))]
    OpenFile {
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A file that cannot be read.
    #[error("read {path}: {}", reason(.source))]
    Read {
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A line of main.cf that is not `name = value`.
    #[error("{path}, line {line}: {problem}: \"{text}\"")]
    Syntax {
        /// The file.
        path: String,
        /// Where the logical line begins.
        line: usize,
        /// What is wrong.
        problem: &'static str,
        /// The logical line.
        text: String,
    },
    /// `$name` expressions that cannot be expanded; the details were logged as warnings.
    #[error("dictionary mail_dict: macro processing error")]
    Expansion {
        /// The details.
        warnings: Vec<String>,
    },
    /// Anything with one value whose text says it all.
    #[error("{0}")]
    Value(String),
}

pub use sys::reason;
