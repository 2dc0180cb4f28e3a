//! Posting a report.

use daemon::Fatal;
use delivery::post::{Envelope, PostError, Posting, Source};
use ipc::cleanup::Status;
use queue::bounce_log::Entry;

use crate::entries::Entries;
use crate::report::{Reader, Report};
use crate::template::Kind;

/// One report to one reader.
pub(crate) struct Notice<'a> {
    /// The envelope sender.
    pub(crate) sender: &'a [u8],
    /// The reader's address.
    pub(crate) recipient: &'a [u8],
    /// Who that is.
    pub(crate) reader: Reader,
    /// What the log line calls it.
    pub(crate) title: &'a str,
    /// Recipients are left out who want no report of these kinds ([`dsn::notify`]).
    pub(crate) about: u32,
    /// How much of the message goes with it ([`dsn::ret`]).
    pub(crate) ret: u32,
}

/// Every recipient is reported, whatever the sender wanted to know.
pub(crate) const EVERYONE: u32 = u32::MAX;

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is in the queue.
    Sent,
    /// No recipient is to be reported: it was not sent.
    Nobody,
    /// Cleanup did not take it, for this reason.
    Refused(Status),
    /// Cleanup was not there.
    Unreachable,
}

impl Outcome {
    /// The status of a request with this outcome.
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Sent | Self::Nobody => 0,
            Self::Refused(status) => status.0.into(),
            Self::Unreachable => 1,
        }
    }

    /// Whether there is nothing more to do.
    pub(crate) fn is_fine(self) -> bool {
        self.code() == 0
    }
}

impl Report<'_> {
    /// Posts the report about these recipients.
    pub(crate) async fn post(&mut self, entries: &Entries, notice: Notice<'_>) -> Result<Outcome, Fatal> {
        let envelope = Envelope {
            sender: notice.sender,
            recipient: notice.recipient,
            source: Source::Bounce,
            trace_flags: 0,
            send_options: self.send_options(),
        };
        let mut posting = match self.site.poster.open(&envelope).await {
            Ok(posting) => posting,
            Err(error @ PostError::Connect { .. }) => {
                log::warning!("{error}");
                return Ok(Outcome::Unreachable);
            }
            Err(error) => return Err(Fatal::new(error.to_string())),
        };
        log::info!("{}: {}: {}", self.id.as_str(), notice.title, posting.queue_id());
        match self.write(&mut posting, entries, &notice).await? {
            Ok(Written::Everything) => {}
            // Unfinished, it leaves nothing in the queue.
            Ok(Written::Nothing) => return Ok(Outcome::Nobody),
            Err(error) => {
                log::debug!("cleanup: {error}");
                return Ok(Outcome::Refused(Status::WRITE));
            }
        }
        match posting.finish().await {
            status if status.is_ok() => Ok(Outcome::Sent),
            status => Ok(Outcome::Refused(status)),
        }
    }

    async fn write(
        &mut self,
        posting: &mut Posting,
        entries: &Entries,
        notice: &Notice<'_>,
    ) -> Result<ipc::Result<Written>, Fatal> {
        self.header(posting.text(), notice.recipient, notice.reader);
        if notice.reader == Reader::Sender {
            self.introduction(posting.text())?;
        }
        Ok(self.write_rest(posting, entries, notice).await)
    }

    async fn write_rest(
        &mut self,
        posting: &mut Posting,
        entries: &Entries,
        notice: &Notice<'_>,
    ) -> ipc::Result<Written> {
        let is_wanted =
            |entry: &Entry| entry.dsn_notify == 0 || entry.dsn_notify & i64::from(notice.about) != 0;
        let mut count = 0;
        match entries.iter() {
            Some(entries) => {
                for entry in entries.filter(is_wanted) {
                    self.recipient_text(posting.text(), &entry);
                    posting.relieve().await?;
                    count += 1;
                }
            }
            // Better to tell a sender that something failed than nothing.
            None if self.kind() == Kind::Failure => {
                self.no_recipients(posting.text());
                count = 1;
            }
            None => {}
        }
        if count == 0 {
            return Ok(Written::Nothing);
        }
        self.status(posting.text());
        for entry in entries.iter().into_iter().flatten().filter(is_wanted) {
            self.recipient_status(posting.text(), &entry);
            posting.relieve().await?;
        }
        if let Some(extent) = self.original(posting.text(), notice.ret) {
            while self.original.copy(posting.text(), extent) {
                posting.relieve().await?;
            }
            self.end(posting.text());
        }
        Ok(Written::Everything)
    }
}

enum Written {
    Everything,
    Nothing,
}
