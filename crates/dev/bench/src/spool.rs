//! Deferred messages by the hundred thousand, as both mail systems write them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use queue::bounce_log::{Entry, Style};
use queue::{IdForm, QueueId, RecordType, encode_record};

/// Both mail systems hash these two by one character, by default.
const DEPTH: usize = 1;
/// Spreads the first characters of the ids, which are microseconds.
const STRIDE: u64 = 7919;

/// `spool DIRECTORY COUNT`: writes so many messages into `deferred` and their logs into `defer`. Runs as the owner of
/// the queue.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let [directory, count] = arguments else { return Err("spool: DIRECTORY COUNT".to_owned()) };
    let count = count.parse().map_err(|error| format!("{count}: {error}"))?;
    fill(Path::new(directory), count).map_err(|error| format!("{directory}: {error}"))
}

fn fill(spool: &Path, count: u64) -> io::Result<()> {
    for queue in ["deferred", "defer"] {
        for digit in "0123456789ABCDEF".chars() {
            fs::create_dir_all(spool.join(queue).join(digit.to_string()))?;
        }
    }
    let arrival = SystemTime::now() - Duration::from_secs(600);
    // Not due while the comparison runs.
    let due = SystemTime::now() + Duration::from_secs(7200);
    for number in 0..count {
        message(spool, number, arrival, due)?;
    }
    Ok(())
}

fn message(spool: &Path, number: u64, arrival: SystemTime, due: SystemTime) -> io::Result<()> {
    let since = arrival.duration_since(SystemTime::UNIX_EPOCH).map_err(io::Error::other)?;
    let created = SystemTime::UNIX_EPOCH
        + Duration::from_secs(since.as_secs())
        + Duration::from_micros(number * STRIDE % 1_000_000);
    let recipient = format!("user{number}@destination{}.example.org", number % 100);
    let temporary = spool.join("deferred/new");
    let mut file = create(&temporary, 0o700)?;
    let id = QueueId::new(IdForm::Short, created, file.metadata()?.ino());
    let (bytes, offset) = contents(&id, created, &recipient);
    file.write_all(&bytes)?;
    file.set_modified(due)?;
    drop(file);
    let name = format!("{}{}", id.hash_directories(DEPTH), id.as_str());
    fs::rename(&temporary, spool.join("deferred").join(&name))?;

    let entry = Entry {
        recipient: recipient.clone().into_bytes(),
        original_recipient: recipient.into_bytes(),
        offset,
        status: b"4.4.1".to_vec(),
        action: b"delayed".to_vec(),
        reason: b"connect to mx.example.org[192.0.2.25]:25: Connection timed out".to_vec(),
        ..Entry::default()
    };
    create(&spool.join("defer").join(&name), 0o600)?.write_all(&entry.encode(Style::WithOldStyle))
}

fn create(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// The queue file, and where in it the recipient's record is.
fn contents(id: &QueueId, created: SystemTime, recipient: &str) -> (Vec<u8>, i64) {
    let since = created.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut envelope = Vec::new();
    let time = format!("{} {}", since.as_secs(), since.subsec_micros());
    let mut recipient_at = 0;
    for (kind, data) in [
        (RecordType::Time, time.as_str()),
        (RecordType::Attr, "rewrite_context=local"),
        (RecordType::Sender, "sender@example.net"),
        (RecordType::Attr, "log_client_name=localhost"),
        (RecordType::Attr, "log_client_address=127.0.0.1"),
        (RecordType::Attr, "log_client_port=40000"),
        (RecordType::Attr, "log_message_origin=localhost[127.0.0.1]"),
        (RecordType::Attr, "log_helo_name=client.example.net"),
        (RecordType::Attr, "log_protocol_name=ESMTP"),
        (RecordType::Attr, "client_name=localhost"),
        (RecordType::Attr, "client_address=127.0.0.1"),
        (RecordType::Attr, "helo_name=client.example.net"),
        (RecordType::Attr, "protocol_name=ESMTP"),
        (RecordType::OriginalRecipient, recipient),
        (RecordType::Recipient, recipient),
    ] {
        recipient_at = envelope.len();
        encode_record(&mut envelope, kind, data.as_bytes());
    }
    encode_record(&mut envelope, RecordType::Content, b"");

    let mut content = Vec::new();
    for line in [
        "Received: from client.example.net (localhost [127.0.0.1])".to_owned(),
        format!("\tby mail.example.com (Postfix) with ESMTP id {id}"),
        format!("\tfor <{recipient}>; Thu,  1 Jan 2026 00:00:00 +0000 (UTC)"),
        format!("Message-Id: <{id}@mail.example.com>"),
        "Date: Thu,  1 Jan 2026 00:00:00 +0000 (UTC)".to_owned(),
        "From: sender@example.net".to_owned(),
        format!("To: {recipient}"),
        String::new(),
    ] {
        encode_record(&mut content, RecordType::Norm, line.as_bytes());
    }
    for _ in 0..12 {
        encode_record(&mut content, RecordType::Norm, &[b'X'; 70]);
    }

    let size = |offset: usize| {
        let size = content.len();
        format!("{size:>15} {offset:>15} {:>15} {:>15} {size:>15} {:>15}", 1, 0, 0)
    };
    let mut file = Vec::new();
    encode_record(&mut file, RecordType::Size, size(0).as_bytes());
    let first = file.len();
    file.clear();
    encode_record(&mut file, RecordType::Size, size(first + envelope.len()).as_bytes());
    file.extend_from_slice(&envelope);
    file.extend_from_slice(&content);
    encode_record(&mut file, RecordType::Extracted, b"");
    encode_record(&mut file, RecordType::End, b"");
    (file, i64::try_from(first + recipient_at).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue::{Envelope, QueueName, RecordReader};

    #[test]
    fn writes_what_the_queue_reads() {
        let directory = tempfile::tempdir().unwrap();
        fill(directory.path(), 20).unwrap();
        let mut seen = 0;
        for digit in fs::read_dir(directory.path().join("deferred")).unwrap() {
            for entry in fs::read_dir(digit.unwrap().path()).unwrap() {
                let entry = entry.unwrap();
                let id = QueueId::parse(entry.file_name().to_str().unwrap()).unwrap();
                assert_eq!(id.inode(), Some(entry.metadata().unwrap().ino()));
                let file = File::open(entry.path()).unwrap();
                let mut reader = RecordReader::new(file);
                let envelope = Envelope::read(&mut reader).unwrap();
                assert_eq!(envelope.recipients.len(), 1);
                let log = directory.path().join(QueueName::Defer.as_str());
                assert!(log.join(id.hash_directories(1)).join(id.as_str()).exists());
                seen += 1;
            }
        }
        assert_eq!(seen, 20);
    }
}
