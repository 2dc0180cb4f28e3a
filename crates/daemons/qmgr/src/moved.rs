//! After a restart: what was active goes back to `incoming`.

use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::time::SystemTime;

use daemon::Fatal;
use queue::{QueueName, Spool, reason};

/// Moves all of `active` back. Some of it may still be being delivered by agents that do not know of our restart: those
/// files are locked, and are left alone when they come up again.
pub(crate) fn move_back(spool: &Spool, now: SystemTime) -> Result<(), Fatal> {
    let fail =
        |what: String, fault: &std::io::Error| Fatal::new(format!("qmgr_move: {what}: {}", reason(fault)));
    let mut scan =
        spool.scan(QueueName::Active).map_err(|fault| fail("open directory active".to_owned(), &fault))?;
    for entry in scan.by_ref() {
        let id = match entry {
            Ok(id) => id,
            Err(name) => {
                log::warning!("qmgr_move: ignored: queue active id {}", bytes::show(name.as_bytes()));
                continue;
            }
        };
        match spool.put_back(&id, QueueName::Active, QueueName::Incoming, now) {
            Ok(()) => log::debug!("qmgr_move: moved {id} from active to incoming"),
            Err(fault) => {
                let error = fail(format!("rename {id} from active to incoming"), &fault);
                if fault.kind() != ErrorKind::NotFound {
                    return Err(error);
                }
                log::warning!("{error}");
            }
        }
    }
    match scan.take_fault() {
        Some(fault) => Err(fail("read directory active".to_owned(), &fault)),
        None => Ok(()),
    }
}
