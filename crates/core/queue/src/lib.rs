//! The mail queue: ids, directories, records, and every legal state change of a queue file.
//!
//! A message is one file, and its state is the directory it is in. The names, the modes and the bytes are Postfix's:
//! either mail system may take up the other's queue at any time.
//!
//! # States
//!
//! | state | what is guaranteed | who moves it on, and how | what a crash leaves |
//! |---|---|---|---|
//! | unnamed ([`Draft`]) | nothing: the sender still has it | its writer: [`Draft::commit`], or drop | nothing |
//! | `incoming`, `maildrop`, mode 0600 | the same, where there are no unnamed files | its writer, as above | a file that nobody takes up; `postsuper -p` removes it after a week |
//! | `maildrop` | complete and on disk; not sanitized, may be hostile | `pickup` makes a new message of it through `cleanup`, then [`Spool::remove`] | it, or it and its copy: a message twice |
//! | `incoming` | complete and on disk, all recipients in the file | queue manager, [`Spool::activate`] | it |
//! | `active` | the queue manager has it in memory; recipients done are marked in the file | queue manager: [`Spool::finish`], [`Spool::defer`], [`Spool::quarantine`]; after a restart [`Spool::put_back`] | it, perhaps with recipients done but unmarked, who get it twice |
//! | `deferred` | every recipient that is not done is to be tried at the modification time; why is in the defer log | queue manager, [`Spool::activate`]; `flush`, [`Spool::flush`] | it |
//! | `hold` | no attempts are made | administrator, [`Spool::release`], [`Spool::requeue`] | it |
//! | `corrupt` | somebody's mail that cannot be read | a person | it |
//! | gone | every recipient is delivered, or is in a notification that is itself in the queue | | it may come back, with recipients marked |
//!
//! Logs in `bounce`, `defer` and `trace` have the message's id as name and mode 0600; see [`bounce_log`]. A log without
//! a message is stale: the next message with its id starts with removing it.
//!
//! # Trust
//!
//! Contents of `maildrop` come from any local user; other queues come from us or from Postfix, and yet every length,
//! pointer and number in them is checked, since disks fail and administrators edit. Nothing here follows a symbolic
//! link that somebody put in place of a message ([`Spool::open_ready`]).
//!
//! # Failure
//!
//! System errors come back as they are; `NotFound` is normal, since files move under everybody's hands. The texts of
//! record errors are Postfix's. What the caller must do to lose no mail is marked `DURABILITY:` here.

pub mod bounce_log;
mod check;
mod draft;
pub mod envelope;
mod flow;
mod id;
pub mod maildrop;
pub mod mode;
mod name;
mod reader;
pub mod record;
mod scan;
mod spool;

pub use check::Ready;
pub use draft::{Commit, Draft};
pub use envelope::{Envelope, Recipient, Size};
pub use flow::{add_marks, mark_corrupt, mark_done, overwrite, set_kind};
pub use id::{IdForm, QueueId};
pub use name::{QueueName, UnknownQueue};
pub use reader::{ReadAt, ReadError, RecordReader, View, pointer_target};
pub use record::{Malformed, Record, RecordType, encode as encode_record};
pub use scan::{Depth, Scan, Step, Walk};
pub use spool::{Access, Layout, Spool, make_directories, rename_making_directories};
pub use sys::reason;

#[cfg(test)]
mod tests;
