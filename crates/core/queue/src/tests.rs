use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::*;

fn spool(ids: IdForm) -> (tempfile::TempDir, Spool) {
    let root = tempfile::tempdir().unwrap();
    for queue in QueueName::ALL {
        fs::create_dir(root.path().join(queue.as_str())).unwrap();
    }
    let spool = Spool::at(root.path(), &Layout { ids, ..Layout::default() });
    (root, spool)
}

fn message(spool: &Spool) -> Draft {
    let mut draft = spool.create(QueueName::Incoming).unwrap();
    draft.record(RecordType::Size, Size::default().to_string().as_bytes()).unwrap();
    draft.record(RecordType::Time, b"1700000000 5").unwrap();
    draft.record(RecordType::Attr, b"rewrite_context=local").unwrap();
    draft.record(RecordType::Sender, b"from@example.com").unwrap();
    draft.record(RecordType::OriginalRecipient, b"alias@example.com").unwrap();
    draft.record(RecordType::Recipient, b"to@example.com").unwrap();
    draft.record(RecordType::Content, b"").unwrap();
    let content_offset = draft.len();
    draft.record(RecordType::Norm, b"Subject: x").unwrap();
    let extracted = draft.len();
    draft.record(RecordType::Extracted, b"").unwrap();
    draft.record(RecordType::End, b"").unwrap();
    let size = Size {
        content_size: (extracted - content_offset) as i64,
        content_offset: content_offset as i64,
        recipients: 1,
        ..Size::default()
    };
    draft.rewrite(0, RecordType::Size, size.to_string().as_bytes()).unwrap();
    draft
}

fn files(spool: &Spool, queue: QueueName) -> Vec<QueueId> {
    spool.scan(queue).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_life() {
    for form in [IdForm::Short, IdForm::Long] {
        let (_root, spool) = spool(form);
        let draft = message(&spool);
        let id = draft.id().clone();
        assert_eq!(id.form(), form);
        assert_eq!(draft.commit(Commit::to(QueueName::Incoming)).unwrap(), id);
        assert_eq!(files(&spool, QueueName::Incoming), std::slice::from_ref(&id));
        let ready = spool.check(QueueName::Incoming, &id).unwrap();
        assert_eq!(ready.mode(), 0o700);
        assert_eq!(ready.status.nlink(), 1);
        assert_eq!(id.inode(), Some(ready.status.ino()));

        spool.activate(&id, QueueName::Incoming).unwrap();
        let (file, _) = spool.open_ready(QueueName::Active, &id, Access::Update).unwrap().unwrap();
        let envelope = Envelope::read(&mut RecordReader::new(&file)).unwrap();
        assert_eq!(envelope.sender.as_deref(), Some(&b"from@example.com"[..]));
        assert_eq!(envelope.arrival, (1_700_000_000, 5));
        assert_eq!(envelope.recipients[0].original, b"alias@example.com");
        assert_eq!(
            envelope.content_end,
            envelope.size.unwrap().content_size as u64 + envelope.content_offset
        );
        assert!(!envelope.recipients[0].done);
        mark_done(&file, envelope.recipients[0].offset).unwrap();
        assert!(Envelope::read(&mut RecordReader::new(&file)).unwrap().recipients[0].done);

        let later = SystemTime::now() + Duration::from_secs(1000);
        spool.defer(&id, later).unwrap();
        let ready = spool.check(QueueName::Deferred, &id).unwrap();
        assert!(ready.wake_at() > SystemTime::now() + Duration::from_secs(990));
        spool.flush(&id, QueueName::Deferred, SystemTime::now()).unwrap();
        let ready = spool.check(QueueName::Incoming, &id).unwrap();
        assert_eq!(ready.mode(), 0o740);
        assert!(ready.wake_at() <= SystemTime::now());
        spool.hold(&id, QueueName::Incoming).unwrap();
        spool.release(&id).unwrap();
        spool.activate(&id, QueueName::Deferred).unwrap();
        mark_corrupt(&file).unwrap();
        assert!(spool.check(QueueName::Active, &id).is_none());
        spool.quarantine(&id, QueueName::Active).unwrap();
        spool.finish(QueueName::Corrupt, &id).unwrap();
        assert!(spool.open_ready(QueueName::Corrupt, &id, Access::Read).unwrap().is_none());
        for queue in QueueName::ALL {
            assert!(files(&spool, queue).is_empty());
        }
    }
}

#[test]
fn a_dropped_draft_leaves_nothing() {
    let (root, spool) = spool(IdForm::Short);
    drop(message(&spool));
    assert_eq!(fs::read_dir(root.path().join("incoming")).unwrap().count(), 0);
}

#[test]
fn without_unnamed_files_the_order_is_postfix_s() {
    let (root, spool) = spool(IdForm::Short);
    let spool = spool.named_only();
    let draft = message(&spool);
    let path = spool.path(QueueName::Incoming, draft.id());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    drop(draft);
    assert_eq!(fs::read_dir(root.path().join("incoming")).unwrap().count(), 0);
    for queue in [QueueName::Incoming, QueueName::Deferred] {
        let id = message(&spool).commit(Commit::to(queue)).unwrap();
        let ready = spool.check(queue, &id).unwrap();
        assert_eq!(id.inode(), Some(ready.status.ino()));
        assert_eq!(ready.mode(), 0o700);
    }
}

#[test]
fn committed_elsewhere_with_marks_and_time() {
    let (_root, spool) = spool(IdForm::Short);
    let when = SystemTime::now() + Duration::from_secs(500);
    let how = Commit { queue: QueueName::Deferred, marks: mode::EXPIRE, wake_at: Some(when) };
    let id = message(&spool).commit(how).unwrap();
    let ready = spool.check(QueueName::Deferred, &id).unwrap();
    assert_eq!(ready.mode(), 0o710);
    assert!(ready.is_expired_by_force());
    assert!(ready.wake_at() > SystemTime::now());
    assert!(spool.name(QueueName::Deferred, &id).starts_with(&format!("deferred/{}/", &id.as_str()[..1])));
}

#[test]
fn large_drafts_can_be_edited_anywhere() {
    let (_root, spool) = spool(IdForm::Short);
    let mut draft = spool.create(QueueName::Incoming).unwrap();
    let mut model = Vec::new();
    for n in 0..3000u32 {
        let data = vec![b'a' + (n % 26) as u8; (n % 100) as usize];
        draft.record(RecordType::Norm, &data).unwrap();
        encode_record(&mut model, RecordType::Norm, &data);
        if n % 500 == 499 {
            for at in [3, model.len() / 2, model.len() - 10] {
                draft.write_at(at as u64, b"0123456789").unwrap();
                model[at..at + 10].copy_from_slice(b"0123456789");
            }
        }
    }
    assert!(model.len() > 128 * 1024);
    let mut seen = vec![0; model.len()];
    let mut at = 0;
    while at < seen.len() {
        let count = draft.read_at(&mut seen[at..], at as u64).unwrap();
        assert!(count > 0);
        at += count;
    }
    assert_eq!(seen, model);
    let id = draft.commit(Commit::to(QueueName::Hold)).unwrap();
    assert_eq!(fs::read(spool.path(QueueName::Hold, &id)).unwrap(), model);
}

#[test]
fn odd_files_are_no_messages() {
    let (root, spool) = spool(IdForm::Short);
    let hold = root.path().join("hold");
    let id = QueueId::parse("0000012345").unwrap();
    let path = hold.join(id.as_str());
    assert!(spool.check(QueueName::Hold, &id).is_none());
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    assert!(spool.check(QueueName::Hold, &id).is_none());
    assert!(spool.open_ready(QueueName::Hold, &id, Access::Read).unwrap().is_none());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(spool.open_ready(QueueName::Hold, &id, Access::Read).unwrap().is_none());
    fs::remove_dir(&path).unwrap();
    fs::write(&path, b"C").unwrap();
    for bits in [0o600, 0o400, 0o000] {
        fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
        assert!(spool.open_ready(QueueName::Hold, &id, Access::Read).unwrap().is_none());
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    assert!(spool.open_ready(QueueName::Hold, &id, Access::Read).unwrap().is_some());
}

#[test]
fn logs_append() {
    let (_root, spool) = spool(IdForm::Short);
    let id = QueueId::parse("ABCDE12345").unwrap();
    let entry = bounce_log::Entry { recipient: b"a@b".into(), reason: b"why".into(), ..Default::default() };
    for _ in 0..2 {
        spool
            .append_bounce_log(QueueName::Defer, &id, &entry.encode(bounce_log::Style::WithOldStyle))
            .unwrap();
    }
    let path = spool.path(QueueName::Defer, &id);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let mut log = spool.read_bounce_log(QueueName::Defer, &id).unwrap();
    assert_eq!(log.next().unwrap().reason, b"why");
    assert_eq!(log.next().unwrap().recipient, b"a@b");
    assert!(log.next().is_none());
}

/// Postfix's own queue files, of every kind that its milter tests use, read to their end.
#[test]
fn upstream_queue_files() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/upstream");
    let Ok(entries) = fs::read_dir(folder.join("cleanup_milter")) else {
        println!("skipped: no conformance data at {}", folder.display());
        return;
    };
    let mut count = 0;
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.push(folder.join("postcat/test-queue-file"));
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_queue_file =
            name.starts_with("test-queue-file") || name.starts_with("bug") && name.ends_with(".file");
        if !is_queue_file {
            continue;
        }
        let file = fs::File::open(&path).unwrap();
        let envelope =
            Envelope::read(&mut RecordReader::new(&file)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(envelope.sender.is_some(), "{name}");
        // In file order, encoding what was decoded gives the file.
        let bytes = fs::read(&path).unwrap();
        let mut copy = Vec::new();
        let mut reader = RecordReader::new(&file).view(View::File);
        while let Some(record) = reader.next().unwrap() {
            assert_eq!(record.offset, copy.len() as u64);
            encode_record(&mut copy, record.kind, record.data);
        }
        assert_eq!(copy, bytes, "{name}");
        count += 1;
    }
    assert!(count > 20, "only {count} files");
}
