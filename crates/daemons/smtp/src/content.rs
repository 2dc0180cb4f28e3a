//! The message itself, from the queue file to the wire.

use std::fs::File;
use std::rc::Rc;

use ::delivery::Job;
use message::Ending;
use message::checks::{self, Place, Verdict};
use message::header::HeaderTable;
use message::mime::{Event, Header, HeaderClass, Input, Limits, Machine, MimeError, Options};
use queue::{RecordReader, RecordType};
use smtp::content::ContentWriter;
use table::Maps;

use crate::Client;
use crate::rewrite;
use crate::session::Session;
use crate::wire::{Broken, WRITE_SIZE};

/// Why content did not get through.
#[derive(Debug)]
pub(crate) enum ContentError {
    /// The connection is at fault.
    Broken(Broken),
    /// The message is: it has a structure that cannot be converted.
    Mime(MimeError),
    /// The queue file is.
    Unreadable(String),
}

impl From<Broken> for ContentError {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// The tables of header and body checks.
pub(crate) struct Checks {
    pub(crate) header: Maps,
    pub(crate) mime: Maps,
    pub(crate) nested: Maps,
    pub(crate) body: Maps,
}

impl Checks {
    fn has_header(&self) -> bool {
        !self.header.is_empty() || !self.mime.is_empty() || !self.nested.is_empty()
    }

    fn is_empty(&self) -> bool {
        !self.has_header() && self.body.is_empty()
    }
}

/// Whether 8-bit content is converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conversion {
    None,
    SevenBit,
}

/// Lines to put before the message, with their values in internal form.
pub(crate) type Prefix = Vec<(&'static str, &'static str, Vec<u8>, &'static str)>;

/// Sends the content, all but its end. What is left in the buffer goes out with the end.
pub(crate) async fn send(
    client: &Client,
    session: &mut Session,
    job: &Job,
    prefix: Prefix,
    conversion: Conversion,
) -> Result<(), ContentError> {
    let line_limit = usize::try_from(client.settings.params.smtp_line_length_limit).unwrap_or(0);
    let mut sender = Sender {
        client,
        session,
        queue_id: &job.request.queue_id,
        writer: ContentWriter::new(line_limit),
        told: false,
    };
    let mut machine = sender.machine(conversion);
    for (name, open, address, close) in prefix {
        let line = sender.added_header(name, open, &address, close).await?;
        sender.record(machine.as_mut(), Ending::Line, &line).await?;
    }
    let mut reader = reader(job);
    let last = loop {
        match reader.next() {
            Ok(Some(record)) if record.kind == RecordType::Norm => {
                sender.record(machine.as_mut(), Ending::Line, record.data).await?;
            }
            Ok(Some(record)) if record.kind == RecordType::Cont => {
                sender.record(machine.as_mut(), Ending::Part, record.data).await?;
            }
            Ok(Some(record)) => break Some(record.kind),
            Ok(None) => break None,
            Err(error) => return Err(ContentError::Unreadable(error.to_string())),
        }
    };
    if let Some(machine) = &mut machine {
        sender.events(machine, Input::End).await?;
    }
    sender.writer.finish(&mut sender.session.wire.out);
    match last {
        Some(RecordType::Extracted) => Ok(()),
        Some(other) => {
            Err(ContentError::Unreadable(format!("bad record type: {} in message content", other.as_byte())))
        }
        None => Err(ContentError::Unreadable("bad record type: -1 in message content".to_owned())),
    }
}

fn reader(job: &Job) -> RecordReader<&File> {
    let size = usize::try_from(job.request.data_size).unwrap_or(0);
    // Records have a few bytes of their own, and the end of the content is to be seen as well.
    let mut reader = RecordReader::new(&job.file).first_read(size + size / 16 + 512);
    reader.seek(u64::try_from(job.request.data_offset).unwrap_or(0));
    reader
}

struct Sender<'a> {
    client: &'a Client,
    session: &'a mut Session,
    queue_id: &'a str,
    writer: ContentWriter,
    told: bool,
}

impl Sender<'_> {
    /// A MIME parser, if anything needs one.
    fn machine(&self, conversion: Conversion) -> Option<Machine> {
        let client = self.client;
        let checks = !client.checks.is_empty();
        let options = match conversion {
            Conversion::SevenBit => Options::DOWNGRADE | Options::REPORT_NESTING,
            Conversion::None if checks => Options::NONE,
            Conversion::None if client.generic.is_some() => Options::DISABLE_MIME,
            Conversion::None => return None,
        };
        let common = &client.settings.common;
        let size = |value: i64| usize::try_from(value).unwrap_or(usize::MAX);
        let limits = Limits {
            header_size: size(common.header_size_limit),
            nesting: size(common.mime_nesting_limit),
            boundary_length: size(common.mime_boundary_length_limit),
        };
        Some(Machine::new(options, limits, Rc::clone(&client.header_table)))
    }

    async fn added_header(
        &mut self,
        name: &str,
        open: &str,
        address: &[u8],
        close: &str,
    ) -> Result<Vec<u8>, ContentError> {
        let mapped = match &self.client.generic {
            Some(generic) => generic.map(address).await.map_err(|_| self.data_error())?,
            None => None,
        };
        let address = mapped.as_deref().unwrap_or(address);
        let external = if address.is_empty() { Vec::new() } else { address::quote_822_local(address) };
        Ok([format!("{name}: {open}").as_bytes(), &external, close.as_bytes()].concat())
    }

    async fn record(
        &mut self,
        machine: Option<&mut Machine>,
        ending: Ending,
        text: &[u8],
    ) -> Result<(), ContentError> {
        match machine {
            Some(machine) => self.events(machine, Input::Text(ending, text)).await,
            None => self.line(ending, text).await,
        }
    }

    async fn events(&mut self, machine: &mut Machine, input: Input<'_>) -> Result<(), ContentError> {
        for event in machine.update(input) {
            match event {
                Event::Header(header) => self.header(header).await?,
                Event::Body(line) => self.body(line.ending, &line.text).await?,
                Event::Error(error, _) => return Err(ContentError::Mime(error)),
                Event::HeadersEnd | Event::BodyEnd => {}
            }
        }
        Ok(())
    }

    async fn line(&mut self, ending: Ending, text: &[u8]) -> Result<(), ContentError> {
        self.writer.record(ending, text, &mut self.session.wire.out);
        if self.writer.take_broken() && !std::mem::replace(&mut self.told, true) {
            let limit = self.client.settings.params.smtp_line_length_limit;
            log::info!("{}: breaking line > {limit} bytes with <CR><LF>SPACE", self.queue_id);
        }
        if self.session.wire.out.len() >= WRITE_SIZE {
            let rate = u64::try_from(self.client.settings.params.smtp_min_data_rate).unwrap_or(1);
            self.session.wire.flush_at(rate).await?;
        }
        Ok(())
    }

    async fn header(&mut self, header: Header) -> Result<(), ContentError> {
        let mut text = header.text;
        if self.client.checks.has_header() {
            let checks = &self.client.checks;
            let (maps, parameter) = match checks::table_class(header.class, header.info) {
                HeaderClass::Primary => (&checks.header, "header_checks"),
                HeaderClass::Multipart => (&checks.mime, "mime_header_checks"),
                HeaderClass::Nested => (&checks.nested, "nested_header_checks"),
            };
            match self.checked(maps, parameter, Place::Header, text).await? {
                Some(new) => text = new,
                None => return Ok(()),
            }
        }
        let is_address = header.info.is_some_and(|info| info.is_sender() || info.is_recipient());
        if let Some(generic) = &self.client.generic
            && is_address
            && header.class == HeaderClass::Primary
            && let Some((name, value)) = bytes::split_once(&text, b':')
        {
            let mapped = generic.header_value(value).await.map_err(|_| self.data_error())?;
            if let Some(value) = mapped {
                let whole = [name, b": ".as_slice(), &value].concat();
                for line in rewrite::fold(&whole) {
                    self.line(Ending::Line, &line).await?;
                }
                return Ok(());
            }
        }
        for line in text.split(|&byte| byte == b'\n') {
            self.line(Ending::Line, line).await?;
        }
        Ok(())
    }

    async fn body(&mut self, ending: Ending, text: &[u8]) -> Result<(), ContentError> {
        if self.client.checks.body.is_empty() {
            return self.line(ending, text).await;
        }
        match self.checked(&self.client.checks.body, "body_checks", Place::Body, text.to_vec()).await? {
            Some(text) => self.line(ending, &text).await,
            None => Ok(()),
        }
    }

    /// The text after checks; `None` if it is to be left out. Text put before it is sent here.
    async fn checked(
        &mut self,
        maps: &Maps,
        parameter: &str,
        place: Place,
        text: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, ContentError> {
        if maps.is_empty() {
            return Ok(Some(text));
        }
        let found = match maps.find(&text).await {
            Ok(Some(found)) => found.value,
            Ok(None) => return Ok(Some(text)),
            Err(_) => {
                log::warning!("{}: smtp {} checks lookup error", self.queue_id, place.word());
                return Err(self.data_error());
            }
        };
        let parameter = self.client.settings.name(parameter);
        let outcome = checks::apply(&parameter, place, &found);
        if let Some(warning) = outcome.warning {
            log::warning!("{}: {warning}", self.queue_id);
        }
        if let Some((action, why)) = outcome.log {
            let colon = if why.is_empty() { "" } else { ": " };
            log::info!(
                "{}: {action}: {} {}{colon}{}",
                self.queue_id,
                place.word(),
                bytes::show_limited(&text, 200),
                bytes::show(why)
            );
        }
        match outcome.verdict {
            Verdict::Keep => Ok(Some(text)),
            Verdict::Remove => Ok(None),
            Verdict::Replace(new) => Ok(Some(new.to_vec())),
            Verdict::Prepend(before) => {
                let before = before.to_vec();
                self.line(Ending::Line, &before).await?;
                Ok(Some(text))
            }
        }
    }

    fn data_error(&mut self) -> ContentError {
        self.session.data_error = true;
        ContentError::Broken(Broken::LocalData)
    }
}

/// Whether the message has been delivered to this address before.
pub(crate) fn has_delivered_to(job: &Job, address: &[u8]) -> bool {
    let mut seen = message::delivered::DeliveredTo::new(address::casefold);
    let mut reader = reader(job);
    while let Ok(Some(record)) = reader.next() {
        let ending = match record.kind {
            RecordType::Norm => Ending::Line,
            RecordType::Cont => Ending::Part,
            _ => break,
        };
        if seen.record(ending, record.data).is_break() {
            break;
        }
    }
    seen.contains(address)
}

/// What headers mean, for the MIME parser.
pub(crate) fn header_table() -> Rc<HeaderTable> {
    Rc::new(HeaderTable::default())
}
