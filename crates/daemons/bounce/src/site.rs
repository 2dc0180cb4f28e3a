//! What does not change while the process runs: settings, templates, the queue.

use bytes::NameMask;
use conf::MainCf;
use daemon::Fatal;
use delivery::post::Poster;
use queue::{QueueName, Spool};

use crate::template::{HeaderFrom, Names, Templates};

conf::param_set! {
    /// What bounce(8) reads.
    pub struct BounceParams {
        backwards_bounce_logfile_compatibility, bounce_notice_recipient, bounce_size_limit, bounce_template_file,
        delay_notice_recipient, delay_warning_time, double_bounce_notice_recipient, double_bounce_sender,
        enable_threaded_bounces, header_from_format, mail_name, maximal_queue_lifetime, mydomain, myhostname,
        notify_classes, requiretls_enable, requiretls_redact_dsn, smtputf8_enable, tls_required_enable
    }
}

/// Classes of trouble in `notify_classes`.
pub(crate) mod class {
    /// Copies of bounces.
    pub(crate) const BOUNCE: u32 = 1 << 2;
    /// Bounces that bounced.
    pub(crate) const DOUBLE_BOUNCE: u32 = 1 << 5;
    /// Copies of delay warnings.
    pub(crate) const DELAY: u32 = 1 << 6;
}

const CLASSES: NameMask = NameMask(&[
    ("bounce", class::BOUNCE),
    ("2bounce", class::DOUBLE_BOUNCE),
    ("data", 1 << 7),
    ("delay", class::DELAY),
    ("policy", 1 << 0),
    ("protocol", 1 << 1),
    ("resource", 1 << 4),
    ("software", 1 << 3),
]);

/// A service's settings and surroundings.
pub struct Site {
    /// Settings.
    pub params: BounceParams,
    /// Texts of reports.
    pub templates: Templates,
    /// How a report's `From:` looks.
    pub header_from: HeaderFrom,
    pub(crate) main: MainCf,
    pub(crate) poster: Poster,
    pub(crate) spool: Spool,
    /// The queue of this service's logs.
    pub(crate) logs: QueueName,
    /// The sender of mail that must not bounce.
    pub(crate) double_bounce: Vec<u8>,
    /// The mail system's name as part of a field name.
    pub(crate) field_name: String,
}

impl Site {
    /// Reads settings and templates for the service of this name.
    pub fn load(main: &MainCf, service: &str, spool: Spool) -> Result<Self, Fatal> {
        let logs = QueueName::parse(service)
            .filter(|queue| matches!(queue, QueueName::Bounce | QueueName::Defer | QueueName::Trace))
            .ok_or_else(|| Fatal::new(format!("malformed service name: {service}")))?;
        let params = BounceParams::load(main)?;
        let templates = match params.bounce_template_file.as_str() {
            "" => Templates::default(),
            file => Templates::read(file)?,
        };
        let header_from = HeaderFrom::parse(&params.header_from_format).ok_or_else(|| {
            Fatal::new(format!("invalid setting: \"header_from_format = {}\"", params.header_from_format))
        })?;
        let double_bounce = format!("{}@{}", params.double_bounce_sender, params.myhostname).into_bytes();
        let is_special = |c: char| " \t\r\n()<>@,;:\\\".[]".contains(c);
        let field_name = params.mail_name.replace(is_special, "-");
        let poster = Poster::new(main)?;
        let main = main.clone();
        Ok(Self { params, templates, header_from, main, poster, spool, logs, double_bounce, field_name })
    }

    /// The values of `$name` in templates.
    pub fn names(&self) -> Names<'_> {
        Names::new(&self.main, &self.params)
    }

    /// The classes of trouble that the postmaster hears of.
    pub(crate) fn notify_classes(&self) -> Result<u32, Fatal> {
        let list = &self.params.notify_classes;
        CLASSES
            .parse(list)
            .map_err(|word| Fatal::new(format!("unknown notify_classes value \"{}\" in \"{list}\"", word.0)))
    }

    /// Whether it is the sender of mail that must not bounce.
    pub(crate) fn is_double_bounce(&self, sender: &[u8]) -> bool {
        address::fold::eq_fold(sender, &self.double_bounce)
    }

    /// A copy that is safe to put into headers, logs and log files: without control characters, and without 8-bit text
    /// where the mail system has none.
    pub(crate) fn neuter(&self, text: &mut Vec<u8>) {
        *text = bytes::printable(text, b'?');
        if !self.params.smtputf8_enable && !text.is_ascii() {
            text.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
        }
    }
}
