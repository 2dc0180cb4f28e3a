//! Why a table gave no answer.

/// A failed request. The text that Postfix logs has been logged where the failure was found; the caller decides what
/// the failure means (mail is deferred, a client is told to try again, a tool ends).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The table cannot answer now.
    #[error("table {table}: request failed, try again later")]
    Retry {
        /// `type:name` of the table.
        table: String,
    },
    /// The table answered with something that its contents must not hold.
    #[error("table {table}: configuration error")]
    Config {
        /// `type:name` of the table.
        table: String,
    },
    /// The table type has no such operation.
    #[error("table {table}: {operation} operation is not supported")]
    Unsupported {
        /// `type:name` of the table.
        table: String,
        /// `lookup`, `update`, `delete`, or `sequence`.
        operation: &'static str,
    },
    /// The table's file is damaged or cannot be accessed. The text is complete.
    #[error("{0}")]
    Fault(String),
}

impl Error {
    /// A table that cannot answer now.
    pub fn retry(table: impl Into<String>) -> Self {
        Self::Retry { table: table.into() }
    }

    /// A table with contents that cannot be used.
    pub fn config(table: impl Into<String>) -> Self {
        Self::Config { table: table.into() }
    }

    /// Whether the contents are at fault, rather than the moment.
    pub fn is_config(&self) -> bool {
        matches!(self, Self::Config { .. })
    }
}
