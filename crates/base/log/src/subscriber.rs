//! The bridge from `tracing` events to log lines.

use std::fmt::{Debug, Write};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::{Severity, sink};

/// Makes mail events reach the sinks. Harmless when a test has installed a subscriber of its own.
pub(crate) fn install() {
    let _already = tracing::subscriber::set_global_default(MailEvents);
}

struct MailEvents;

impl Subscriber for MailEvents {
    // Libraries below us have events of their own; only ours are log lines.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("mail")
    }

    fn event(&self, event: &Event<'_>) {
        let severity = match (*event.metadata().level(), event.metadata().target()) {
            (_, "mail.panic") => Severity::Panic,
            (_, "mail.fatal") => Severity::Fatal,
            (Level::ERROR, _) => Severity::Error,
            (Level::WARN, _) => Severity::Warning,
            _ => Severity::Info,
        };
        let mut text = Text(String::with_capacity(160));
        event.record(&mut text);
        sink::write(severity, &text.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let _infallible = write!(self.0, "{value:?}");
        }
    }
}
