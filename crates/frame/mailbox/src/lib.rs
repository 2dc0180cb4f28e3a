//! Final delivery: a message into a mailbox file, a maildir or a command, with the recipient's rights.
//!
//! What local(8), virtual(8), pipe(8), spawn(8) and postlock(1) share. A [`Message`] is the open queue file with what is
//! to be added to the copy; [`mbox::append`], [`maildir::deliver`] and [`command::run`] take it to its place and answer
//! with success or a [`Failure`], which holds the status and the text for the delivery line. [`Rights`] changes the
//! process's identity around each step and back again.
//!
//! Trust: the queue file's records are checked as they are read. Mailboxes lie where other users can write: a symbolic
//! or hard link there is refused, a file that is not one is opened without waiting, and everything happens as the
//! recipient. A command gets a clean environment, no descriptors but its standard ones, and a time limit.
//!
//! Promise: success means that the message is on disk ([`mbox`], [`maildir`]) or that the command said so. A mailbox
//! that could not be written to its end is cut back to what it was.

mod child;
pub mod command;
mod content;
mod environment;
mod failure;
pub mod limit;
pub mod lock;
pub mod maildir;
pub mod mbox;
mod open;
mod rights;

pub use child::{Confinement, StartError, program_name};
pub use content::{Chunks, ContentError, Message, mark_corrupt};
pub use environment::exported;
pub use failure::{Failed, Failure, mailbox_status};
pub use lock::Locks;
pub use rights::{Identity, NotPermitted, Rights, find_group, find_user, find_user_by_id};
