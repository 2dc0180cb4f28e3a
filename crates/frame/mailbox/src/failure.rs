//! Why a delivery did not work, and what that means.

use std::io;

use dsn::{Dsn, Status, sys_exits};
use nix::libc;

use crate::rights::NotPermitted;

/// Why a delivery did not work.
#[derive(Debug)]
pub enum Failure {
    /// The queue file is damaged. [`mark_corrupt`](crate::mark_corrupt) was called or is to be; nobody is told, since
    /// the queue manager puts the message aside.
    Corrupt,
    /// Something else.
    Failed(Failed),
}

/// A status and its text, for the delivery line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What to report.
    pub dsn: Box<Dsn>,
    /// The system's error number behind it.
    pub errno: Option<i32>,
}

impl Failed {
    /// A failure that is not about a system call.
    pub fn new(status: Status, reason: impl Into<Vec<u8>>) -> Self {
        Self { dsn: Box::new(Dsn::new(status, reason)), errno: None }
    }

    /// A failed system call.
    pub fn system(default: Status, what: &str, error: &io::Error) -> Self {
        let dsn = Dsn::new(mailbox_status(error, default), format!("{what}: {}", sys::reason(error)));
        Self { dsn: Box::new(dsn), errno: error.raw_os_error() }
    }

    /// A copy that could not be written to its end.
    pub fn writing(error: &io::Error) -> Self {
        Self::copying(mailbox_status(error, Status::new("5.3.0")), "error writing message", error)
    }

    /// A queue file that could not be read to its end.
    pub fn reading(error: &io::Error) -> Self {
        let again = matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ESTALE));
        let status = Status::new(if again { "4.3.0" } else { "5.3.0" });
        Self::copying(status, "error reading message", error)
    }

    /// The same with a text in front.
    #[must_use]
    pub fn prefixed(mut self, text: impl AsRef<[u8]>) -> Self {
        self.dsn.reason = [text.as_ref(), &self.dsn.reason].concat();
        self
    }

    fn copying(status: Status, what: &str, error: &io::Error) -> Self {
        let dsn = Dsn::new(status, format!("{what}: {}", sys::reason(error)));
        let text = sys_exits::detail(74).map_or("input/output error", |(_, text)| text);
        Self { dsn: Box::new(dsn.diagnostic("x-unix", text)), errno: error.raw_os_error() }
    }
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl From<NotPermitted> for Failure {
    fn from(refusal: NotPermitted) -> Self {
        Self::Failed(refusal.into())
    }
}

impl From<NotPermitted> for Failed {
    fn from(refusal: NotPermitted) -> Self {
        Self::new(Status::new("4.3.0"), refusal.to_string())
    }
}

/// What a system error means for a mailbox: busy and full disks pass, full mailboxes do not, the rest is as `default`.
pub fn mailbox_status(error: &io::Error, default: Status) -> Status {
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::ESTALE) => Status::new("4.2.0"),
        Some(libc::ENOSPC) => Status::new("4.3.0"),
        Some(libc::EDQUOT | libc::EFBIG) => Status::new("5.2.2"),
        _ => default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_mailboxes_bounce_and_full_disks_do_not() {
        let full = io::Error::from_raw_os_error(libc::EFBIG);
        let failed = Failed::writing(&full).prefixed("cannot update mailbox /x for user u. ");
        assert_eq!(failed.dsn.status, Status::new("5.2.2"));
        assert_eq!(
            failed.dsn.reason,
            b"cannot update mailbox /x for user u. error writing message: File too large"
        );
        assert_eq!(
            (failed.dsn.dtype.as_str(), failed.dsn.dtext.as_slice()),
            ("x-unix", &b"input/output error"[..])
        );
        let disk = io::Error::from_raw_os_error(libc::ENOSPC);
        assert_eq!(mailbox_status(&disk, Status::new("5.2.0")), Status::new("4.3.0"));
    }
}
