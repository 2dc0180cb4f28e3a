//! The listing, byte for byte.

use std::fs;

use ferrofix_showq::listing::{Listing, Text};
use queue::bounce_log::{Entry, Style};
use queue::{Commit, Draft, Layout, QueueId, QueueName, RecordType, Size, Spool, mode};

fn spool() -> (tempfile::TempDir, Spool) {
    let root = tempfile::tempdir().unwrap();
    for queue in QueueName::ALL {
        fs::create_dir(root.path().join(queue.as_str())).unwrap();
    }
    let spool = Spool::at(root.path(), &Layout::default());
    (root, spool)
}

fn list(spool: &Spool) -> String {
    let listing = Listing {
        spool: spool.clone(),
        null_address: b"MAILER-DAEMON".to_vec(),
        duplicate_limit: 1000,
        text: Text::Utf8,
    };
    let mut out = Vec::new();
    listing.write(&mut out).unwrap();
    String::from_utf8(out).unwrap().replace('\0', "|")
}

fn envelope(draft: &mut Draft, records: &[(RecordType, &str)]) {
    for (kind, data) in records {
        draft.record(*kind, data.as_bytes()).unwrap();
    }
}

fn content(draft: &mut Draft, extracted: &[(RecordType, &str)]) {
    draft.record(RecordType::Content, b"").unwrap();
    let start = draft.len();
    draft.record(RecordType::Norm, &[b'x'; 5000]).unwrap();
    // Only who skips the content does not see this one.
    draft.record(RecordType::Recipient, b"in-content@example.com").unwrap();
    let end = draft.len();
    draft.record(RecordType::Extracted, b"").unwrap();
    envelope(draft, extracted);
    draft.record(RecordType::End, b"").unwrap();
    let size = Size { content_size: (end - start) as i64, content_offset: start as i64, ..Size::default() };
    draft.rewrite(0, RecordType::Size, size.to_string().as_bytes()).unwrap();
}

fn message(spool: &Spool, queue: QueueName, records: &[(RecordType, &str)], marks: u32) -> QueueId {
    let mut draft = spool.create(QueueName::Incoming).unwrap();
    draft.record(RecordType::Size, Size::default().to_string().as_bytes()).unwrap();
    envelope(&mut draft, records);
    content(&mut draft, &[(RecordType::Recipient, "extracted@example.com")]);
    draft.commit(Commit { queue, marks, wake_at: None }).unwrap()
}

const GREETING: &str = "protocol|mail_queue_list_protocol||";

#[test]
fn an_empty_queue() {
    let (_root, spool) = spool();
    assert_eq!(list(&spool), format!("{GREETING}|"));
}

#[test]
fn recipients_with_and_without_reasons() {
    let (_root, spool) = spool();
    let records = [
        (RecordType::Time, "1700000000 17"),
        (RecordType::Sender, ""),
        (RecordType::OriginalRecipient, "alias@example.com"),
        (RecordType::Recipient, "delayed@example.com"),
        (RecordType::Done, "done@example.com"),
        (RecordType::Recipient, "a b@example.com"),
    ];
    let id = message(&spool, QueueName::Deferred, &records, mode::EXPIRE);
    let entry = |recipient: &str, original: &str, reason: &str| {
        Entry {
            recipient: recipient.into(),
            original_recipient: original.into(),
            reason: reason.into(),
            ..Entry::default()
        }
        .encode(Style::WithOldStyle)
    };
    let delayed = entry("delayed@example.com", "alias@example.com", "try\tlater");
    spool.append_bounce_log(QueueName::Defer, &id, &delayed).unwrap();
    spool.append_bounce_log(QueueName::Bounce, &id, &entry("bad@example.com", "", "unknown")).unwrap();
    let text = list(&spool);
    let expected = format!(
        "{GREETING}queue_name|deferred|queue_id|{id}|time|1700000000|size|5027|forced_expire|1|sender|MAILER-DAEMON|\
         original_recipient|alias@example.com|recipient|delayed@example.com|log_class|defer|reason|try?later|\
         original_recipient||recipient|bad@example.com|log_class|bounce|reason|unknown|\
         original_recipient|\"a b\"@example.com|recipient|\"a b\"@example.com|log_class||reason||\
         original_recipient|extracted@example.com|recipient|extracted@example.com|log_class||reason||||"
    );
    assert_eq!(text, expected);
}

#[test]
fn maildrop_files_show_their_own_size_and_damage_ends_a_message() {
    let (root, spool) = spool();
    let mut draft = spool.create(QueueName::Maildrop).unwrap();
    draft.record(RecordType::Size, b"99999").unwrap();
    envelope(&mut draft, &[(RecordType::Sender, "a@example.com"), (RecordType::Sender, "b@example.com")]);
    let size = draft.len();
    let id = draft.commit(Commit::to(QueueName::Maildrop)).unwrap();
    let path = spool.path(QueueName::Maildrop, &id);
    let text = list(&spool);
    assert!(text.contains(&format!("|size|{size}|forced_expire|0|sender|a@example.com||")), "{text}");
    // A message without a sender is not listed, nor is an unfinished one.
    fs::write(&path, b"R\x01a").unwrap();
    fs::write(root.path().join("incoming/ABCDE1"), b"S\x01a").unwrap();
    assert_eq!(list(&spool), format!("{GREETING}|"));
}
