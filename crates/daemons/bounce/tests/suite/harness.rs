//! Runs the program for one client, with a cleanup service that keeps what it gets.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use ipc::Attrs;
use ipc::bounce::Request;
use queue::RecordType;
use queue::record::{Decoded, decode};

/// A message that the program posted.
#[derive(Debug, Default)]
pub(crate) struct Posted {
    pub(crate) flags: i64,
    pub(crate) sender: String,
    pub(crate) recipient: String,
    pub(crate) text: String,
    pub(crate) is_complete: bool,
}

/// A mail system without mail.
pub(crate) struct System {
    pub(crate) folder: tempfile::TempDir,
    posted: Arc<Mutex<Vec<Posted>>>,
}

/// What a request led to.
#[derive(Debug)]
pub(crate) struct Done {
    /// The status; nothing when there was no answer.
    pub(crate) status: Option<i64>,
    /// Lines of the log without the tag, the last digits of queue ids included.
    pub(crate) log: Vec<String>,
    pub(crate) posted: Vec<Posted>,
}

impl System {
    pub(crate) fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for directory in ["active", "bounce", "defer", "trace", "public", "pid"] {
            std::fs::create_dir(folder.path().join(directory)).unwrap();
        }
        let main = format!(
            "queue_directory = {}\nmyhostname = mail.example\nhash_queue_names = deferred\n\
             maillog_file =\nsmtputf8_enable = no\n{settings}\n",
            folder.path().display()
        );
        let path = folder.path().join("main.cf");
        std::fs::write(&path, main).unwrap();
        // A file that was just written is watched for a second.
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(10);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        Self { folder, posted: Arc::default() }
    }

    /// Starts the cleanup service, which answers with these status codes in turn and then with 0.
    pub(crate) fn with_cleanup(self, codes: &'static [u32]) -> Self {
        let listener = UnixListener::bind(self.folder.path().join("public/cleanup")).unwrap();
        let posted = Arc::clone(&self.posted);
        std::thread::spawn(move || {
            let codes = codes.iter().copied().chain(std::iter::repeat(0));
            for (number, (client, code)) in listener.incoming().zip(codes).enumerate() {
                let message = take(client.unwrap(), number, code);
                posted.lock().unwrap().push(message);
            }
        });
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A message in the active queue, with the given sender and two recipients.
    pub(crate) fn message(&self, id: &str, sender: &str, body: &str) {
        let mut content = Vec::new();
        for line in ["From: me@sender.example", "Subject: hi", "", body] {
            queue::encode_record(&mut content, RecordType::Norm, line.as_bytes());
        }
        let mut envelope = Vec::new();
        queue::encode_record(&mut envelope, RecordType::Time, b"1700000000 1");
        queue::encode_record(&mut envelope, RecordType::Sender, sender.as_bytes());
        queue::encode_record(&mut envelope, RecordType::Recipient, b"one@rcpt.example");
        queue::encode_record(&mut envelope, RecordType::Recipient, b"two@rcpt.example");
        queue::encode_record(&mut envelope, RecordType::Content, b"");
        let size = queue::Size {
            content_size: content.len() as i64,
            content_offset: (97 + envelope.len()) as i64,
            recipients: 2,
            content_length: content.len() as i64,
            ..queue::Size::default()
        };
        let mut file = Vec::new();
        queue::encode_record(&mut file, RecordType::Size, size.to_string().as_bytes());
        assert_eq!(file.len(), 97);
        file.extend(envelope);
        file.extend(content);
        queue::encode_record(&mut file, RecordType::Extracted, b"");
        queue::encode_record(&mut file, RecordType::Attr, b"message_id=<one@sender.example>");
        queue::encode_record(&mut file, RecordType::End, b"");
        std::fs::write(self.path("active").join(id), file).unwrap();
    }

    /// Makes one request of the service.
    pub(crate) fn request(&self, service: &str, request: &Request) -> Done {
        let mut wire = Vec::new();
        request.to_attrs().write_to(&mut wire);
        let (answer, log) = self.run(service, &wire);
        let mut rest = answer.as_slice();
        let (greeting, used) =
            Attrs::parse(rest, 1000).unwrap().unwrap_or_else(|| panic!("no greeting: {log:?}"));
        assert_eq!(greeting.text("protocol").unwrap(), b"delivery_status_protocol");
        rest = &rest[used..];
        let status =
            Attrs::parse(rest, 1000).unwrap().map(|(reply, _)| reply.int32("status").unwrap().into());
        Done { status, log, posted: std::mem::take(&mut *self.settled()) }
    }

    // The cleanup service notes a cancelled message when its thread gets to it.
    fn settled(&self) -> std::sync::MutexGuard<'_, Vec<Posted>> {
        std::thread::sleep(std::time::Duration::from_millis(50));
        self.posted.lock().unwrap()
    }

    fn run(&self, service: &str, input: &[u8]) -> (Vec<u8>, Vec<String>) {
        let mut child = program(self.folder.path())
            .args(["-SVn", service])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        let log = log.lines().map(|line| line.split_once(": ").map_or(line, |(_, text)| text).to_owned());
        (output.stdout, log.collect())
    }
}

/// The program, for this configuration.
pub(crate) fn program(configuration: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bounce"));
    command.env_clear().env("MAIL_CONFIG", configuration).env("TZ", "America/New_York");
    command
}

fn take(mut client: UnixStream, number: usize, code: u32) -> Posted {
    let greeting =
        Attrs::new().str("protocol", "cleanup_protocol").str("queue_id", format!("NEW{number:03}"));
    let mut wire = Vec::new();
    greeting.write_to(&mut wire);
    client.write_all(&wire).unwrap();
    let mut input = Vec::new();
    let mut message = Posted::default();
    let mut chunk = [0; 4096];
    let mut has_flags = false;
    loop {
        if !has_flags && let Some((attrs, used)) = Attrs::parse(&input, 1000).unwrap() {
            message.flags = attrs.number("flags").unwrap();
            input.drain(..used);
            has_flags = true;
        }
        // Records come after the flags.
        loop {
            if !has_flags {
                break;
            }
            let (kind, data, total) = match decode(&input, 0).unwrap() {
                Decoded::Record(record, total) => (record.kind, record.data.to_vec(), total),
                Decoded::Partial { .. } => break,
            };
            input.drain(..total);
            let data = String::from_utf8_lossy(&data).into_owned();
            match kind {
                RecordType::Sender => message.sender = data,
                RecordType::Recipient => message.recipient = data,
                RecordType::Cont => message.text.push_str(&data),
                RecordType::Norm => message.text.push_str(&format!("{data}\n")),
                RecordType::End => {
                    message.is_complete = true;
                    let mut wire = Vec::new();
                    Attrs::new().int("status", code).str("reason", "").write_to(&mut wire);
                    client.write_all(&wire).unwrap();
                    return message;
                }
                _ => {}
            }
        }
        match client.read(&mut chunk).unwrap() {
            0 => return message,
            count => input.extend_from_slice(&chunk[..count]),
        }
    }
}
