//! A cleanup service without a network: a queue in a scratch folder, tables in memory, peers that always answer.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use conf::MainCf;
use ferrofix_cleanup::config::{CleanupParams, Config, Tables};
use ferrofix_cleanup::peers::{About, LogService, Peers};
use ferrofix_cleanup::site::{LocalSite, SiteParams};
use ferrofix_cleanup::{Context, Intake, Message};
use ipc::bounce;
use ipc::cleanup::{Reply, flags};
use ipc::rewrite::Rule;
use queue::{QueueName, RecordReader, RecordType, Spool, View};
use table::LocalFuture;

/// Peers that complete addresses with `example.com` and write down what they are asked.
#[derive(Default)]
pub(crate) struct TestPeers {
    pub(crate) log: RefCell<Vec<String>>,
}

impl TestPeers {
    fn note(&self, text: String) {
        self.log.borrow_mut().push(text);
    }
}

impl Peers for TestPeers {
    fn rewrite<'a>(&'a self, rule: Rule, address: &'a [u8]) -> LocalFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let domain = match rule {
                Rule::Local => &b"@example.com"[..],
                Rule::Remote => b"@remote.invalid",
            };
            if address.is_empty() || address.contains(&b'@') || address == b"\"\"" {
                return if address == b"\"\"" { Vec::new() } else { address.to_vec() };
            }
            [address, domain].concat()
        })
    }

    fn request<'a>(&'a self, service: LogService, request: &'a bounce::Request) -> LocalFuture<'a, bool> {
        Box::pin(async move {
            self.note(match request {
                bounce::Request::Append { recipient, dsn, .. } => {
                    format!("{service:?} {} {}", bytes::show(&recipient.address), dsn.action)
                }
                bounce::Request::Flush { message, .. } => {
                    format!("{service:?} flush {} {}", message.queue, bytes::show(&message.sender))
                }
                _ => format!("{service:?} other"),
            });
            true
        })
    }

    fn bounced<'a>(
        &'a self,
        _: &'a About,
        recipient: &'a ipc::Recipient,
        dsn: dsn::Dsn,
    ) -> LocalFuture<'a, bool> {
        Box::pin(async move {
            let (address, reason) = (bytes::show(&recipient.address), bytes::show(&dsn.reason));
            self.note(format!("bounced {address} {} {reason}", dsn.status));
            true
        })
    }

    fn verified<'a>(
        &'a self,
        _: &'a About,
        recipient: &'a ipc::Recipient,
        dsn: dsn::Dsn,
    ) -> LocalFuture<'a, bool> {
        Box::pin(async move {
            self.note(format!("verified {} {}", bytes::show(&recipient.address), bytes::show(&dsn.reason)));
            true
        })
    }
}

pub(crate) struct Rig {
    pub(crate) cx: Rc<Context>,
    pub(crate) peers: Rc<TestPeers>,
    pub(crate) root: tempfile::TempDir,
}

impl Rig {
    /// A service with these settings on top of the defaults.
    pub(crate) fn new(settings: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        for queue in ["incoming", "hold", "deferred", "defer", "bounce", "trace", "active"] {
            std::fs::create_dir(root.path().join(queue)).unwrap();
        }
        let mut main = MainCf::default();
        for (name, value) in [
            ("myhostname", "mail.example.com"),
            ("mydomain", "example.com"),
            ("myorigin", "example.com"),
            ("mydestination", "example.com"),
            ("smtputf8_enable", "yes"),
            ("compatibility_level", "3.11"),
        ] {
            main.set(name, value);
        }
        for (name, value) in settings {
            main.set(name, value);
        }
        let env = Rc::new(table::Env::default());
        let config = Config::new(CleanupParams::load(&main).unwrap()).unwrap();
        let layout = queue::Layout::load(&main).unwrap();
        let peers = Rc::new(TestPeers::default());
        let cx = Context {
            tables: Tables::open(&config.params, &env),
            site: LocalSite::new(SiteParams::load(&main).unwrap(), Vec::new(), &env),
            peers: peers.clone(),
            intake: Intake::new(Spool::at(root.path(), &layout), None),
            config,
        };
        Self { cx: Rc::new(cx), peers, root }
    }

    pub(crate) fn message(&self) -> Message {
        let draft = self.cx.intake.spool.create(QueueName::Incoming).unwrap();
        Message::new(Rc::clone(&self.cx), draft)
    }

    /// Runs records through a message; the reply, and the records of its queue file if there is one.
    pub(crate) fn run(&self, client_flags: u32, records: &[(char, &str)]) -> (Reply, Option<Vec<String>>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (reply, id) = tokio::task::LocalSet::new().block_on(&runtime, async {
            let mut message = self.message();
            message.control(client_flags);
            let id = message.queue_id().to_owned();
            for (kind, data) in records {
                if !message.is_ok() {
                    break;
                }
                message.record(RecordType::from_byte(*kind as u8), data.as_bytes()).await;
            }
            (message.finish().await, id)
        });
        let file = ["incoming", "hold"].map(|queue| self.root.path().join(queue).join(&id));
        let file = file.into_iter().find(|file| file.exists());
        (reply, file.map(|file| dump(file, &id)))
    }

    /// As [`run`](Self::run), for an SMTP client's message with one sender and one recipient.
    pub(crate) fn mail(&self, lines: &[&str]) -> (Reply, Option<Vec<String>>) {
        let mut records =
            vec![('T', "1000000000 5"), ('A', "rewrite_context=local"), ('S', "sender@example.net")];
        records.extend([('R', "user@example.org"), ('M', ""), ('N', "Received: from test")]);
        records.extend(lines.iter().map(|line| ('N', *line)));
        records.extend([('X', ""), ('E', "")]);
        self.run(flags::MASK_EXTERNAL, &records)
    }
}

/// The records of a queue file as text; the queue id is shown as `QID`.
fn dump(file: PathBuf, id: &str) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt;
    let file = std::fs::File::open(file).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
    let mut reader = RecordReader::new(file).view(View::File);
    let mut records = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        let text = format!("{}{}", record.kind.as_byte() as char, String::from_utf8_lossy(record.data));
        records.push(text.replace(id, "QID"));
    }
    records
}

/// The lines of the message content, from such a dump.
pub(crate) fn content(records: &[String]) -> Vec<&str> {
    let start = records.iter().position(|record| record == "M").unwrap() + 1;
    let end = records.iter().position(|record| record == "X").unwrap();
    records[start..end].iter().map(|record| &record[1..]).collect()
}

/// The folder of one area of Postfix's own test data; `None`, with the reason printed, when it is not there.
pub(crate) fn area(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("FERROFIX_CONFORMANCE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/upstream"),
        PathBuf::from,
    );
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no conformance data at {}", folder.display());
    None
}
