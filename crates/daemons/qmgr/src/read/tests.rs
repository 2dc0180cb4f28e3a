use super::*;
use queue::encode_record;

const RULES: Rules<'static> =
    Rules { verp_filter: b"-=+", confirm_delay_cleared: true, opened: &|_, _, _| {} };

/// A file: records before the content, and extracted ones.
fn file(
    flags: i64,
    count: i64,
    envelope: &[(RecordType, &str)],
    extracted: &[(RecordType, &str)],
) -> Vec<u8> {
    let render = |offset: usize| {
        let size = Size {
            content_size: 9,
            content_offset: offset as i64,
            recipients: count,
            flags,
            content_length: 8,
            send_options: 1 | 1 << 20,
            fields: 6,
        };
        let mut file = Vec::new();
        encode_record(&mut file, RecordType::Size, size.to_string().as_bytes());
        for (kind, data) in envelope {
            encode_record(&mut file, *kind, data.as_bytes());
        }
        encode_record(&mut file, RecordType::Content, b"");
        file
    };
    let mut file = render(render(0).len());
    encode_record(&mut file, RecordType::Norm, b"content");
    encode_record(&mut file, RecordType::Extracted, b"");
    for (kind, data) in extracted {
        encode_record(&mut file, *kind, data.as_bytes());
    }
    encode_record(&mut file, RecordType::End, b"");
    file
}

fn read(file: &[u8], limit: i64) -> Option<(Envelope, Batch)> {
    message(file, &QueueId::parse("A1").unwrap(), limit, Duration::ZERO, RULES).ok()
}

fn names(batch: &Batch) -> String {
    let names = batch.recipients.iter().map(|found| String::from_utf8_lossy(&found.address).into_owned());
    names.collect::<Vec<_>>().join(" ")
}

use RecordType as R;
const START: [(R, &str); 2] = [(R::Time, "1700000000 5000"), (R::Sender, "s@x")];

#[test]
fn attributes_in_place_of_records() {
    let mut records = START.to_vec();
    records.extend([
        (R::Attr, "envelope_id=E"),
        (R::Attr, "ret_flags=2"),
        (R::Attr, "create_time=1600000000"),
        (R::Attr, "trace_flags=1024"),
        (R::Attr, "client_name=real"),
        (R::Attr, "log_client_name=logged"),
        (R::Attr, "client_address=1.2.3.4"),
        (R::Attr, "sasl_method=PLAIN"),
        (R::Attr, "sasl_method=LOGIN"),
        (R::Verp, "+="),
        (R::Attr, "dsn_orig_rcpt=rfc822;o"),
        (R::Attr, "notify_flags=3"),
        (R::OriginalRecipient, "o@x"),
        (R::Recipient, "a@x"),
        (R::DsnNotify, "2"),
        (R::Recipient, "b@x"),
        (R::DsnOrcpt, "rfc822;c"),
        (R::Done, "c@x"),
        (R::Recipient, "d@x"),
    ]);
    let (envelope, batch) = read(&file(1, 4, &records, &[(R::FILTER, "f:")]), 100).unwrap();
    assert_eq!((envelope.dsn_envid.as_slice(), envelope.dsn_ret), (&b"E"[..], 2));
    assert_eq!(
        (envelope.create_time, envelope.arrival),
        (1_600_000_000, Duration::new(1_700_000_000, 5_000_000))
    );
    assert_eq!(envelope.trace_flags, deliver::FLAG_RECORD);
    assert!(envelope.trace_offset > 0);
    assert_eq!(
        (envelope.client.name.as_slice(), envelope.client.address.as_slice()),
        (&b"logged"[..], &b""[..])
    );
    assert_eq!(envelope.client.sasl_method, b"PLAIN");
    assert!(envelope.verp.is_some());
    assert_eq!(envelope.filter.as_deref(), Some(&b"f:"[..]));
    assert_eq!(envelope.send_options, 1);
    assert_eq!((names(&batch).as_str(), batch.unread, batch.resume_at), ("a@x b@x d@x", 0, 0));
    let [first, second, third] = &batch.recipients[..] else { panic!() };
    assert_eq!((first.dsn_original.as_slice(), first.dsn_notify), (&b"rfc822;o"[..], 0), "3 is no mask");
    assert_eq!(first.original, b"o@x");
    assert_eq!((second.dsn_notify, second.original.as_slice()), (2, &b""[..]));
    assert!(third.dsn_original.is_empty(), "that was another's");
}

#[test]
fn recipients_by_and_by() {
    let list = [(R::Recipient, "a@x"), (R::Recipient, "b@x"), (R::Done, "c@x"), (R::Recipient, "d@x")];
    let more_records = [(R::Attr, "rewrite_context=remote"), (R::Recipient, "e@x"), (R::Recipient, "f@x")];
    // Pure lists before the content, pure after it, and mixed ones.
    let before: Vec<_> = START.iter().chain(&list).copied().collect();
    let mixed: Vec<_> = before.iter().chain(&more_records).copied().collect();
    let cases = [
        (file(0, 4, &before, &[(R::FILTER, "f:")]), 4, true),
        (file(0, 4, &START, &list), 4, false),
        (file(1, 6, &mixed, &[(R::FILTER, "f:")]), 6, true),
    ];
    for (bytes, count, has_filter) in cases {
        for limit in 1..8 {
            let (mut envelope, mut batch) = read(&bytes, limit).unwrap();
            assert_eq!(envelope.filter.is_some(), has_filter, "all else is read at once");
            let mut found = names(&batch);
            let mut rounds = 0;
            while batch.resume_at != 0 {
                assert!(batch.recipients.len() as i64 <= limit);
                envelope.resume_at = batch.resume_at;
                let unread = batch.unread;
                (batch, envelope.seen_all) = more(&*bytes, &envelope, unread, limit, RULES).unwrap();
                if !batch.recipients.is_empty() {
                    found = format!("{found} {}", names(&batch));
                }
                rounds += 1;
                assert!(rounds < 10);
            }
            assert_eq!(batch.unread, 0);
            let all = if count == 4 { "a@x b@x d@x" } else { "a@x b@x d@x e@x f@x" };
            assert_eq!(found, all, "limit {limit}");
        }
    }
}

#[test]
fn damage_is_noticed() {
    let good: Vec<_> = START.iter().copied().chain([(R::Recipient, "a@x")]).collect();
    assert!(read(&file(1, 1, &good, &[]), 9).is_some());
    assert!(read(&file(1, 1, &good[1..], &[]), 9).is_none(), "no time");
    assert!(read(&file(1, 1, &[good[0], good[2]], &[]), 9).is_none(), "no sender");
    assert!(read(&file(64, 1, &good, &[]), 9).is_none(), "unknown flag");
    let (_, batch) = read(&file(1, 5, &good, &[]), 9).unwrap();
    assert_eq!(batch.unread, 0, "a wrong count only deserves a warning");
    let bytes = file(1, 1, &good, &[]);
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end], 9).is_none(), "{end}");
    }
    let wrong: Vec<_> = good.iter().copied().chain([(R::Norm, "text")]).collect();
    assert!(read(&file(1, 1, &wrong, &[]), 9).is_none(), "misplaced");
}

proptest::proptest! {
    #[test]
    fn no_file_panics(mut bytes: Vec<u8>, at in 0usize..200, byte: u8) {
        let _damaged = read(&bytes, 3);
        bytes = file(0, 3, &[START[0], START[1], (R::Recipient, "a"), (R::Recipient, "b")], &[(R::Recipient, "c")]);
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Some((mut envelope, batch)) = read(&bytes, 1) && batch.resume_at != 0 {
            envelope.resume_at = batch.resume_at;
            let _damaged = more(&*bytes, &envelope, batch.unread, 1, RULES);
        }
    }
}
