//! Mail that the mail system writes itself: bounces, notices to the postmaster, address probes, forwarded mail.
//!
//! A [`Poster`] opens the message at cleanup(8), with a minimal envelope and the `Received:` and `Date:` headers; its
//! author adds lines to the [`Posting`] and finishes it. Until then nothing is in the queue.

use bytes::NameMask;
use ipc::Stream;
use ipc::cleanup::{Status, Submission, flags};
use queue::envelope::{send_options, time_data};
use queue::{RecordType, encode_record};

conf::param_set! {
    /// What posting mail takes.
    pub struct PostParams {
        cleanup_service_name, myhostname, mail_name, internal_mail_filter_classes,
        smtputf8_autodetect_classes, ipc_timeout
    }
}

/// So much may gather before [`Posting::relieve`] sends it.
const CHUNK: usize = 64 * 1024;

/// Posts mail for one program.
#[derive(Clone, Debug)]
pub struct Poster {
    params: PostParams,
}

/// What kind of mail it is, for `internal_mail_filter_classes` and `smtputf8_autodetect_classes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Forwarded by local(8).
    Forward,
    /// A delivery status notification.
    Bounce,
    /// A notice to the postmaster.
    Notify,
    /// An address probe.
    Verify,
}

/// The envelope of a message to post.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// Its sender, empty for a bounce.
    pub sender: &'a [u8],
    /// Its recipient.
    pub recipient: &'a [u8],
    /// Who writes it.
    pub source: Source,
    /// Delivery request flags, for probes.
    pub trace_flags: u32,
    /// SMTPUTF8 and REQUIRETLS requests, as in the queue file.
    pub send_options: u32,
}

/// Why a message cannot be posted.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// A list of classes in main.cf has a word that nobody knows.
    #[error("unknown {parameter} value \"{word}\" in \"{list}\"")]
    Class {
        /// The parameter.
        parameter: &'static str,
        /// The word.
        word: String,
        /// The whole value.
        list: String,
    },
    /// There is no service to connect to; the text is that of Postfix's warning.
    #[error("connect to {path}: {reason}")]
    Connect {
        /// Its socket.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The service does not answer as it should.
    #[error("unable to contact the {service} service")]
    Service {
        /// Its name.
        service: String,
    },
}

impl Source {
    const fn bit(self) -> u32 {
        match self {
            Self::Forward => 1 << 3,
            Self::Bounce => 1 << 4,
            Self::Notify => 1 << 5,
            Self::Verify => 1 << 6,
        }
    }
}

// Only notices and bounces can be filtered; the other names are accepted and mean nothing.
const FILTERED: NameMask = NameMask(&[
    ("notify", Source::Notify.bit()),
    ("bounce", Source::Bounce.bit()),
    ("sendmail", 0),
    ("smtpd", 0),
    ("qmqpd", 0),
    ("forward", 0),
    ("verify", 0),
]);

const AUTODETECTED: NameMask = NameMask(&[
    ("sendmail", 1 << 0),
    ("smtpd", 1 << 1),
    ("qmqpd", 1 << 2),
    ("forward", Source::Forward.bit()),
    ("bounce", Source::Bounce.bit()),
    ("notify", Source::Notify.bit()),
    ("verify", Source::Verify.bit()),
    ("all", 127),
]);

impl Poster {
    /// With the settings of main.cf.
    pub fn new(main: &conf::MainCf) -> Result<Self, conf::Error> {
        Ok(Self { params: PostParams::load(main)? })
    }

    /// Begins a message. It has a queue id from now on, and its first two headers.
    pub async fn open(&self, envelope: &Envelope<'_>) -> Result<Posting, PostError> {
        let flags = self.flags(envelope.source, envelope.send_options)?;
        let service = &self.params.cleanup_service_name;
        let path = format!("public/{service}");
        let mut stream = Stream::connect(&path).await.map_err(|error| {
            let reason = match &error {
                ipc::Error::Io(error) => queue::reason(error),
                other => other.to_string(),
            };
            PostError::Connect { path, reason }
        })?;
        stream.set_timeout(self.params.ipc_timeout);
        let submission = Submission::start(stream, flags).await.map_err(|error| {
            log::debug!("{service}: {error}");
            PostError::Service { service: service.clone() }
        })?;
        let mut posting = Posting { submission };
        self.preamble(&mut posting, envelope);
        Ok(posting)
    }

    /// What to ask of cleanup(8) for mail of this kind.
    pub fn flags(&self, source: Source, send_options: u32) -> Result<u32, PostError> {
        let mut flags = flags::MASK_INTERNAL;
        let list = &self.params.internal_mail_filter_classes;
        if classes("internal_mail_filter_classes", FILTERED, list)? & source.bit() != 0 {
            flags |= flags::FILTER | flags::MILTER;
        }
        let list = &self.params.smtputf8_autodetect_classes;
        if classes("smtputf8_autodetect_classes", AUTODETECTED, list)? & source.bit() != 0 {
            flags |= flags::AUTOUTF8;
        }
        if i64::from(send_options) & send_options::REQUIRETLS_ESMTP != 0 {
            flags |= flags::REQTLS;
        }
        if i64::from(send_options) & send_options::SMTPUTF8_REQUESTED != 0 {
            flags |= flags::SMTPUTF8;
        }
        Ok(flags)
    }

    fn preamble(&self, posting: &mut Posting, envelope: &Envelope<'_>) {
        let now = sys::time::unix_duration();
        let seconds = i64::try_from(now.as_secs()).unwrap_or(0);
        let date = message::date::mail_date(seconds);
        let id = posting.queue_id().to_owned();
        let out = posting.text();
        encode_record(out, RecordType::Time, time_data(seconds, now.subsec_micros()).as_bytes());
        encode_record(out, RecordType::Attr, b"log_message_origin=local");
        encode_record(out, RecordType::Attr, format!("trace_flags={}", envelope.trace_flags).as_bytes());
        encode_record(out, RecordType::Sender, envelope.sender);
        encode_record(out, RecordType::Recipient, envelope.recipient);
        encode_record(out, RecordType::Content, b"");
        let PostParams { myhostname, mail_name, .. } = &self.params;
        posting.line(format!("Received: by {myhostname} ({mail_name})"));
        posting.line(format!("\tid {id}; {date}"));
        posting.line(format!("Date: {date}"));
    }
}

fn classes(parameter: &'static str, mask: NameMask, list: &str) -> Result<u32, PostError> {
    if list.is_empty() {
        return Ok(0);
    }
    let bits = mask.parse(list).map_err(|unknown| PostError::Class {
        parameter,
        word: unknown.0,
        list: list.to_owned(),
    })?;
    if bits == 0 {
        log::warning!("{parameter}: bad input: {list}");
    }
    Ok(bits)
}

/// A message on its way into the queue. Dropping it unfinished leaves nothing there.
#[derive(Debug)]
pub struct Posting {
    submission: Submission,
}

impl Posting {
    /// Its queue id.
    pub fn queue_id(&self) -> &str {
        self.submission.queue_id()
    }

    /// Adds a line of header or body.
    pub fn line(&mut self, text: impl AsRef<[u8]>) {
        encode_record(self.text(), RecordType::Norm, text.as_ref());
    }

    /// The records that wait to be sent, for authors that encode many at a stretch.
    pub fn text(&mut self) -> &mut Vec<u8> {
        self.submission.buffer()
    }

    /// Sends what has gathered, when it is much. To be called now and then in a long message.
    pub async fn relieve(&mut self) -> ipc::Result<()> {
        if self.submission.buffer().len() < CHUNK {
            return Ok(());
        }
        self.submission.flush().await
    }

    /// Ends the message and waits for the outcome.
    ///
    /// DURABILITY: only with [`Status::OK`] is it on disk, and may be what it was made from be removed.
    pub async fn finish(mut self) -> Status {
        encode_record(self.text(), RecordType::Extracted, b"");
        encode_record(self.text(), RecordType::End, b"");
        match self.submission.finish().await {
            Ok(reply) => reply.status,
            Err(error) => {
                log::debug!("cleanup: {error}");
                Status::WRITE
            }
        }
    }
}

/// Breaks a long text at blanks, as Postfix's notices have it: lines of `width` bytes at most where there are blanks to
/// break at, all but the first with `indent` blanks in front (which count). Blanks at the ends of lines go.
pub fn wrap(text: &[u8], width: usize, indent: usize) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let (mut start, mut word, mut room, mut margin) = (0, 0, width, 0);
    let put = |from: usize, to: usize, margin: usize| {
        let line = bytes::trim_end(text.get(from..to).unwrap_or_default());
        let mut out = vec![b' '; margin];
        out.extend_from_slice(line);
        out
    };
    loop {
        let rest = text.get(word..).unwrap_or_default();
        let end = word + rest.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(rest.len());
        if word > start && end > start + room {
            lines.push(put(start, word, margin));
            if start == 0 {
                (margin, room) = (indent, width.saturating_sub(indent));
            }
            start = word + rest.iter().take_while(|&&byte| bytes::is_space(byte)).count();
        }
        if end >= text.len() {
            break;
        }
        word = end + 1;
    }
    lines.push(put(start.min(text.len()), text.len(), margin));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poster(settings: &[(&str, &str)]) -> Poster {
        let mut main = conf::MainCf::default();
        main.set("myhostname", "mail.example.com");
        settings.iter().for_each(|(name, value)| main.set(name, value));
        Poster::new(&main).unwrap()
    }

    #[test]
    fn flags_follow_classes_and_options() {
        let plain = poster(&[("smtputf8_autodetect_classes", "sendmail, verify")]);
        assert_eq!(plain.flags(Source::Bounce, 0).unwrap(), flags::MASK_INTERNAL);
        assert_eq!(plain.flags(Source::Verify, 0).unwrap(), flags::MASK_INTERNAL | flags::AUTOUTF8);
        assert_eq!(
            plain.flags(Source::Bounce, 1 | 32).unwrap(),
            flags::MASK_INTERNAL | flags::SMTPUTF8 | flags::REQTLS
        );
        let filtered = poster(&[("internal_mail_filter_classes", "bounce")]);
        let wanted = flags::MASK_INTERNAL | flags::FILTER_ALL;
        assert_eq!(filtered.flags(Source::Bounce, 0).unwrap() & wanted, wanted);
        assert_eq!(filtered.flags(Source::Notify, 0).unwrap() & flags::FILTER_ALL, 0);
        let wrong = poster(&[("internal_mail_filter_classes", "bounces")]);
        assert_eq!(
            wrong.flags(Source::Notify, 0).unwrap_err().to_string(),
            "unknown internal_mail_filter_classes value \"bounces\" in \"bounces\""
        );
    }

    #[test]
    fn long_texts_break_at_blanks() {
        let lines = |text: &str, width| -> Vec<String> {
            wrap(text.as_bytes(), width, 2).into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
        };
        assert_eq!(lines("one two three", 20), ["one two three"]);
        assert_eq!(lines("one two three", 8), ["one two", "  three"]);
        // As Postfix has it: a blank too many at the end counts as a word.
        assert_eq!(lines("one   two    three ", 7), ["one", "  two", "  three", "  "]);
        assert_eq!(lines("unbreakable words", 5), ["unbreakable", "  words"]);
        assert_eq!(lines("", 5), [""]);
        assert_eq!(lines("exactly", 7), ["exactly"]);
    }

    proptest::proptest! {
        #[test]
        fn wrapping_loses_only_blanks(text: Vec<u8>, width in 0usize..40) {
            let keep = |text: &[u8]| text.iter().copied().filter(|&byte| !bytes::is_space(byte)).collect::<Vec<u8>>();
            proptest::prop_assert_eq!(keep(&wrap(&text, width, 4).concat()), keep(&text));
        }
    }
}
