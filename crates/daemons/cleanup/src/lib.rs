//! cleanup(8) - makes mail canonical and puts it into the queue.
//!
//! All mail passes through here: from smtpd(8), pickup(8), qmqpd(8), and as notices and forwarded mail from Ferrofix itself.
//! A client hands over a message as queue file records (see [`ipc::cleanup`]). cleanup(8) adds headers that are missing,
//! rewrites addresses to the standard form, applies canonical maps, masquerading and virtual aliases, removes duplicate
//! recipients, adds copies, inspects content, and writes the queue file. Then it tells the queue manager.
//!
//! It trusts its clients, which are our own programs, to name the client they speak for; the content comes from strangers.
//! Every length is limited, lookups that fail make the message wait instead of going through unchanged.
//!
//! It promises: a client that is told of success has a message that is complete and on disk (fsync of file and name), and
//! one that is told of failure has none. A message that is discarded by rule is reported as success.
//!
//! On failure: a full disk delays, a broken service is waited for, a malformed record sequence is refused, and a panic ends
//! one message only, whose file vanishes because it has no name yet.
//!
//! [`Message`] is the state machine, without sockets: [`Message::record`] for each record, then [`Message::finish`]. Its
//! parts are [`envelope`](Message::record), content and extracted segment; [`service`] is the daemon around it.

mod action;
mod addr;
mod bounce;
pub mod config;
mod content;
mod duplicates;
mod envelope;
mod extracted;
mod finish;
mod flow;
mod header;
pub mod masquerade;
mod missing;
mod notify;
mod out;
pub mod peers;
mod recipient;
mod rewrite;
pub mod service;
pub mod site;
mod state;

pub use config::Config;
pub use finish::Intake;
pub use notify::Notifier;
pub use service::Cleanup;
pub use state::{Context, Message};
