//! The state machine itself.

use super::content::{ContentType, Encoding, Subtype, Type};
use super::downgrade::quoted_printable;
use super::{BodyLine, Event, Header, HeaderClass, Input, Limits, MimeError, MimeErrors, Options};
use crate::Ending;
use crate::header::{self, HeaderInfo, HeaderKind, HeaderTable};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;

/// A MIME parser at some point of a message.
pub struct Machine {
    options: Options,
    limits: Limits,
    headers: Rc<HeaderTable>,
    place: Place,
    content: Content,
    /// The header being collected, or the quoted-printable line being made.
    buffer: Vec<u8>,
    previous: Previous,
    /// One less than the entities entered, as Postfix counts them against the limit.
    nesting: i64,
    /// Open multiparts, innermost last.
    boundaries: Vec<Boundary>,
    errors: MimeErrors,
    header_offset: u64,
    body_offset: u64,
    pending: VecDeque<Pending>,
}

/// The events of one [`Machine::update`]. Events that are not taken are lost.
pub struct Events<'m, 'a> {
    machine: &'m mut Machine,
    text: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Headers(HeaderClass),
    Body,
}

#[derive(Clone, Copy, Debug)]
struct Content {
    kind: Type,
    subtype: Subtype,
    encoding: Encoding,
    domain: Encoding,
}

impl Content {
    fn seven_bit(kind: Type, subtype: Subtype) -> Self {
        Self { kind, subtype, encoding: Encoding::SevenBit, domain: Encoding::SevenBit }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Previous {
    None,
    Part,
    Other,
}

struct Boundary {
    text: Vec<u8>,
    default: (Type, Subtype),
}

enum Pending {
    Ready(Event<'static>),
    /// A body line that is the input itself.
    Body(Ending, u64),
}

impl Machine {
    /// A parser at the start of a message; `headers` says what headers mean.
    pub fn new(options: Options, limits: Limits, headers: Rc<HeaderTable>) -> Self {
        Self {
            options,
            limits,
            headers,
            place: Place::Headers(HeaderClass::Primary),
            content: Content::seven_bit(Type::Text, Subtype::Plain),
            buffer: Vec::new(),
            previous: Previous::None,
            nesting: -1,
            boundaries: Vec::new(),
            errors: MimeErrors::default(),
            header_offset: 0,
            body_offset: 0,
            pending: VecDeque::new(),
        }
    }

    /// Takes one record. The caller must consume the events before the next record.
    pub fn update<'m, 'a>(&'m mut self, input: Input<'a>) -> Events<'m, 'a> {
        self.pending.clear();
        match input {
            Input::Text(ending, text) => {
                self.text_record(ending, text);
                Events { machine: self, text }
            }
            Input::End => {
                self.end_record();
                Events { machine: self, text: &[] }
            }
        }
    }

    /// The kinds of malformed input seen so far.
    pub fn errors(&self) -> MimeErrors {
        self.errors
    }

    /// Whether the parser is in a body (of whatever entity).
    pub fn in_body(&self) -> bool {
        self.place == Place::Body
    }

    fn text_record(&mut self, ending: Ending, text: &[u8]) {
        if let Place::Headers(class) = self.place {
            if self.header_record(class, text) {
                self.previous = Previous::after(ending);
                return;
            }
            self.end_of_headers(class, text);
        }
        self.body_record(ending, text);
        self.previous = Previous::after(ending);
    }

    fn end_record(&mut self) {
        if self.previous == Previous::Part {
            // Complete what an unfinished line left behind.
            self.text_record(Ending::Line, b"");
        }
        if let Place::Headers(class) = self.place {
            self.flush_header(class, 0);
            self.announce_end_of_headers(class, b"");
            self.enter(Place::Body);
        }
        self.emit(Event::BodyEnd);
        self.previous = Previous::Other;
    }

    /// Whether the record was taken as (a part of) a header.
    fn header_record(&mut self, class: HeaderClass, text: &[u8]) -> bool {
        if !self.buffer.is_empty() {
            let is_rest = self.previous == Previous::Part;
            if is_rest || matches!(text.first(), Some(b' ' | b'\t')) {
                self.continue_header(if is_rest { b"" } else { b"\n" }, text);
                return true;
            }
            self.flush_header(class, text.len());
        }
        let Some(name_length) = header::name_length(text) else { return false };
        let (name, rest) = text.split_at(name_length);
        self.buffer.extend_from_slice(name);
        let colon = rest.iter().position(|&byte| byte != b' ' && byte != b'\t').unwrap_or(0);
        self.buffer.extend_from_slice(until_nul(rest.get(colon..).unwrap_or_default()));
        true
    }

    fn continue_header(&mut self, separator: &[u8], text: &[u8]) {
        if self.buffer.len() < self.limits.header_size {
            self.buffer.extend_from_slice(separator);
            self.buffer.extend_from_slice(until_nul(text));
        } else if self.options.contains(Options::REPORT_TRUNCATED_HEADER) {
            self.report_header(MimeError::TruncatedHeader);
        }
    }

    /// Hands out the header that was collected; `next_length` is the length of the record that ended it.
    fn flush_header(&mut self, class: HeaderClass, next_length: usize) {
        if self.buffer.is_empty() {
            return;
        }
        let info = self.headers.find(&self.buffer);
        let kind = info.map(|info| info.kind);
        if !self.options.contains(Options::DISABLE_MIME) {
            match kind {
                Some(HeaderKind::ContentType) => self.content_type(),
                Some(HeaderKind::ContentTransferEncoding) => self.content_encoding(),
                _ => {}
            }
        }
        if self.options.contains(Options::REPORT_8BIT_HEADER) && !self.buffer.is_ascii() {
            self.report_header(MimeError::EightBitHeader);
        }
        // When converting, the right encoding is known only at the end of the headers.
        let is_held = kind == Some(HeaderKind::ContentTransferEncoding) && self.converts();
        let text = std::mem::take(&mut self.buffer);
        if !is_held {
            self.emit_header(class, info, text, next_length);
        }
        self.previous = Previous::None;
    }

    fn emit_header(
        &mut self,
        class: HeaderClass,
        info: Option<HeaderInfo>,
        text: Vec<u8>,
        next_length: usize,
    ) {
        let offset = self.header_offset;
        self.emit(Event::Header(Header { class, info, text, offset }));
        self.header_offset += next_length as u64 + 1;
    }

    fn value_of_buffer(&self) -> &[u8] {
        match bytes::memchr::memchr(b':', &self.buffer) {
            Some(colon) => self.buffer.get(colon + 1..).unwrap_or_default(),
            None => &[],
        }
    }

    fn content_encoding(&mut self) {
        if let Some(encoding) = Encoding::parse(self.value_of_buffer()) {
            self.content.encoding = encoding;
            self.content.domain = encoding.domain();
        }
    }

    fn content_type(&mut self) {
        let value = self.value_of_buffer().to_vec();
        let mut parser = ContentType::new(&value);
        let Some((kind, subtype)) = parser.media_type() else {
            self.content.kind = Type::Other;
            return;
        };
        // An unknown type leaves what was assumed before.
        let Some(kind) = kind else { return };
        self.content.kind = kind;
        if kind != Type::Multipart {
            self.content.subtype = subtype;
            return;
        }
        let default = if subtype == Subtype::Rfc822 {
            (Type::Message, Subtype::Rfc822)
        } else {
            (Type::Text, Subtype::Plain)
        };
        while let Some(mut text) = parser.next_boundary() {
            if self.nesting > self.limits.nesting as i64 {
                if self.options.contains(Options::REPORT_NESTING) {
                    self.report_header(MimeError::Nesting);
                }
            } else {
                text.truncate(self.limits.boundary_length);
                self.boundaries.push(Boundary { text, default });
                self.nesting += 1;
            }
        }
    }

    fn converts(&self) -> bool {
        self.options.contains(Options::DOWNGRADE) && self.content.domain != Encoding::SevenBit
    }

    /// Everything that happens at the end of a header block before the next state is chosen.
    fn announce_end_of_headers(&mut self, class: HeaderClass, text: &[u8]) {
        if self.converts() {
            let is_composite = match self.content.kind {
                Type::Message => self.content.subtype != Subtype::Global,
                Type::Multipart => true,
                _ => false,
            };
            let encoding = if is_composite { "7bit" } else { "quoted-printable" };
            let header = format!("Content-Transfer-Encoding: {encoding}").into_bytes();
            self.emit_header(class, None, header, text.len());
        }
        if class == HeaderClass::Primary {
            if !text.is_empty() && self.options.contains(Options::REPORT_NON_EMPTY_END) {
                self.report(MimeError::NonEmptyEndOfHeader, text);
            }
            self.emit(Event::HeadersEnd);
        }
        if self.options.contains(Options::REPORT_ENCODING_DOMAIN) && self.has_wrong_domain() {
            let name = self.content.encoding.name();
            self.report(MimeError::EncodingDomain, name.as_bytes());
        }
    }

    fn has_wrong_domain(&self) -> bool {
        let Content { kind, subtype, encoding, domain } = self.content;
        match (kind, subtype) {
            (Type::Message, Subtype::Partial | Subtype::ExternalBody) => domain != Encoding::SevenBit,
            (Type::Message, Subtype::Rfc822) | (Type::Multipart, _) => encoding != domain,
            _ => false,
        }
    }

    /// `text` ends the headers of `class`: choose the state that takes it.
    fn end_of_headers(&mut self, class: HeaderClass, text: &[u8]) {
        self.announce_end_of_headers(class, text);
        if !text.is_empty() {
            // Garbage among the headers. Only the message's own headers get the empty line that is missing; adding one to
            // an attachment would break signatures.
            if class == HeaderClass::Primary {
                let offset = self.body_offset;
                self.emit(Event::Body(BodyLine { ending: Ending::Line, text: Cow::Borrowed(b""), offset }));
            }
            self.enter(Place::Body);
            return;
        }
        self.body_offset = 0;
        let Content { kind, subtype, .. } = self.content;
        match (kind, subtype) {
            (Type::Message, Subtype::Rfc822) => self.enter_nested(),
            // Converted content is encoded as a whole and shows no headers.
            (Type::Message, Subtype::Global) if !self.converts() => self.enter_nested(),
            (Type::Multipart, _) => {
                self.content = Content::seven_bit(Type::Other, Subtype::Other);
                self.enter(Place::Body);
            }
            _ => self.enter(Place::Body),
        }
    }

    fn enter_nested(&mut self) {
        self.content = Content::seven_bit(Type::Text, Subtype::Plain);
        self.enter(Place::Headers(HeaderClass::Nested));
    }

    fn enter(&mut self, place: Place) {
        self.place = place;
        match place {
            Place::Body => self.body_offset = 0,
            Place::Headers(_) => self.header_offset = 0,
        }
    }

    fn body_record(&mut self, ending: Ending, text: &[u8]) {
        if self.options.contains(Options::REPORT_8BIT_BODY)
            && self.content.encoding == Encoding::SevenBit
            && !text.is_ascii()
        {
            self.report(MimeError::EightBitBody, text);
        }
        if self.previous != Previous::Part
            && !self.boundaries.is_empty()
            && text.len() > 2
            && text.starts_with(b"--")
        {
            self.look_for_boundary(text.get(2..).unwrap_or_default());
        }
        if self.converts() {
            let mut line = std::mem::take(&mut self.buffer);
            quoted_printable(&mut line, ending, text, |text| {
                let length = text.len() as u64;
                let offset = self.body_offset;
                self.pending.push_back(Pending::Ready(Event::Body(BodyLine {
                    ending: Ending::Line,
                    text: Cow::Owned(text),
                    offset,
                })));
                self.body_offset += length + 1;
            });
            self.buffer = line;
        } else {
            self.pending.push_back(Pending::Body(ending, self.body_offset));
            self.body_offset += text.len() as u64 + 1;
        }
    }

    /// Leaves entities whose boundary this is. Text after the boundary is ignored, since some mail programs add it.
    fn look_for_boundary(&mut self, text: &[u8]) {
        let Some(at) = self.boundaries.iter().rposition(|boundary| text.starts_with(&boundary.text)) else {
            return;
        };
        self.pop_boundaries(at + 1);
        let Some(boundary) = self.boundaries.last() else { return };
        let rest = text.get(boundary.text.len()..).unwrap_or_default();
        if rest.starts_with(b"--") {
            self.pop_boundaries(at);
            self.content = Content::seven_bit(Type::Other, Subtype::Other);
            self.enter(Place::Body);
        } else {
            let (kind, subtype) = boundary.default;
            self.content = Content::seven_bit(kind, subtype);
            self.enter(Place::Headers(HeaderClass::Multipart));
        }
    }

    fn pop_boundaries(&mut self, keep: usize) {
        self.nesting -= self.boundaries.len().saturating_sub(keep) as i64;
        self.boundaries.truncate(keep);
    }

    fn report_header(&mut self, error: MimeError) {
        if !self.errors.contains(error) {
            let text = self.buffer.clone();
            self.report(error, &text);
        }
    }

    fn report(&mut self, error: MimeError, text: &[u8]) {
        if !self.errors.contains(error) {
            self.errors.insert(error);
            self.emit(Event::Error(error, text.to_vec()));
        }
    }

    fn emit(&mut self, event: Event<'static>) {
        self.pending.push_back(Pending::Ready(event));
    }
}

impl Previous {
    fn after(ending: Ending) -> Self {
        match ending {
            Ending::Line => Self::Other,
            Ending::Part => Self::Part,
        }
    }
}

impl Events<'_, '_> {
    /// The kinds of malformed input seen so far, this record included.
    pub fn errors(&self) -> MimeErrors {
        self.machine.errors
    }
}

impl<'a> Iterator for Events<'_, 'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        match self.machine.pending.pop_front()? {
            Pending::Ready(event) => Some(event),
            Pending::Body(ending, offset) => {
                Some(Event::Body(BodyLine { ending, text: Cow::Borrowed(self.text), offset }))
            }
        }
    }
}

/// COMPAT: Postfix collects headers in C strings, so a NUL byte ends a header line.
fn until_nul(text: &[u8]) -> &[u8] {
    match bytes::memchr::memchr(0, text) {
        Some(end) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}
