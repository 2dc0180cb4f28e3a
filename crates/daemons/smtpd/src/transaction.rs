//! What belongs to one mail transaction.

use crate::outgoing::Outgoing;
use ipc::cleanup::Status;
use std::time::SystemTime;

/// State from MAIL to the end of the message.
pub(crate) struct Transaction {
    /// `8bit` or `7bit`, from BODY=.
    pub(crate) encoding: Option<&'static str>,
    /// RET=, 0 when absent.
    pub(crate) ret: u32,
    /// ENVID=, decoded.
    pub(crate) envid: Option<Vec<u8>>,
    /// XVERP delimiters.
    pub(crate) verp: Option<Vec<u8>>,
    /// AUTH=, as received.
    pub(crate) sasl_sender: Option<String>,
    /// SIZE=.
    pub(crate) announced_size: i64,
    /// Content bytes so far.
    pub(crate) received_size: i64,
    /// Cleanup status bits found here.
    pub(crate) error: Status,
    /// When MAIL came.
    pub(crate) arrival: SystemTime,
    /// Connects the requests that a policy server sees.
    pub(crate) instance: String,
    /// The message on its way to the queue.
    pub(crate) intake: Option<Outgoing>,
    /// Its queue id; outlives `intake`.
    pub(crate) queue_id: Option<String>,
}

impl Default for Transaction {
    fn default() -> Self {
        Transaction {
            encoding: None,
            ret: 0,
            envid: None,
            verp: None,
            sasl_sender: None,
            announced_size: 0,
            received_size: 0,
            error: Status::OK,
            arrival: SystemTime::UNIX_EPOCH,
            instance: String::new(),
            intake: None,
            queue_id: None,
        }
    }
}

/// Actions of access tables that take effect when the message is queued.
#[derive(Debug, Default)]
pub(crate) struct Actions {
    pub(crate) filter: Option<String>,
    pub(crate) redirect: Option<String>,
    pub(crate) bcc: Vec<String>,
    /// Cleanup flags: hold, discard.
    pub(crate) flags: u32,
    pub(crate) prepend: Vec<String>,
}
