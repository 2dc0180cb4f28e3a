//! One SMTP session: bytes in, replies out.
//!
//! The session never touches the client's socket. Its driver adds received bytes to an [`Input`], calls
//! [`Session::advance`], and does what the returned [`Next`] says; replies pile up in [`Session::output`] until then,
//! so that a client that sends commands in a bunch gets its replies in a bunch.

use crate::ehlo::Keywords;
use crate::error_class::ErrorClass;
use crate::input::{Input, Source};
use crate::line::BareNewline;
use crate::peer::Peer;
use crate::restriction::Checks;
use crate::server::Server;
use crate::stats::{Stats, Verb};
use crate::transaction::{Actions, Transaction};
use crate::transcript::Transcript;
use crate::xforward::Forwarded;
use ipc::anvil::Event;
use std::rc::Rc;
use tokio::time::Instant;

/// So much output may wait while there is more input: a client that does not read its replies is not to fill memory.
const OUTPUT_LIMIT: usize = 32 * 1024;

/// What the driver has to do before the session can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Send the output, then read more.
    Read,
    /// Send the output.
    Flush,
    /// Send the output, forget what else the client sent, and do a TLS handshake; report with
    /// [`Session::tls_started`] or [`Session::tls_failed`].
    StartTls,
    /// Send the output and hang up; the last call is [`Session::finish`].
    Close,
}

/// Why a session ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The client sent nothing for too long.
    Timeout,
    /// The connection is gone.
    Connection,
}

/// How a command went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Well.
    Done,
    /// It counts as an error.
    Failed,
    /// Message content follows.
    Continues,
    /// The session starts over with the greeting.
    Restart,
}

/// Why a session ends in the middle of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Access control could not be evaluated.
    LocalData,
    /// Without a word.
    Quiet,
}

pub(crate) type Handled = Result<Outcome, Stop>;

/// Where in the dialogue the session is.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Before the greeting.
    Start,
    /// Between commands.
    Command,
    /// In the content after DATA.
    Data(DataState),
    /// In the content after BDAT.
    Chunk(Box<Chunk>),
    /// Over.
    Ended,
}

/// What the reader of DATA content remembers from line to line.
#[derive(Debug, Default)]
pub(crate) struct DataState {
    pub(crate) started: bool,
    pub(crate) continued: bool,
    pub(crate) previous_bare: bool,
}

/// A BDAT chunk being read.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) size: u64,
    pub(crate) remaining: u64,
    pub(crate) last: Last,
    /// The reply that waits until the chunk has been skipped; `None` when its content is wanted.
    pub(crate) skip: Option<String>,
}

/// Whether a BDAT chunk ends the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    Yes,
    No,
}

/// The state of a transaction by BDAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Bdat {
    /// No BDAT so far.
    #[default]
    None,
    /// Chunks are taken.
    Accepting,
    /// Chunks are skipped until the last one.
    Failed,
}

/// A client that has identified itself, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) method: String,
    pub(crate) username: String,
}

/// The state of one session. Nothing in it is large while the client is idle.
pub struct Session {
    pub(crate) server: Rc<Server>,
    pub(crate) service: Rc<str>,
    pub(crate) peer: Box<Peer>,
    pub(crate) stage: Stage,
    pub(crate) output: Vec<u8>,
    pub(crate) last_io: Instant,
    pub(crate) flush: bool,
    pub(crate) start_tls: bool,
    pub(crate) hang_up: bool,
    pub(crate) input_disabled: bool,
    pub(crate) ill_pipelining: bool,
    /// The connection was handed over by postscreen(8).
    pub(crate) passed: bool,
    /// Run by hand, as by `sendmail -bs`: no access control, no services.
    pub(crate) stand_alone: bool,
    /// What to announce could not be looked up.
    pub(crate) unknown_keywords: bool,
    /// Mail must pass mail filters.
    pub(crate) wants_milters: bool,
    pub(crate) xclient_allowed: bool,
    pub(crate) xforward_allowed: bool,
    pub(crate) counted_by_anvil: bool,
    pub(crate) bare: BareNewline,
    pub(crate) discard: Keywords,
    pub(crate) protocol: String,
    pub(crate) helo_name: Option<String>,
    pub(crate) login: Option<Login>,
    pub(crate) stage_name: &'static str,
    pub(crate) reason: Option<&'static str>,
    pub(crate) access_denied: Option<String>,
    pub(crate) errors: i64,
    pub(crate) junk: i64,
    pub(crate) error_mask: ErrorClass,
    pub(crate) bare_noted: bool,
    pub(crate) stats: Stats,
    pub(crate) transcript: Transcript,
    /// A command was taken since the last time somebody asked.
    pub(crate) request_begins: bool,
    pub(crate) rejected_certificate: Option<&'static str>,
    pub(crate) tls: Option<Box<tls::Summary>>,
    pub(crate) forwarded: Option<Box<Forwarded>>,
    pub(crate) checks: Checks,
    pub(crate) sender: Option<Vec<u8>>,
    pub(crate) recipient: Option<Vec<u8>>,
    pub(crate) etrn_name: Option<String>,
    pub(crate) smtputf8: bool,
    pub(crate) rewrite_context: &'static str,
    pub(crate) recipients: i64,
    pub(crate) overshoot: i64,
    pub(crate) transactions: u32,
    pub(crate) mail: Option<Box<Transaction>>,
    pub(crate) actions: Option<Box<Actions>>,
    pub(crate) bdat: Bdat,
    pub(crate) bdat_line: Vec<u8>,
    /// SIZE= of the last MAIL command, refused or not.
    pub(crate) announced_size: i64,
    pub(crate) bdat_continued: bool,
}

impl Session {
    /// A session with a client whose name is known.
    #[must_use]
    pub fn new(server: Rc<Server>, service: Rc<str>, peer: Peer) -> Session {
        Session {
            server,
            service,
            peer: Box::new(peer),
            stage: Stage::Start,
            output: Vec::new(),
            last_io: Instant::now(),
            flush: false,
            start_tls: false,
            hang_up: false,
            input_disabled: false,
            ill_pipelining: false,
            passed: false,
            stand_alone: false,
            unknown_keywords: false,
            wants_milters: false,
            xclient_allowed: false,
            xforward_allowed: false,
            counted_by_anvil: false,
            bare: BareNewline::default(),
            discard: Keywords::default(),
            protocol: "SMTP".to_owned(),
            helo_name: None,
            login: None,
            stage_name: "CONNECT",
            reason: None,
            access_denied: None,
            errors: 0,
            junk: 0,
            error_mask: ErrorClass::default(),
            bare_noted: false,
            stats: Stats::default(),
            transcript: Transcript::default(),
            request_begins: true,
            rejected_certificate: None,
            tls: None,
            forwarded: None,
            checks: Checks::default(),
            sender: None,
            recipient: None,
            etrn_name: None,
            smtputf8: false,
            rewrite_context: "remote",
            recipients: 0,
            overshoot: 0,
            transactions: 0,
            mail: None,
            actions: None,
            bdat: Bdat::None,
            bdat_line: Vec::new(),
            announced_size: 0,
            bdat_continued: false,
        }
    }

    /// Replies that wait to be sent. The driver takes them.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// The client, for messages of the driver.
    #[must_use]
    pub fn namaddr(&self) -> &str {
        &self.peer.namaddr
    }

    /// The connection came from postscreen(8), which has greeted the client already.
    pub fn handed_over(&mut self) {
        self.passed = true;
    }

    /// The client is to begin a new request, rather than to go on with one.
    #[must_use]
    pub fn begins_request(&mut self) -> bool {
        std::mem::take(&mut self.request_begins)
    }

    /// The client is sending message content.
    #[must_use]
    pub fn is_in_content(&self) -> bool {
        matches!(self.stage, Stage::Data(_) | Stage::Chunk(_))
    }

    /// The driver did some input or output.
    pub fn touch(&mut self) {
        self.last_io = Instant::now();
    }

    /// Goes on as far as the input allows.
    pub async fn advance(&mut self, input: &mut Input, source: &mut dyn Source) -> Next {
        loop {
            let step = match self.stage {
                Stage::Start => self.start(input, source).await,
                Stage::Command => self.command_step(input, source).await,
                Stage::Data(_) => self.data_step(input).await,
                Stage::Chunk(_) => self.chunk_step(input).await,
                Stage::Ended => return Next::Close,
            };
            match step {
                Ok(None) if self.start_tls => {
                    self.start_tls = false;
                    return Next::StartTls;
                }
                Ok(None) => {}
                Ok(Some(Next::Read)) if self.input_disabled => {
                    self.lost(Loss::Connection).await;
                    return Next::Close;
                }
                Ok(Some(next)) => return next,
                Err(stop) => {
                    self.stop(stop).await;
                    return Next::Close;
                }
            }
            if self.hang_up && matches!(self.stage, Stage::Command) {
                self.stage = Stage::Ended;
            }
            if std::mem::take(&mut self.flush) || self.output.len() > OUTPUT_LIMIT {
                return Next::Flush;
            }
        }
    }

    /// The TLS handshake failed; nobody knows what the client thinks is going on.
    pub async fn tls_failed(&mut self) {
        self.stats.went_wrong(Verb::Starttls);
        self.lost(Loss::Connection).await;
    }

    /// The TLS handshake succeeded.
    pub async fn tls_started(&mut self, info: tls::Summary) {
        self.tls = Some(Box::new(info));
        if self.after_handshake().await.is_err() {
            self.stats.went_wrong(Verb::Starttls);
            self.stage = Stage::Ended;
        }
    }

    /// The connection timed out or broke.
    pub async fn lost(&mut self, loss: Loss) {
        if matches!(self.stage, Stage::Ended) {
            return;
        }
        self.reason = Some(match loss {
            Loss::Timeout => "timeout",
            Loss::Connection => "lost connection",
        });
        if loss == Loss::Timeout {
            let text = format!("421 4.4.2 {} Error: timeout exceeded", self.server.settings.myhostname);
            self.reply(&text).await;
        }
        self.stage = Stage::Ended;
    }

    async fn stop(&mut self, stop: Stop) {
        if stop == Stop::LocalData {
            let hostname = self.server.settings.myhostname.clone();
            log::info!(
                "{}: reject: {} from {}: 421 4.3.0 {hostname} Server local data error",
                self.queue_id(),
                self.stage_name,
                self.peer.namaddr
            );
            self.error_mask.add(ErrorClass::DATA);
            self.reply(&format!("421 4.3.0 {hostname} Server local data error")).await;
        }
        self.stage = Stage::Ended;
    }

    /// The session is over: says so to anvil(8), logs how it went and what the client did.
    pub async fn finish(&mut self, input: &Input) {
        if self.counted_by_anvil {
            self.count(Event::Disconnect).await;
        }
        self.log_end(input.rest().len());
        self.end_history().await;
        self.mail_reset();
        self.log_disconnect();
    }

    /// The side effects of access tables, for the message in progress.
    pub(crate) fn actions(&mut self) -> &mut Actions {
        self.actions.get_or_insert_default()
    }

    /// The queue id of the message in progress, or `NOQUEUE`.
    pub(crate) fn queue_id(&self) -> &str {
        match self.mail.as_ref().and_then(|mail| mail.queue_id.as_deref()) {
            Some(id) => id,
            None => "NOQUEUE",
        }
    }

    /// Whether a MAIL command is in effect.
    pub(crate) fn in_transaction(&self) -> bool {
        self.sender.is_some()
    }

    pub(crate) fn is_esmtp(&self) -> bool {
        self.protocol.eq_ignore_ascii_case("ESMTP")
    }

    /// Forgets the MAIL command and what followed from it. An unfinished message is abandoned.
    pub(crate) fn mail_reset(&mut self) {
        self.smtputf8 = false;
        self.mail = None;
        self.actions = None;
        self.sender = None;
        self.forwarded = None;
        self.checks.discard = false;
        self.bdat = Bdat::None;
        self.bdat_line = Vec::new();
        self.announced_size = 0;
    }

    /// Forgets the recipients.
    pub(crate) fn rcpt_reset(&mut self) {
        self.recipient = None;
        self.recipients = 0;
        self.overshoot = 0;
    }
}
