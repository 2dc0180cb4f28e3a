//! Local submissions: what `postdrop` writes and `pickup` reads.
//!
//! `maildrop` is writable for group `postdrop`, so that mail can be submitted while the mail system is down. A file
//! there is complete when its mode is 0700; before that it belongs to a `postdrop` that is still at work or was
//! killed. Its owner is the user who submitted it, which is the one thing that user cannot forge.

use std::io;

use crate::check::Ready;
use crate::draft::{Commit, Draft};
use crate::spool::{Access, Spool};
use crate::{QueueId, QueueName};

/// Begins a submission, for `postdrop`.
pub fn create(spool: &Spool) -> io::Result<Draft> {
    spool.create(QueueName::Maildrop)
}

/// Makes a submission durable and visible to `pickup`.
///
/// Everybody may read it who can name it: `pickup` is not its owner. A message that `postsuper` put here to be requeued
/// lacks these bits, by which `pickup` tells the two.
pub fn submit(draft: Draft) -> io::Result<QueueId> {
    draft.commit(Commit { marks: READABLE, ..Commit::to(QueueName::Maildrop) })
}

/// The bits of a submission's mode that a requeued message lacks.
pub const READABLE: u32 = 0o044;

/// Opens a complete submission, for `pickup`. `None`: not complete yet, not a file, or gone.
pub fn open(spool: &Spool, id: &QueueId) -> io::Result<Option<(std::fs::File, Ready)>> {
    spool.open_ready(QueueName::Maildrop, id, Access::Read)
}

/// Removes a submission once `cleanup` says that its copy is on disk.
///
/// DURABILITY: only after that answer. A crash in between submits it twice.
pub fn remove(spool: &Spool, id: &QueueId) -> io::Result<()> {
    spool.remove(QueueName::Maildrop, id)
}
