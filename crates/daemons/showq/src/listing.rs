//! The listing itself, for any writer.
//!
//! | attributes, each `name NUL value NUL` | when |
//! |---|---|
//! | `protocol` NUL | first |
//! | `queue_name queue_id time size forced_expire sender` | per message |
//! | `original_recipient recipient log_class reason` | per recipient: first those in the defer and bounce logs, then the others |
//! | NUL | ends a message |
//! | NUL | ends the listing |

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};

use address::quote_822_local;
use queue::envelope::leading_number;
use queue::{Access, QueueId, QueueName, Ready, RecordReader, RecordType, Spool, reason};

/// The protocol's name.
pub const PROTOCOL: &str = "mail_queue_list_protocol";

/// The queues in the order of the listing.
pub const QUEUES: [QueueName; 5] =
    [QueueName::Maildrop, QueueName::Active, QueueName::Incoming, QueueName::Deferred, QueueName::Hold];

/// Output is sent in pieces of this size.
const PIECE: usize = 64 * 1024;
/// Envelopes are seldom longer, and the content need not be read.
const FIRST_READ: usize = 4096;

/// What text may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// UTF-8.
    Utf8,
    /// ASCII (`smtputf8_enable = no`).
    Ascii,
}

/// How to list which queue.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The queue.
    pub spool: Spool,
    /// What the null address is shown as.
    pub null_address: Vec<u8>,
    /// How many logged recipients of a message to remember, 0 for all, so as not to list them twice.
    pub duplicate_limit: usize,
    /// What text may hold.
    pub text: Text,
}

/// Why the listing broke off.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The reader is gone.
    #[error("write: {}", reason(.0))]
    Client(io::Error),
    /// A queue directory cannot be read.
    #[error("open directory {queue}: {}", reason(.why))]
    Queue {
        /// The queue.
        queue: QueueName,
        /// Why not.
        why: io::Error,
    },
}

impl Listing {
    /// Lists everything.
    pub fn write(&self, mut client: impl Write) -> Result<(), Fault> {
        let mut out = Vec::with_capacity(PIECE + FIRST_READ);
        put(&mut out, "protocol", PROTOCOL.as_bytes());
        out.push(0);
        for queue in QUEUES {
            self.write_queue(queue, &mut out, &mut client)?;
        }
        out.push(0);
        send(&mut out, &mut client)?;
        client.flush().map_err(Fault::Client)
    }

    fn write_queue(&self, queue: QueueName, out: &mut Vec<u8>, client: &mut impl Write) -> Result<(), Fault> {
        let mut last = None;
        let mut scan = self.spool.scan(queue).map_err(|why| Fault::Queue { queue, why })?;
        for id in scan.by_ref() {
            let Ok(id) = id else { continue };
            if last.as_ref() == Some(&id) {
                log::warning!("readdir loop on queue {queue} id {id}");
                break;
            }
            match self.spool.open_ready(queue, &id, Access::Read) {
                Ok(Some((file, ready))) => self.message(queue, &id, &file, &ready, out),
                Ok(None) => {}
                Err(why) => log::warning!("open {queue} {id}: {}", reason(&why)),
            }
            if out.len() >= PIECE {
                send(out, client)?;
            }
            last = Some(id);
        }
        scan.take_fault().map_or(Ok(()), |why| Err(Fault::Queue { queue, why }))
    }

    /// Appends one message, if it has a sender.
    pub fn message(&self, queue: QueueName, id: &QueueId, file: &File, ready: &Ready, out: &mut Vec<u8>) {
        let mut message = Message {
            listing: self,
            queue,
            id,
            ready,
            arrival: 0,
            size: None,
            sender_seen: false,
            original: None,
            logged: HashSet::new(),
        };
        message.write(file, out);
        if message.sender_seen {
            out.push(0);
        }
    }

    /// An address or a text in the form in which it may leave.
    fn printable(&self, text: &[u8]) -> Vec<u8> {
        let mut shown = bytes::printable(text, b'?');
        if self.text == Text::Ascii {
            shown.iter_mut().filter(|c| !c.is_ascii()).for_each(|c| *c = b'?');
        }
        shown
    }

    fn address(&self, address: &[u8]) -> Vec<u8> {
        self.printable(&quote_822_local(address))
    }
}

/// A message on its way into the listing.
struct Message<'a> {
    listing: &'a Listing,
    queue: QueueName,
    id: &'a QueueId,
    ready: &'a Ready,
    arrival: i64,
    /// Size of the content, from a good size record.
    size: Option<u64>,
    sender_seen: bool,
    original: Option<Vec<u8>>,
    /// Recipients that the logs have, with reasons.
    logged: HashSet<Vec<u8>>,
}

impl Message<'_> {
    fn write(&mut self, file: &File, out: &mut Vec<u8>) {
        let mut reader = RecordReader::new(file).first_read(FIRST_READ);
        loop {
            let record = match reader.next() {
                Ok(Some(record)) => record,
                Ok(None) => return,
                Err(fault) => {
                    log::warning!("{}: {fault}", self.listing.spool.name(self.queue, self.id));
                    return;
                }
            };
            let text = record.text();
            match record.kind {
                RecordType::Time if self.arrival == 0 => self.arrival = leading_number(text),
                RecordType::Size => self.take_size(text),
                RecordType::Sender => {
                    let sender = self.listing.address(self.or_null(text));
                    if self.sender_seen {
                        self.skip_rest("duplicate sender address", &sender);
                        return;
                    }
                    self.sender_seen = true;
                    self.put_sender(&sender, out);
                    self.put_logged(QueueName::Defer, out);
                    self.put_logged(QueueName::Bounce, out);
                }
                RecordType::OriginalRecipient | RecordType::Recipient if !self.sender_seen => {
                    self.skip_rest("missing sender address", b"");
                    return;
                }
                RecordType::OriginalRecipient => self.original = Some(self.listing.address(text)),
                RecordType::Recipient => {
                    let recipient = self.listing.address(self.or_null(text));
                    let original = self.original.take();
                    if !self.logged.contains(&recipient) {
                        put_recipient(out, original.as_ref().unwrap_or(&recipient), &recipient, b"", b"");
                    }
                }
                RecordType::Content => {
                    if let Some(size) = self.size {
                        let end = reader.offset().saturating_add(size);
                        reader.seek(end);
                    }
                }
                _ => {}
            }
        }
    }

    fn or_null<'b>(&'b self, address: &'b [u8]) -> &'b [u8] {
        if address.is_empty() { &self.listing.null_address } else { address }
    }

    /// In maildrop it is preliminary; after `postsuper -r` there may be one of an earlier life behind the first.
    fn take_size(&mut self, text: &[u8]) {
        if self.size.is_some() || self.queue == QueueName::Maildrop {
            return;
        }
        let plain = text.iter().all(|c| c.is_ascii_digit() || *c == b' ');
        if plain {
            self.size = u64::try_from(leading_number(text)).ok();
            return;
        }
        log::warning!(
            "{}: malformed size record: {} -- using file size instead",
            self.id,
            bytes::show_limited(text, 100)
        );
    }

    fn skip_rest(&self, fault: &str, address: &[u8]) {
        let (id, address) = (self.id, bytes::show(address));
        log::warning!("{id}: {fault}: {address} -- skipping remainder of this file");
    }

    fn put_sender(&self, sender: &[u8], out: &mut Vec<u8>) {
        use std::os::unix::fs::MetadataExt;
        let time = if self.arrival > 0 { self.arrival } else { self.ready.status.mtime() };
        put(out, "queue_name", self.queue.as_str().as_bytes());
        put(out, "queue_id", self.id.as_bytes());
        put_number(out, "time", time);
        put_number(out, "size", self.size.unwrap_or(self.ready.size()));
        put_number(out, "forced_expire", u8::from(self.ready.is_expired_by_force()));
        put(out, "sender", sender);
    }

    /// Recipients in a log, with reasons. Those in the bounce log are out of the message already, and wait for the
    /// notification that will be sent when the others are done.
    fn put_logged(&mut self, queue: QueueName, out: &mut Vec<u8>) {
        let Ok(log) = self.listing.spool.read_bounce_log(queue, self.id) else {
            return;
        };
        for entry in log {
            let shown = |text: &[u8]| self.listing.printable(text);
            let recipient = shown(&entry.recipient);
            let original = shown(&entry.original_recipient);
            put_recipient(out, &original, &recipient, queue.as_str().as_bytes(), &shown(&entry.reason));
            let limit = self.listing.duplicate_limit;
            if limit == 0 || self.logged.len() < limit {
                self.logged.insert(recipient);
            }
        }
    }
}

fn put_recipient(out: &mut Vec<u8>, original: &[u8], recipient: &[u8], class: &[u8], why: &[u8]) {
    put(out, "original_recipient", original);
    put(out, "recipient", recipient);
    put(out, "log_class", class);
    put(out, "reason", why);
}

fn put(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    out.extend_from_slice(value);
    out.push(0);
}

fn put_number(out: &mut Vec<u8>, name: &str, value: impl std::fmt::Display) {
    put(out, name, value.to_string().as_bytes());
}

fn send(out: &mut Vec<u8>, client: &mut impl Write) -> Result<(), Fault> {
    let sent = client.write_all(out).map_err(Fault::Client);
    out.clear();
    sent
}
