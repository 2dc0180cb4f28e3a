//! From a file in the maildrop to the records that cleanup(8) gets.

use std::fs::File;
use std::time::{Duration, SystemTime};

use address::AddressForm;
use ipc::cleanup::{Status, Submission};
use queue::{QueueId, RecordReader, RecordType};

use crate::PickupParams;

/// A file in the maildrop.
#[derive(Debug)]
pub struct Mail<'a> {
    /// Its name.
    pub id: &'a QueueId,
    /// Who submitted it.
    pub uid: u32,
    /// It was in the queue before, and postsuper(1) put it back here.
    pub is_requeued: bool,
    /// When it was submitted.
    pub arrival: SystemTime,
}

/// What becomes of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its copy is safe, or it can never be mail.
    Remove,
    /// To be tried again.
    Keep,
}

/// What cleanup's refusal means for the file: senseless mail would be refused for ever.
pub fn fate_of(status: Status) -> Fate {
    if status.intersects(Status::BAD | Status::RCPT) { Fate::Remove } else { Fate::Keep }
}

/// Copies all records up to and with the last one.
///
/// `Some` is the fate of a file that was found wanting; the submission is then to be dropped.
pub async fn copy(
    file: File,
    mail: &Mail<'_>,
    params: &PickupParams,
    cleanup: &mut Submission,
) -> ipc::Result<Option<Fate>> {
    let id = cleanup.queue_id().to_owned();
    let arrival = sane_arrival(mail, &id);
    let mut reader = RecordReader::new(file).limit(params.line_length_limit.max(1) as usize);
    if !params.content_filter.is_empty() {
        cleanup.record(RecordType::FILTER, params.content_filter.as_bytes()).await?;
    }
    let mut copier = Copier { mail, sender: None, has_time: false, arrival };
    if let Some(fate) = copier.segment(&mut reader, cleanup, Segment::Envelope).await? {
        return Ok(Some(fate));
    }
    let Some(sender) = copier.sender.take() else {
        log::warning!("{id}: uid={}: no envelope sender", mail.uid);
        return Ok(Some(Fate::Remove));
    };
    let sender = AddressForm::for_log(&params.info_log_address_format)
        .unwrap_or(AddressForm::External)
        .logged(&sender);
    if mail.is_requeued {
        log::info!("{id}: uid={} from=<{sender}> orig_id={}", mail.uid, mail.id.as_str());
    } else {
        log::info!("{id}: uid={} from=<{sender}>", mail.uid);
    }
    cleanup.record(RecordType::Content, b"").await?;
    let (host, name, uid) = (&params.myhostname, &params.mail_name, mail.uid);
    let received = format!("Received: by {host} ({name}, from userid {uid})");
    cleanup.record(RecordType::Norm, received.as_bytes()).await?;
    let date = message::date::mail_date(arrival);
    cleanup.record(RecordType::Norm, format!("\tid {id}; {date}").as_bytes()).await?;
    if let Some(fate) = copier.segment(&mut reader, cleanup, Segment::Content).await? {
        return Ok(Some(fate));
    }
    cleanup.record(RecordType::Extracted, b"").await?;
    if let Some(fate) = copier.segment(&mut reader, cleanup, Segment::Extracted).await? {
        return Ok(Some(fate));
    }
    cleanup.record(RecordType::End, b"").await?;
    Ok(None)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment {
    Envelope,
    Content,
    Extracted,
}

impl Segment {
    /// The record types that may occur; the first ends the segment.
    fn types(self) -> &'static [u8] {
        match self {
            Self::Envelope => RecordType::ENVELOPE,
            Self::Content => RecordType::CONTENT,
            Self::Extracted => RecordType::EXTRACTED,
        }
    }
}

struct Copier<'a> {
    mail: &'a Mail<'a>,
    sender: Option<Vec<u8>>,
    has_time: bool,
    arrival: i64,
}

impl Copier<'_> {
    async fn segment(
        &mut self,
        reader: &mut RecordReader<File>,
        cleanup: &mut Submission,
        segment: Segment,
    ) -> ipc::Result<Option<Fate>> {
        let types = segment.types();
        let mut is_first = segment == Segment::Content;
        loop {
            let record = match reader.next() {
                Ok(Some(record)) if record.kind.is_in(types) => record,
                Ok(Some(record)) => return Ok(Some(self.senseless(record.kind.as_byte().into()))),
                Ok(None) => return Ok(Some(self.senseless(END_OF_FILE))),
                Err(error) => {
                    log::warning!("maildrop/{}: {error}", self.mail.id.as_str());
                    return Ok(Some(self.senseless(READ_ERROR)));
                }
            };
            if types.first() == Some(&record.kind.as_byte()) {
                return Ok(None);
            }
            match record.kind {
                RecordType::Sender => {
                    self.sender.get_or_insert_with(|| record.data.to_vec());
                    // Files of long ago have no time of their own.
                    if !self.has_time {
                        cleanup.record(RecordType::Time, self.arrival.to_string().as_bytes()).await?;
                        self.has_time = true;
                    }
                }
                RecordType::Time => self.has_time = true,
                _ => {}
            }
            if is_found_again(segment, record.kind, record.data) {
                continue;
            }
            if is_first && matches!(record.kind, RecordType::Norm | RecordType::Cont) {
                is_first = false;
                // White space at the start would continue our own Received: header.
                if record.data.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
                    cleanup.record(RecordType::Norm, b"").await?;
                }
            }
            cleanup.record(record.kind, record.data).await?;
        }
    }

    fn senseless(&self, kind: i32) -> Fate {
        log::warning!("uid={}: unexpected or malformed record type {kind}", self.mail.uid);
        Fate::Remove
    }
}

/// What stands for a record type in the log when there is none.
const END_OF_FILE: i32 = -1;
const READ_ERROR: i32 = -2;

// postsuper -r: what an earlier pass through cleanup found out is left out, to be found out again.
fn is_found_again(segment: Segment, kind: RecordType, data: &[u8]) -> bool {
    match (segment, kind) {
        (Segment::Content, _) => false,
        (_, RecordType::Cont | RecordType::Redirect) => true,
        (Segment::Extracted, RecordType::ReturnReceipt | RecordType::ErrorsTo) => true,
        (Segment::Extracted, RecordType::Attr) => {
            let name = queue::envelope::split_attribute(data).map(|(name, _)| name).unwrap_or_default();
            !matches!(
                name,
                b"dsn_orig_rcpt" | b"notify_flags" | b"envelope_id" | b"ret_flags" | b"create_time"
            )
        }
        _ => false,
    }
}

/// The arrival in seconds since 1970; one in the future is now. Says so when it is odd.
fn sane_arrival(mail: &Mail<'_>, id: &str) -> i64 {
    const HOUR: Duration = Duration::from_secs(3600);
    let now = SystemTime::now();
    let seconds = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
    };
    let path = format!("maildrop/{}", mail.id.as_str());
    if let Ok(ahead) = mail.arrival.duration_since(now)
        && ahead > 2 * HOUR
    {
        log::warning!("{id}: message {path} dated {} seconds into the future", ahead.as_secs());
        return seconds(now);
    }
    if let Ok(age) = now.duration_since(mail.arrival)
        && age > 24 * HOUR
    {
        log::warning!("{id}: message {path} has been queued for {} days", age.as_secs() / 86_400);
    }
    seconds(mail.arrival)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requeued_mail_loses_what_cleanup_finds_again() {
        assert!(is_found_again(Segment::Envelope, RecordType::FILTER, b"smtp:x"));
        assert!(!is_found_again(Segment::Content, RecordType::Cont, b"text"));
        assert!(is_found_again(Segment::Extracted, RecordType::Attr, b"encoding=8bit"));
        assert!(!is_found_again(Segment::Extracted, RecordType::Attr, b"notify_flags=1"));
        assert!(!is_found_again(Segment::Envelope, RecordType::Attr, b"encoding=8bit"));
    }

    #[test]
    fn only_senseless_mail_is_removed() {
        assert_eq!(fate_of(Status::RCPT), Fate::Remove);
        assert_eq!(fate_of(Status::WRITE), Fate::Keep);
        assert_eq!(fate_of(Status::CONT), Fate::Keep);
    }
}
