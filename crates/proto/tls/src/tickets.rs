//! Session tickets (RFC 5077, RFC 8446 section 4.6.1).

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;

/// Where a server's ticket keys come from.
#[derive(Clone, Debug, Default)]
pub enum Tickets {
    /// No tickets: every session is a full handshake.
    Off,
    /// Keys of this process alone.
    #[default]
    Process,
    /// Keys from elsewhere, such as tlsmgr, so that any process can resume.
    External(Arc<dyn ProducesTickets>),
}

impl Tickets {
    pub(crate) fn producer(&self) -> Option<Arc<dyn ProducesTickets>> {
        match self {
            Self::Off => None,
            Self::Process => Ticketer::new().ok(),
            Self::External(producer) => Some(Arc::clone(producer)),
        }
    }
}
