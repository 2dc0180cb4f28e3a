//! The log that a report is made from.

use std::fs::File;
use std::io::{self, Seek};

use daemon::Fatal;
use dsn::Dsn;
use ipc::Recipient;
use queue::bounce_log::{BounceLog, Entry, Style};
use queue::{QueueId, QueueName};

use crate::Site;

/// Whose status a report shows.
pub enum Entries {
    /// There is no log. Reports of failures are sent all the same.
    Unavailable,
    /// What a message's log has.
    Log(Log),
    /// One recipient.
    One(Box<Entry>),
}

/// A message's log, open for reading.
pub struct Log {
    file: File,
    queue: QueueName,
    name: String,
}

impl Entries {
    /// The log of a message at this service.
    pub(crate) fn open(site: &Site, id: &QueueId) -> Result<Self, Fatal> {
        match site.spool.open(site.logs, id, queue::Access::Read) {
            Ok(file) => Ok(Self::Log(Log { file, queue: site.logs, name: site.spool.name(site.logs, id) })),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(Self::Unavailable),
            Err(fault) => {
                Err(Fatal::new(format!("open {} {}: {}", site.logs, id.as_str(), queue::reason(&fault))))
            }
        }
    }

    /// One recipient's status, as a client sent it.
    pub(crate) fn one(recipient: Recipient, dsn: Dsn) -> Self {
        Self::One(Box::new(entry(recipient, dsn)))
    }

    /// All of them, from the start; `None` when there is no log to read.
    pub(crate) fn iter(&self) -> Option<Box<dyn Iterator<Item = Entry> + '_>> {
        match self {
            Self::Unavailable => None,
            Self::Log(log) => {
                let mut file = &log.file;
                file.rewind().ok()?;
                Some(Box::new(BounceLog::new(file, log.queue, log.name.clone())))
            }
            Self::One(entry) => Some(Box::new(std::iter::once(Entry::clone(entry)))),
        }
    }
}

impl Site {
    /// Adds a recipient's status to a message's log.
    ///
    /// Several entries reach the disk side by side, each on a thread that sleeps most of the time.
    ///
    /// DURABILITY: when this returns `Ok` the entry is on disk, and the recipient may be crossed off.
    pub(crate) async fn append(&self, id: QueueId, mut recipient: Recipient, dsn: Dsn) -> Result<(), Fatal> {
        for address in [&mut recipient.address, &mut recipient.original] {
            if !address.is_empty() {
                *address = address::quote::quote_822_local(address);
            }
        }
        let style = match self.params.backwards_bounce_logfile_compatibility {
            true => Style::WithOldStyle,
            false => Style::Attributes,
        };
        let text = entry(recipient, dsn).encode(style);
        let (spool, logs, failed_id) = (self.spool.clone(), self.logs, id.as_str().to_owned());
        let work = tokio::task::spawn_blocking(move || spool.append_bounce_log(logs, &id, &text));
        let fault = match work.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(fault)) => fault,
            Err(panic) => io::Error::other(panic),
        };
        Err(Fatal::new(format!("append file {logs} {failed_id}: {}", queue::reason(&fault))))
    }

    /// Removes a message's log, which may have gone already.
    ///
    /// DURABILITY: only when the report made from it is in the queue, or when there is nobody to report to.
    pub(crate) fn remove_log(&self, id: &QueueId) -> Result<(), Fatal> {
        match self.spool.remove(self.logs, id) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => {
                Err(Fatal::new(format!("remove {} {}: {}", self.logs, id.as_str(), queue::reason(&fault))))
            }
            _ => Ok(()),
        }
    }
}

fn entry(recipient: Recipient, dsn: Dsn) -> Entry {
    Entry {
        recipient: recipient.address,
        original_recipient: recipient.original,
        offset: recipient.offset,
        dsn_orcpt: recipient.dsn_original,
        dsn_notify: recipient.dsn_notify.into(),
        status: dsn.status.as_str().into(),
        action: dsn.action.into_bytes(),
        diagnostic_type: dsn.dtype.into_bytes(),
        diagnostic: dsn.dtext,
        mta_type: dsn.mtype.into_bytes(),
        mta: dsn.mname,
        reason: dsn.reason,
    }
}
