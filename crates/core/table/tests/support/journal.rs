//! What a driver prints and what the code logs, in order.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use log::tracing::field::{Field, Visit};
use log::tracing::span::{Attributes, Id, Record};
use log::tracing::{Event, Level, Metadata, Subscriber};

/// Lines that are printed and logged.
#[derive(Clone)]
pub(crate) struct Journal {
    text: Arc<Mutex<Vec<u8>>>,
    tag: Rc<RefCell<String>>,
}

impl Journal {
    pub(crate) fn new(tag: &str) -> Self {
        Self { text: Arc::default(), tag: Rc::new(RefCell::new(tag.to_owned())) }
    }

    /// Prints a line.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        self.bytes(text.as_ref().as_bytes());
    }

    /// Prints a line.
    pub(crate) fn bytes(&self, text: &[u8]) {
        let mut journal = self.text.lock().unwrap();
        journal.extend_from_slice(text);
        journal.push(b'\n');
    }

    /// What was printed so far.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.text.lock().unwrap())
    }

    /// Runs something, with its log lines in here.
    pub(crate) fn record(&self, run: impl FnOnce()) {
        let logger = Logger { text: Arc::clone(&self.text), tag: self.tag.borrow().clone() };
        log::tracing::subscriber::with_default(logger, run);
    }
}

struct Logger {
    text: Arc<Mutex<Vec<u8>>>,
    tag: String,
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("mail")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let severity = match *event.metadata().level() {
            Level::WARN => "warning: ",
            Level::ERROR => "error: ",
            _ => "",
        };
        let line = format!("{}: {severity}{}\n", self.tag, message.0);
        self.text.lock().unwrap().extend_from_slice(line.as_bytes());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
