//! Names that do not match their inode.
//!
//! A queue that was copied from elsewhere has files whose names state other inodes than they have. A new message could
//! then be given an existing name. Each such file, with its logs, is renamed to what its name should be plus `#FIX`, and
//! in the next pass to that name: in two steps, since its proper name may belong to a file that is itself misnamed.

use std::path::{Path, PathBuf};

use command::Fatal;
use queue::{IdForm, QueueId, QueueName};

use crate::Tool;
use crate::counters::Event;
use crate::files::{self, Outcome};
use crate::queues::{LOGS, Queue};

/// No queue id ends so.
const SUFFIX: &[u8] = b"#FIX";

/// A name without the suffix, if it has it.
pub(crate) fn without_suffix(name: &[u8]) -> Option<&[u8]> {
    name.strip_suffix(SUFFIX).filter(|rest| !rest.is_empty())
}

/// Whether a message with this name and inode must be renamed; `None` if the name states no inode.
pub(crate) fn is_mismatch(id: &QueueId, inode: u64, wanted: IdForm, redundant: bool) -> Option<bool> {
    let stated = id.inode()?;
    let long = id.form() == IdForm::Long;
    // Long names need no repair, they are never used again; unless short ones are wanted now.
    Some(long && wanted == IdForm::Short || stated != inode && (!long || redundant))
}

impl Tool {
    /// First step: gives a misnamed message and its logs their new names plus suffix.
    ///
    /// The new name depends on the old one and the inode only, so that a repair that was interrupted can be completed.
    pub(crate) fn rename_misnamed(
        &self,
        path: &Path,
        queue: QueueName,
        id: &QueueId,
        inode: u64,
    ) -> Result<(), Fatal> {
        self.counters.add(Event::Mismatched);
        let new = id.with_inode(self.spool.id_form(), inode);
        // The message comes last, so that its old name stays as a mark that there is work to do.
        for log in LOGS {
            files::rename(&self.spool.path(log, id), &self.suffixed(log, &new))?;
        }
        files::rename(path, &self.suffixed(queue, &new))?;
        Ok(())
    }

    /// Second step: takes the suffix off. The new path, if the file may be looked at further.
    pub(crate) fn complete_rename(
        &self,
        path: &Path,
        queue: Queue,
        name: &[u8],
        inode: u64,
    ) -> Result<Option<(PathBuf, QueueId)>, Fatal> {
        let bogus = || log::warning!("bogus file name: {}", path.display());
        let Some(id) = QueueId::parse(name) else {
            bogus();
            return Ok(None);
        };
        if queue.messages {
            match id.inode() {
                None => {
                    bogus();
                    return Ok(None);
                }
                Some(stated) if stated != inode => {
                    log::warning!("name/inode mismatch: {}", path.display());
                    return Ok(None);
                }
                Some(_) => {}
            }
        }
        let wanted = self.spool.path(queue.name, &id);
        if files::rename(path, &wanted)? == Outcome::Gone {
            return Ok(None);
        }
        if queue.messages {
            self.counters.add(Event::Fixed);
        }
        Ok(Some((wanted, id)))
    }

    fn suffixed(&self, queue: QueueName, id: &QueueId) -> PathBuf {
        let mut path = self.spool.path(queue, id).into_os_string();
        path.push("#FIX");
        path.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_repair() {
        let short = QueueId::parse("ABCDE1F").unwrap();
        assert_eq!(is_mismatch(&short, 0x1F, IdForm::Short, false), Some(false));
        assert_eq!(is_mismatch(&short, 0x20, IdForm::Long, false), Some(true));
        assert_eq!(is_mismatch(&QueueId::parse("ABCDE").unwrap(), 1, IdForm::Short, false), None);
        let long = QueueId::new(IdForm::Long, std::time::SystemTime::now(), 77);
        assert_eq!(is_mismatch(&long, 78, IdForm::Long, false), Some(false));
        assert_eq!(is_mismatch(&long, 78, IdForm::Long, true), Some(true));
        assert_eq!(is_mismatch(&long, 77, IdForm::Short, false), Some(true));
        assert_eq!(without_suffix(b"A#FIX"), Some(&b"A"[..]));
        assert_eq!(without_suffix(b"#FIX"), None);
        assert_eq!(without_suffix(b"A"), None);
    }
}
