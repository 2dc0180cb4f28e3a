//! Session tickets (RFC 5077, RFC 8446 section 4.6.1).

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;

use crate::Keyring;

/// Where a server's ticket keys come from.
#[derive(Clone, Debug, Default)]
pub enum Tickets {
    /// No tickets: every session is a full handshake.
    Off,
    /// Keys of this process alone.
    #[default]
    Process,
    /// Keys from tlsmgr, so that any process can resume. Sessions wait for the first of them.
    Keyring(Arc<Keyring>),
    /// Keys from elsewhere.
    External(Arc<dyn ProducesTickets>),
}

impl Tickets {
    pub(crate) fn keyring(&self) -> Option<Arc<Keyring>> {
        match self {
            Self::Keyring(keyring) => Some(Arc::clone(keyring)),
            Self::Off | Self::Process | Self::External(_) => None,
        }
    }

    pub(crate) fn producer(&self) -> Option<Arc<dyn ProducesTickets>> {
        match self {
            Self::Off => None,
            Self::Process => Ticketer::new().ok(),
            Self::Keyring(keyring) => Some(Arc::<Keyring>::clone(keyring)),
            Self::External(producer) => Some(Arc::clone(producer)),
        }
    }
}
