//! From standard input to postdrop(1).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::rc::Rc;

use command::{Fatal, Startup, fatal};
use ipc::cleanup::Status;
use ipc::{Attrs, deliver};
use message::Ending;
use message::header::HeaderTable;
use message::mime::{self, Event, Input, Limits, Machine};
use queue::envelope::Size;
use queue::{RecordType, record};

use crate::options::Options;
use crate::recipients::{self, Recipients};
use crate::{SendmailParams, user};

const PROTOCOL: &[u8] = b"postdrop_protocol";

/// Records gather up to this size before postdrop gets them.
const CHUNK: usize = 32 * 1024;

/// Submits one message.
pub(crate) fn enqueue(startup: &Startup, params: &SendmailParams, options: &Options) -> Result<(), Fatal> {
    let uid = sys::identity::real_uid();
    let sender = sender(options, uid)?;
    let mut postdrop = Postdrop::start(startup, params, &sender, uid)?;
    let mut count = write_envelope(&mut postdrop, options, &sender)?;
    postdrop.record(RecordType::Content, b"")?;
    let found = if options.flags & deliver::FLAGS_TRACE_ONLY != 0 {
        write_probe(&mut postdrop, options, &sender)?;
        Vec::new()
    } else {
        write_message(&mut postdrop, params, options)?
    };
    postdrop.record(RecordType::Extracted, b"")?;
    for address in found {
        postdrop.recipient(&address, options.dsn_notify)?;
        count += 1;
    }
    if count == 0 {
        let why = if options.extract_recipients {
            "No recipient addresses found in message header"
        } else {
            "Recipient addresses must be specified on the command line or via the -t option"
        };
        return Err(postdrop.fatal(why));
    }
    postdrop.record(RecordType::End, b"")?;
    postdrop.finish()?;
    if options.flags & deliver::FLAGS_TRACE != 0 {
        let mut out = io::stdout().lock();
        let text = [b"Mail Delivery Status Report will be mailed to <", sender.as_slice(), b">.\n"].concat();
        let _nobody_reads = out.write_all(&text).and_then(|()| out.flush());
    }
    Ok(())
}

fn sender(options: &Options, uid: u32) -> Result<Vec<u8>, Fatal> {
    let Some(given) = &options.sender else {
        return user::login_name().ok_or_else(|| fatal!("no login name found for user ID {uid}"));
    };
    let mut addresses = recipients::addresses(given);
    if addresses.len() > 1 {
        log::warning!("-f option specified malformed sender: {}", bytes::show(given));
    }
    Ok(if addresses.is_empty() { Vec::new() } else { addresses.swap_remove(0) })
}

/// How many recipients the command line has.
fn write_envelope(postdrop: &mut Postdrop, options: &Options, sender: &[u8]) -> Result<usize, Fatal> {
    if options.send_options != 0 {
        // Only the options are known at this point.
        let size = Size {
            content_size: -1,
            content_offset: -1,
            recipients: -1,
            flags: -1,
            content_length: -1,
            send_options: options.send_options,
            ..Size::default()
        };
        postdrop.record(RecordType::Size, size.to_string().as_bytes())?;
    }
    if let Some(envid) = &options.dsn_envid {
        postdrop.attribute("envelope_id", envid)?;
    }
    if options.dsn_ret != 0 {
        postdrop.attribute("ret_flags", options.dsn_ret.to_string().as_bytes())?;
    }
    postdrop.attribute("rewrite_context", if options.is_gateway { b"remote" } else { b"local" })?;
    if let Some(name) = options.full_name.clone().or_else(user::full_name) {
        postdrop.record(RecordType::FullName, &name)?;
    }
    postdrop.record(RecordType::Sender, sender)?;
    if options.verp.is_some() && sender.is_empty() {
        return Err(postdrop.fatal("-V option requires non-null sender address"));
    }
    if let Some(encoding) = options.encoding {
        postdrop.attribute("encoding", encoding.as_bytes())?;
    }
    let trace = options.flags & deliver::FLAGS_TRACE;
    if trace != 0 {
        postdrop.attribute("trace_flags", trace.to_string().as_bytes())?;
    }
    if let Some(delimiters) = &options.verp {
        postdrop.record(RecordType::Verp, delimiters.as_bytes())?;
    }
    let mut count = 0;
    for argument in &options.recipients {
        let addresses = recipients::addresses(argument.as_bytes());
        for address in &addresses {
            postdrop.recipient(address, options.dsn_notify)?;
        }
        // An argument without an address is a recipient that bounces.
        if addresses.is_empty() {
            postdrop.record(RecordType::Recipient, b"")?;
        }
        count += addresses.len().max(1);
    }
    Ok(count)
}

fn write_probe(postdrop: &mut Postdrop, options: &Options, sender: &[u8]) -> Result<(), Fatal> {
    if !sender.is_empty() {
        postdrop.record(RecordType::Norm, &[b"From: ", sender].concat())?;
    }
    postdrop.record(RecordType::Norm, b"Subject: probe")?;
    let Some((last, others)) = options.recipients.split_last() else { return Ok(()) };
    postdrop.record(RecordType::Cont, b"To:")?;
    for recipient in others {
        postdrop.record(RecordType::Norm, &[b"\t", recipient.as_bytes(), b","].concat())?;
    }
    postdrop.record(RecordType::Norm, &[b"\t", last.as_bytes()].concat())
}

/// The recipients in its headers, if they are asked for.
fn write_message(
    postdrop: &mut Postdrop,
    params: &SendmailParams,
    options: &Options,
) -> Result<Vec<Vec<u8>>, Fatal> {
    let limit = params.line_length_limit.max(1) as usize;
    let mut lines = Lines::new(params, options.dot_ends)?;
    let mut extractor = options.extract_recipients.then(|| Extractor::new(params, limit));
    while let Some((ending, line)) =
        lines.next().map_err(|why| postdrop.fatal(&format!("error reading input: {why}")))?
    {
        match &mut extractor {
            Some(extractor) => extractor.take(Input::Text(ending, line), postdrop)?,
            None => postdrop.text(ending, line)?,
        }
    }
    match extractor {
        Some(mut extractor) => {
            extractor.take(Input::End, postdrop)?;
            Ok(extractor.recipients.into_list())
        }
        None => Ok(Vec::new()),
    }
}

/// Passes the message on while it looks at the headers.
struct Extractor {
    machine: Machine,
    recipients: Recipients,
    line_limit: usize,
}

impl Extractor {
    fn new(params: &SendmailParams, line_limit: usize) -> Self {
        let options = mime::Options::DISABLE_MIME | mime::Options::REPORT_TRUNCATED_HEADER;
        let header_size = params.header_size_limit.max(1) as usize;
        let limits = Limits { header_size, nesting: 1, boundary_length: 1 };
        let machine = Machine::new(options, limits, Rc::new(HeaderTable::new("")));
        Self { machine, recipients: Recipients::default(), line_limit }
    }

    fn take(&mut self, input: Input<'_>, postdrop: &mut Postdrop) -> Result<(), Fatal> {
        for event in self.machine.update(input) {
            match event {
                Event::Header(header) => {
                    self.recipients.look_at(&header);
                    for line in header.text.split(|&byte| byte == b'\n') {
                        postdrop.long_line(line, self.line_limit)?;
                    }
                }
                Event::Body(line) => postdrop.text(line.ending, &line.text)?,
                _ => {}
            }
        }
        match self.machine.errors().worst() {
            None => Ok(()),
            Some(error) => Err(postdrop.fatal(&format!("unable to extract recipients: {}", error.text()))),
        }
    }
}

/// Lines of standard input, in pieces of `line_length_limit` bytes.
struct Lines {
    input: BufReader<io::StdinLock<'static>>,
    line: Vec<u8>,
    limit: usize,
    dot_ends: bool,
    skips_from: bool,
    strips_cr: Option<bool>,
    previous: Ending,
}

impl Lines {
    fn new(params: &SendmailParams, dot_ends: bool) -> Result<Self, Fatal> {
        let strips_cr = match params.sendmail_fix_line_endings.as_str() {
            "always" => Some(true),
            "never" => Some(false),
            // As the first line has it.
            "strict" => None,
            other => return Err(fatal!("invalid sendmail_fix_line_endings value: {other}")),
        };
        Ok(Self {
            input: BufReader::with_capacity(64 * 1024, io::stdin().lock()),
            line: Vec::new(),
            limit: params.line_length_limit.max(1) as usize,
            dot_ends,
            skips_from: true,
            strips_cr,
            previous: Ending::Line,
        })
    }

    /// The next line or part of one; `None` at the end.
    fn next(&mut self) -> io::Result<Option<(Ending, &[u8])>> {
        loop {
            let Some(ending) = self.read()? else { return Ok(None) };
            let is_whole = ending == Ending::Line;
            if is_whole && self.strips_cr.is_none() {
                self.strips_cr = Some(self.line.last() == Some(&b'\r'));
            }
            if self.skips_from {
                // mbox separators in front of the headers.
                let text = self.line.iter().position(|&byte| byte != b'>').and_then(|at| self.line.get(at..));
                if is_whole && text.is_some_and(|text| text.starts_with(b"From ")) {
                    continue;
                }
                self.skips_from = false;
            }
            if is_whole && self.strips_cr == Some(true) {
                while self.line.last() == Some(&b'\r') {
                    self.line.pop();
                }
            }
            let begins_line = std::mem::replace(&mut self.previous, ending) == Ending::Line;
            if self.dot_ends && begins_line && self.line == b"." {
                return Ok(None);
            }
            return Ok(Some((ending, &self.line)));
        }
    }

    fn read(&mut self) -> io::Result<Option<Ending>> {
        self.line.clear();
        let mut piece = (&mut self.input).take(self.limit as u64);
        let length = piece.read_until(b'\n', &mut self.line)?;
        if length == 0 {
            return Ok(None);
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            return Ok(Some(Ending::Line));
        }
        Ok(Some(Ending::Part))
    }
}

/// A running postdrop(1).
struct Postdrop {
    child: Child,
    input: Option<ChildStdin>,
    buffer: Vec<u8>,
    sender: String,
    uid: u32,
}

impl Postdrop {
    fn start(startup: &Startup, params: &SendmailParams, sender: &[u8], uid: u32) -> Result<Self, Fatal> {
        let sender = bytes::show(sender).to_string();
        let path = format!("{}/postdrop", params.command_directory);
        let mut command = Command::new(&path);
        command.arg("-r").args(vec!["-v"; log::verbose().into()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // postdrop cleans its environment itself; where the configuration is it must know.
        command.env("MAIL_CONFIG", startup.main.path());
        let unable =
            |why: &dyn std::fmt::Display| fatal!("{sender}({uid}): unable to execute {path} -r: {why}");
        let mut child = command.spawn().map_err(|error| unable(&queue::reason(&error)))?;
        let input = child.stdin.take();
        let mut postdrop =
            Self { child, input, buffer: Vec::with_capacity(CHUNK), sender: sender.clone(), uid };
        match postdrop.answer() {
            Ok(greeting) if greeting.text("protocol").is_ok_and(|protocol| protocol == PROTOCOL) => {
                Ok(postdrop)
            }
            _ => {
                if let Ok(status) = postdrop.child.wait()
                    && let Some(code) = status.code().filter(|code| *code != 0)
                {
                    log::warning!("command \"{path} -r\" exited with status {code}");
                }
                Err(unable(&"Application error"))
            }
        }
    }

    fn fatal(&self, why: &str) -> Fatal {
        fatal!("{}({}): {why}", self.sender, self.uid)
    }

    fn record(&mut self, kind: RecordType, data: &[u8]) -> Result<(), Fatal> {
        record::encode(&mut self.buffer, kind, data);
        if self.buffer.len() < CHUNK {
            return Ok(());
        }
        self.flush()
    }

    fn attribute(&mut self, name: &str, value: &[u8]) -> Result<(), Fatal> {
        self.record(RecordType::Attr, &[name.as_bytes(), b"=", value].concat())
    }

    fn recipient(&mut self, address: &[u8], notify: u32) -> Result<(), Fatal> {
        if notify != 0 {
            self.attribute("notify_flags", notify.to_string().as_bytes())?;
        }
        self.record(RecordType::Recipient, address)
    }

    fn text(&mut self, ending: Ending, text: &[u8]) -> Result<(), Fatal> {
        let kind = if ending == Ending::Line { RecordType::Norm } else { RecordType::Cont };
        self.record(kind, text)
    }

    fn long_line(&mut self, mut line: &[u8], limit: usize) -> Result<(), Fatal> {
        while let Some((head, tail)) = line.split_at_checked(limit).filter(|(_, tail)| !tail.is_empty()) {
            self.record(RecordType::Cont, head)?;
            line = tail;
        }
        self.record(RecordType::Norm, line)
    }

    fn flush(&mut self) -> Result<(), Fatal> {
        let written = self.input.as_mut().map_or(Ok(()), |input| input.write_all(&self.buffer));
        self.buffer.clear();
        written.map_err(|error| self.fatal(&format!("error writing queue file: {}", queue::reason(&error))))
    }

    fn finish(mut self) -> Result<(), Fatal> {
        self.flush()?;
        let answer = self.answer();
        drop(self.input.take());
        let ended = self.child.wait();
        let (status, reason) = match answer {
            Ok(answer) => {
                let reason =
                    answer.text("reason").map(|text| bytes::show(text).to_string()).unwrap_or_default();
                (Status(answer.flags("status").unwrap_or(Status::WRITE.0)), reason)
            }
            // It ended without a word: its exit status is what we have.
            Err(_) => {
                let code = ended.ok().and_then(|status| status.code()).unwrap_or(1);
                (if code == 0 { Status::WRITE } else { Status(code as u32) }, String::new())
            }
        };
        if status.is_ok() {
            return Ok(());
        }
        let why = if reason.is_empty() { status.detail().text } else { &reason };
        Err(self.fatal(why))
    }

    fn answer(&mut self) -> ipc::Result<Attrs> {
        const LIMIT: usize = 10_000;
        let output = self.child.stdout.as_mut().ok_or(ipc::Error::Missing("protocol"))?;
        let (mut input, mut byte) = (Vec::new(), [0]);
        loop {
            if let Some((attrs, _)) = Attrs::parse(&input, LIMIT)? {
                return Ok(attrs);
            }
            if output.read(&mut byte)? == 0 || input.len() > LIMIT {
                return Err(ipc::Error::Missing("status"));
            }
            input.extend_from_slice(&byte);
        }
    }
}
