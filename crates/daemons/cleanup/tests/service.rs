//! The conversation with clients, good and bad.

mod common;

use std::rc::Rc;

use common::Rig;
use ferrofix_cleanup::service;
use ipc::Stream;
use ipc::cleanup::{Reply, Status, Submission, flags};
use queue::RecordType;
use tokio::net::UnixStream;

fn files(rig: &Rig) -> usize {
    ["incoming", "hold"]
        .map(|queue| std::fs::read_dir(rig.root.path().join(queue)).unwrap().count())
        .iter()
        .sum()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, future)
}

async fn send(submission: &mut Submission, records: &[(RecordType, &[u8])]) {
    for (kind, data) in records {
        submission.record(*kind, data).await.unwrap();
    }
}

const ENVELOPE: [(RecordType, &[u8]); 5] = [
    (RecordType::Time, b"1 1"),
    (RecordType::Sender, b"s@x"),
    (RecordType::Recipient, b"r@x"),
    (RecordType::Content, b""),
    (RecordType::Norm, b"Received: x"),
];

#[test]
fn messages_side_by_side() {
    let rig = Rig::new(&[]);
    let replies: Vec<Reply> = block_on(async {
        let mut clients = Vec::new();
        for size in 0..40 {
            let (client, server) = UnixStream::pair().unwrap();
            let cx = Rc::clone(&rig.cx);
            tokio::task::spawn_local(
                async move { service::serve(&cx, Stream::new(server).unwrap(), None).await },
            );
            clients.push(tokio::task::spawn_local(async move {
                let mut submission =
                    Submission::start(Stream::new(client).unwrap(), flags::MASK_EXTERNAL).await.unwrap();
                send(&mut submission, &ENVELOPE).await;
                let body = vec![b'x'; 1000];
                for _ in 0..size * 10 {
                    submission.record(RecordType::Norm, &body).await.unwrap();
                }
                send(&mut submission, &[(RecordType::Extracted, b""), (RecordType::End, b"")]).await;
                submission.finish().await.unwrap()
            }));
        }
        let mut replies = Vec::new();
        for client in clients {
            replies.push(client.await.unwrap());
        }
        replies
    });
    assert!(replies.iter().all(|reply| reply.status.is_ok()), "{replies:?}");
    assert_eq!(files(&rig), 40);
}

#[test]
fn a_client_that_goes_away_leaves_nothing() {
    let rig = Rig::new(&[]);
    block_on(async {
        let (client, server) = UnixStream::pair().unwrap();
        let client = async {
            let mut submission =
                Submission::start(Stream::new(client).unwrap(), flags::MASK_EXTERNAL).await.unwrap();
            send(&mut submission, &ENVELOPE).await;
            submission.flush().await.unwrap();
        };
        tokio::join!(client, service::serve(&rig.cx, Stream::new(server).unwrap(), None));
    });
    assert_eq!(files(&rig), 0);
}

#[test]
fn the_rest_of_a_bad_message_is_read() {
    let rig = Rig::new(&[("message_size_limit", "10000")]);
    let reply = block_on(async {
        let (client, server) = UnixStream::pair().unwrap();
        let client = async {
            let mut submission =
                Submission::start(Stream::new(client).unwrap(), flags::MASK_EXTERNAL).await.unwrap();
            send(&mut submission, &ENVELOPE).await;
            // More than fits into any socket buffer.
            for _ in 0..2000 {
                submission.record(RecordType::Norm, &[b'x'; 2000]).await.unwrap();
            }
            send(&mut submission, &[(RecordType::Extracted, b""), (RecordType::End, b"")]).await;
            submission.finish().await.unwrap()
        };
        tokio::join!(client, service::serve(&rig.cx, Stream::new(server).unwrap(), None)).0
    });
    assert_eq!(reply.status, Status::SIZE);
    assert_eq!(files(&rig), 0);
}

#[test]
fn stale_logs_are_removed() {
    let rig = Rig::new(&[]);
    block_on(async {
        let (client, server) = UnixStream::pair().unwrap();
        let client = async {
            let mut submission =
                Submission::start(Stream::new(client).unwrap(), flags::MASK_EXTERNAL).await.unwrap();
            let id = submission.queue_id().to_owned();
            let log = rig.root.path().join("bounce").join(&id);
            std::fs::write(&log, "old").unwrap();
            send(&mut submission, &ENVELOPE).await;
            send(&mut submission, &[(RecordType::Extracted, b""), (RecordType::End, b"")]).await;
            assert!(submission.finish().await.unwrap().status.is_ok());
            assert!(!log.exists());
        };
        tokio::join!(client, service::serve(&rig.cx, Stream::new(server).unwrap(), None));
    });
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Whatever the records are: no panic, and a file exists only after success.
    #[test]
    fn no_records_panic(
        client_flags in 0u32..2048,
        records in proptest::collection::vec(
            ("[MCTFSDRO/WVA>KLNXXEpwfmionrd<]", "(Received: |Content-Type: |To: |[a-z]+=|)[ -~]{0,60}"), 0..40,
        ),
    ) {
        let rig = Rig::new(&[("virtual_alias_maps", "inline:{ { a@example.com = b, c } }"), ("always_bcc", "z")]);
        let mut all = vec![('T', "1 1"), ('S', "s@x"), ('R', "a"), ('M', ""), ('N', "Received: x")];
        if records.len() % 2 == 0 {
            all.clear();
        }
        all.extend(records.iter().map(|(kind, data)| (kind.chars().next().unwrap(), data.as_str())));
        let (reply, file) = rig.run(client_flags, &all);
        assert!(file.is_none() || reply.status.is_ok());
        assert_eq!(files(&rig), usize::from(file.is_some()));
    }
}
