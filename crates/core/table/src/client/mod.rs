//! What the tables that ask a database share: where their settings are written, how a key becomes a query and the
//! answers one value, and which of several servers is asked.
//!
//! A client reads its [`Settings`], makes [`Formats`] of the templates in them, and answers a lookup in five steps:
//! [`Formats::accepts`] (the `domain` list), [`Formats::key`] (keys that cannot fill the templates are in no database),
//! [`Template::expand`] with the quoting of its query language, the question itself, usually to one of [`Servers`], and
//! [`Values`] to join what came back. A key reaches a query through the quoting function only.

mod digest;
mod endpoint;
mod key_form;
mod link;
mod peer;
mod resp;
mod retries;
mod servers;
mod settings;
mod template;
mod values;

use digest::Digest;
pub use endpoint::Endpoint;
pub(crate) use key_form::{KeyForm, Operation};
pub use link::Trouble;
pub(crate) use peer::{Exchange, Failure as PeerFailure, Limits, Peer};
pub(crate) use resp::{Reply, command, receive};
pub(crate) use retries::{Attempt, Retries, Unavailable};
pub use servers::{Failure, Reach, Server, Servers};
pub use settings::Settings;
pub use template::{Formats, Key, Template};
pub use values::{LimitExceeded, Values};
