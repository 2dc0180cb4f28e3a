//! The headers and body lines of a message as keys.

use std::io::BufRead;
use std::rc::Rc;

use command::{Fatal, fatal};
use conf::MainCf;
use message::Ending;
use message::header::HeaderTable;
use message::mime::{Event, Input, Limits, Machine, Options};
use table_command::Parts;

conf::param_set! {
    /// The limits of the message parser.
    pub struct MimeParams { header_size_limit, mime_nesting_limit, mime_boundary_length_limit }
}

/// Hands the wanted parts of the message to a function.
pub(crate) fn visit(
    main: &MainCf,
    input: &mut dyn BufRead,
    parts: Parts,
    act: &mut dyn FnMut(&[u8]) -> Result<(), Fatal>,
) -> Result<(), Fatal> {
    let params = MimeParams::load(main)?;
    let size = |limit: i64| usize::try_from(limit).unwrap_or(usize::MAX);
    let limits = Limits {
        header_size: size(params.header_size_limit),
        nesting: size(params.mime_nesting_limit),
        boundary_length: size(params.mime_boundary_length_limit),
    };
    let options = if parts.mime { Options::NONE } else { Options::DISABLE_MIME };
    let mut machine = Machine::new(options, limits, Rc::new(HeaderTable::default()));
    let mut keys = Keys { parts, is_done: false, act };
    let mut line = Vec::new();
    while !keys.is_done {
        line.clear();
        let count =
            input.read_until(b'\n', &mut line).map_err(|error| fatal!("read standard input: {error}"))?;
        if count == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        keys.take(machine.update(Input::Text(Ending::Line, text)))?;
        keys.check(&machine)?;
    }
    keys.take(machine.update(Input::End))?;
    keys.check(&machine)
}

struct Keys<'a> {
    parts: Parts,
    /// Nothing that follows is wanted.
    is_done: bool,
    act: &'a mut dyn FnMut(&[u8]) -> Result<(), Fatal>,
}

impl Keys<'_> {
    fn take<'e>(&mut self, events: impl Iterator<Item = Event<'e>>) -> Result<(), Fatal> {
        for event in events {
            match event {
                Event::Header(header) if self.parts.headers => (self.act)(&header.text)?,
                Event::HeadersEnd if !self.parts.body && !self.parts.mime => self.is_done = true,
                Event::Body(line) if self.parts.body => (self.act)(&line.text)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn check(&self, machine: &Machine) -> Result<(), Fatal> {
        match machine.errors().worst() {
            Some(error) => Err(fatal!("message format error: {}", error.text())),
            None => Ok(()),
        }
    }
}
