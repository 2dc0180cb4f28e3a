//! The listing: who to ask for it, and how it is read.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use command::{Fatal, fatal};

use crate::json::Json;
use crate::mailq::Mailq;
use crate::{Tool, user};

/// Output goes out in pieces of this size, or when there is nothing to read at the moment.
const PIECE: usize = 64 * 1024;
/// Longest attribute; there is no message with a longer one.
const LONGEST: u64 = 1 << 20;
const PROTOCOL: &[u8] = b"mail_queue_list_protocol";

/// How the listing looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For people, as Sendmail's mailq.
    Mailq,
    /// One JSON object a line.
    Json,
}

/// A message as showq(8) describes it.
#[derive(Debug, Default)]
pub struct Message {
    /// The queue.
    pub queue_name: Vec<u8>,
    /// Its id.
    pub queue_id: Vec<u8>,
    /// Seconds since 1970.
    pub time: i64,
    /// Bytes.
    pub size: i64,
    /// Whether it will be returned at the next attempt.
    pub forced_expire: bool,
    /// The sender.
    pub sender: Vec<u8>,
}

/// One recipient of it.
#[derive(Debug, Default)]
pub struct Recipient {
    /// Before aliases and maps.
    pub original: Vec<u8>,
    /// Now.
    pub address: Vec<u8>,
    /// The log that knows why it is not done: `defer`, `bounce`, or none.
    pub log_class: Vec<u8>,
    /// Why it is not done.
    pub reason: Vec<u8>,
}

/// Makes text of a listing.
pub trait Format {
    /// A message begins.
    fn message(&mut self, message: &Message, out: &mut Vec<u8>);
    /// A recipient of the last message.
    fn recipient(&mut self, recipient: &Recipient, out: &mut Vec<u8>);
    /// The message ends.
    fn message_end(&mut self, out: &mut Vec<u8>);
    /// The listing ends.
    fn end(&mut self, out: &mut Vec<u8>);
}

/// Shows the queue.
pub(crate) fn run(tool: &Tool, style: Style) -> Result<(), Fatal> {
    let users = &tool.params.authorized_mailq_users;
    if let Some((name, uid)) = user::refused(tool, "authorized_mailq_users", users)? {
        return Err(fatal!("User {name}({uid}) is not allowed to view the mail queue"));
    }
    let service = &tool.params.showq_service_name;
    let mail_name = &tool.startup.params.mail_name;
    let why = match UnixStream::connect(format!("public/{service}")) {
        Ok(showq) => return show(tool, style, showq),
        Err(why) => why,
    };
    let reason = queue::reason(&why);
    // The mail system is not down just because this user may not reach it.
    if why.kind() == io::ErrorKind::PermissionDenied {
        return Err(fatal!("Connect to the {mail_name} {service} service: {reason}"));
    }
    if sys::identity::effective_uid() != 0 {
        return Err(fatal!(
            "Queue report unavailable - mail system is down (Connect to the {mail_name} {service} service: {reason})"
        ));
    }
    log::warning!(
        "Mail system is down -- accessing queue directly (Connect to the {mail_name} {service} service: {reason})"
    );
    run_showq(tool, style)
}

/// Runs showq(8) itself, as the mail system's user.
fn run_showq(tool: &Tool, style: Style) -> Result<(), Fatal> {
    let path = format!("{}/{}", tool.startup.params.daemon_directory, tool.params.showq_service_name);
    let failed = || fatal!("Error running {path}");
    let mut child = Command::new(&path)
        .args(["-u", "-S"])
        .args((0..log::verbose()).map(|_| "-v"))
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|_| failed())?;
    if let Some(output) = child.stdout.take() {
        show(tool, style, output)?;
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(failed()),
    }
}

fn show(tool: &Tool, style: Style, showq: impl Read) -> Result<(), Fatal> {
    let mut json;
    let mut mailq;
    let format: &mut dyn Format = match style {
        Style::Json => {
            json = Json::default();
            &mut json
        }
        Style::Mailq => {
            mailq = Mailq::new(tool.params.enable_long_queue_ids);
            &mut mailq
        }
    };
    let text = if tool.params.smtputf8_enable { Text::Utf8 } else { Text::Ascii };
    let mut listing = Listing { input: BufReader::with_capacity(PIECE, showq), text, scratch: Vec::new() };
    match copy(&mut listing, format, &mut io::stdout().lock()) {
        Ok(()) => Ok(()),
        Err(Broken::Input) => Err(fatal!("malformed showq server response")),
        // Whoever read our output has seen enough.
        Err(Broken::Output(why)) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(Broken::Output(why)) => Err(fatal!("output write error: {}", queue::reason(&why))),
    }
}

/// What text may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Utf8,
    Ascii,
}

/// Which side failed.
enum Broken {
    Input,
    Output(io::Error),
}

fn copy<R: Read>(
    listing: &mut Listing<R>,
    format: &mut dyn Format,
    out: &mut impl Write,
) -> Result<(), Broken> {
    let mut text = Vec::with_capacity(2 * PIECE);
    let mut message = Message::default();
    let mut recipient = Recipient::default();
    let copied = (|| {
        listing.expect("protocol", PROTOCOL)?;
        if listing.more()? {
            return Err(Broken::Input);
        }
        while listing.more()? {
            listing.message(&mut message)?;
            format.message(&message, &mut text);
            while listing.more()? {
                listing.recipient(&mut recipient)?;
                format.recipient(&recipient, &mut text);
            }
            format.message_end(&mut text);
            if text.len() >= PIECE || listing.input.buffer().is_empty() {
                out.write_all(&text).and_then(|()| out.flush()).map_err(Broken::Output)?;
                text.clear();
            }
        }
        format.end(&mut text);
        Ok(())
    })();
    let written = out.write_all(&text).and_then(|()| out.flush()).map_err(Broken::Output);
    copied.and(written)
}

/// Reads attributes in their fixed order.
struct Listing<R> {
    input: BufReader<R>,
    text: Text,
    scratch: Vec<u8>,
}

impl<R: Read> Listing<R> {
    /// Whether another attribute follows; the NUL that ends a list is consumed.
    fn more(&mut self) -> Result<bool, Broken> {
        match self.input.fill_buf() {
            Ok([0, ..]) => {
                self.input.consume(1);
                Ok(false)
            }
            Ok([]) | Err(_) => Err(Broken::Input),
            Ok(_) => Ok(true),
        }
    }

    fn message(&mut self, message: &mut Message) -> Result<(), Broken> {
        self.attribute("queue_name", &mut message.queue_name)?;
        self.attribute("queue_id", &mut message.queue_id)?;
        message.time = self.number("time")?;
        message.size = self.number("size")?;
        message.forced_expire = self.number("forced_expire")? != 0;
        self.attribute("sender", &mut message.sender)
    }

    fn recipient(&mut self, recipient: &mut Recipient) -> Result<(), Broken> {
        self.attribute("original_recipient", &mut recipient.original)?;
        self.attribute("recipient", &mut recipient.address)?;
        self.attribute("log_class", &mut recipient.log_class)?;
        self.attribute("reason", &mut recipient.reason)
    }

    fn expect(&mut self, name: &str, value: &[u8]) -> Result<(), Broken> {
        let mut found = Vec::new();
        self.attribute(name, &mut found)?;
        if found == value { Ok(()) } else { Err(Broken::Input) }
    }

    fn number(&mut self, name: &str) -> Result<i64, Broken> {
        let mut text = std::mem::take(&mut self.scratch);
        let read = self.attribute(name, &mut text);
        let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
        self.scratch = text;
        read?;
        number.ok_or(Broken::Input)
    }

    fn attribute(&mut self, name: &str, value: &mut Vec<u8>) -> Result<(), Broken> {
        self.string(value)?;
        if value != name.as_bytes() {
            log::warning!("unexpected attribute {} (expecting: {name})", bytes::show(value));
            return Err(Broken::Input);
        }
        self.string(value)?;
        let plain = value.iter().all(|c| (b' '..0x7f).contains(c));
        if !plain {
            *value = bytes::printable(value, b'?');
            if self.text == Text::Ascii {
                value.iter_mut().filter(|c| !c.is_ascii()).for_each(|c| *c = b'?');
            }
        }
        Ok(())
    }

    fn string(&mut self, value: &mut Vec<u8>) -> Result<(), Broken> {
        value.clear();
        let read = (&mut self.input).take(LONGEST).read_until(0, value);
        match read {
            Ok(_) if value.pop() == Some(0) => Ok(()),
            _ => Err(Broken::Input),
        }
    }
}

#[cfg(test)]
pub(crate) fn render(input: &[u8], format: &mut dyn Format) -> Option<String> {
    let mut listing = Listing { input: BufReader::new(input), text: Text::Utf8, scratch: Vec::new() };
    let mut out = Vec::new();
    copy(&mut listing, format, &mut out).ok()?;
    Some(String::from_utf8(out).expect("printable"))
}

#[cfg(test)]
pub(crate) const SAMPLE: &[u8] = b"protocol\0mail_queue_list_protocol\0\0\
    queue_name\0active\0queue_id\0A1B2C3D4E5\0time\x001700000000\0size\x00352\0forced_expire\x000\0sender\0MAILER-DAEMON\0\
    original_recipient\0o@example.com\0recipient\0r@example.com\0log_class\0\0reason\0\0\0\
    queue_name\0hold\0queue_id\x003Pt2mN2VXxznjll\0time\x001700000000\0size\x001048576\0forced_expire\x001\0sender\0a@b\0\
    original_recipient\0x@y\0recipient\0x@y\0log_class\0defer\0reason\0connect to y[192.0.2.1]:25: \"no\"\0\
    original_recipient\0x2@y\0recipient\0x2@y\0log_class\0bounce\0reason\0connect to y[192.0.2.1]:25: \"no\"\0\
    original_recipient\0x3@y\0recipient\0x3@y\0log_class\0\0reason\0\0\0\0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_listings() {
        for input in [&b""[..], b"protocol\0other\0\0\0", &SAMPLE[..SAMPLE.len() - 1], &SAMPLE[..60]] {
            assert!(render(input, &mut Json::default()).is_none());
        }
    }
}
