//! Delivery status: what happened to a recipient, as RFC 3463 codes and text, and what notices the sender asked for.
//!
//! [`Dsn`] is the value every delivery ends with; code, action and text stay apart all the way to the log line and the
//! report. [`sys_exits`] gives the meaning of a command's exit status, [`notify`] and [`ret`] the sender's requests by
//! RFC 3461. The crate is pure data and trusts no text: [`Dsn::with_text`] finds the code inside a reply, or invents none.

pub mod notify;
mod status;
pub mod sys_exits;

pub use status::{Status, enhanced_status, split_status};

/// The outcome of a delivery to one recipient, or to a whole hop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dsn {
    /// RFC 3463 code, such as `5.1.1`.
    pub status: Status,
    /// RFC 3464 action: `failed`, `delayed`, `delivered`, `relayed`, `expanded`; empty: the place where it is used decides.
    pub action: String,
    /// For people: the reason in a log line and a report.
    pub reason: Vec<u8>,
    /// Diagnostic type, such as `smtp` or `x-unix`; empty when there is no diagnostic.
    pub dtype: String,
    /// Diagnostic text, such as a remote server's reply.
    pub dtext: Vec<u8>,
    /// Kind of the remote system's name, such as `dns`; empty when there is none.
    pub mtype: String,
    /// The remote system's name.
    pub mname: Vec<u8>,
}

impl Dsn {
    /// A status with its reason.
    pub fn new(status: Status, reason: impl Into<Vec<u8>>) -> Self {
        Self { status, reason: reason.into(), ..Self::default() }
    }

    /// A status from a text that may begin with a code of its own, as table results and commands' output do.
    ///
    /// `default` is used when it does not.
    pub fn with_text(default: Status, text: &[u8]) -> Self {
        let (status, reason) = split_status(default, text);
        Self::new(status, reason)
    }

    /// The same outcome with another action.
    #[must_use]
    pub fn action(mut self, action: &str) -> Self {
        self.action = action.to_owned();
        self
    }

    /// The same outcome with a diagnostic.
    #[must_use]
    pub fn diagnostic(mut self, dtype: &str, dtext: impl Into<Vec<u8>>) -> Self {
        self.dtype = dtype.to_owned();
        self.dtext = dtext.into();
        self
    }

    /// The same outcome with the remote system that reported it.
    #[must_use]
    pub fn remote(mut self, mtype: &str, mname: impl Into<Vec<u8>>) -> Self {
        self.mtype = mtype.to_owned();
        self.mname = mname.into();
        self
    }
}

/// What the sender wants returned with a failure report (RFC 3461 RET).
pub mod ret {
    /// The whole message.
    pub const FULL: u32 = 1;
    /// Only its headers.
    pub const HDRS: u32 = 2;

    /// The mask of a RET parameter's value.
    pub fn parse(text: &[u8]) -> Option<u32> {
        match text.to_ascii_uppercase().as_slice() {
            b"FULL" => Some(FULL),
            b"HDRS" => Some(HDRS),
            _ => None,
        }
    }
}
