//! The client's side: [`Hello`] opens a session, [`Transaction`] sends one message over it.
//!
//! Both work the same way: they append commands to a buffer and say what they wait for; the adapter sends the buffer, reads a reply
//! and hands it in. Nothing here knows of sockets, clocks or queue files.

mod hello;
mod transaction;

pub use hello::{Action, Failure, Hello, HelloSettings, Pix, RequireTls, TlsWish};
pub use transaction::{End, Envelope, Event, Keep, ProbeAt, Transaction, Wait};
