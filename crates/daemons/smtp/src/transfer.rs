//! One message over an open session.

use dsn::Status;
use smtp::client::{End, Event, Keep, Transaction, Wait};
use smtp::ehlo::Keywords;
use smtp::{Reply, Stage};

use crate::addresses::dsn as simple;
use crate::content::{self, ContentError, Conversion};
use crate::delivery::{Delivery, Effect, Mark};
use crate::envelope;
use crate::session::Session;
use crate::wire::{Broken, Limit};

/// What became of a session that was idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// It works, or had a chance to.
    Alive,
    /// It was closed while nobody looked: another is needed.
    Dead,
}

/// Why a dialogue did not get to its end.
enum Stop {
    /// The session was dead before it began.
    Dead,
    /// Something that has been dealt with.
    Failed,
}

impl Delivery<'_> {
    /// Sends the message to everybody who is left, unless the session proves dead.
    pub(crate) async fn transfer(&mut self, session: &mut Session) -> Proof {
        let size = u64::try_from(self.job.request.data_size).unwrap_or(0);
        if session.offer.size_limit > 0 && session.offer.size_limit < size {
            let text = format!(
                "message size {size} exceeds size limit {} of server {}",
                session.offer.size_limit, session.namaddr
            );
            self.bulk_fail(simple("5.3.4", text), Effect::NONE, Some(session)).await;
            self.complete_session = true;
            return Proof::Alive;
        }
        self.job.request.times.reuse_count = session.reuse_count;
        self.job.request.times.conn_setup_done = sys::time::unix_duration();
        let recipients = self.todo.iter().map(|(recipient, _)| recipient);
        let made = envelope::make(self.client, session, &self.job.request, recipients, self.requiretls).await;
        let Ok(envelope) = made else {
            self.broken(Broken::LocalData, Stage::Mail, session).await;
            return Proof::Alive;
        };
        let settings = &self.client.settings;
        let mut transaction = Transaction::new(settings.protocol, envelope);
        if session.has(Keywords::PIPELINING) {
            transaction = transaction.pipelining();
        }
        if self.is_probe() {
            transaction = transaction.probe(settings.probe_at);
        }
        if !settings.params.smtp_skip_quit_response {
            transaction = transaction.read_quit_reply();
        }
        let early = settings.params.smtp_tls_block_early_mail_reply
            && session.tls.is_some()
            && session.wire.has_input();
        match self.converse(session, &mut transaction, early).await {
            Ok(()) if !session.wire.is_broken() => self.complete_session = true,
            Ok(()) | Err(Stop::Failed) => session.discard(),
            Err(Stop::Dead) => {
                let times = &mut self.job.request.times;
                (times.reuse_count, times.conn_setup_done) = (0, std::time::Duration::ZERO);
                return Proof::Dead;
            }
        }
        Proof::Alive
    }

    /// Runs the dialogue.
    async fn converse(
        &mut self,
        session: &mut Session,
        transaction: &mut Transaction,
        early: bool,
    ) -> Result<(), Stop> {
        let mut lost = false;
        let mut noted = session.wire.out.len();
        self.choose_keep(session, transaction);
        let mut wait = transaction.advance(&mut session.wire.out);
        loop {
            session.note_commands(noted);
            if session.is_unproven && self.proves_alive(session).await == Proof::Dead {
                return Err(Stop::Dead);
            }
            match wait {
                Wait::Reply(stage) => {
                    let reply = match session.reply(self.client, stage, &self.job.request.queue_id).await {
                        Ok(reply) => reply,
                        Err(broken) => {
                            // Nobody minds how a session without mail ends.
                            if stage < Stage::Abort {
                                let broken = if lost { Broken::Lost } else { broken };
                                self.broken(broken, stage, session).await;
                            }
                            return Err(Stop::Failed);
                        }
                    };
                    if stage == Stage::Dot {
                        self.job.request.times.deliver_done = sys::time::unix_duration();
                    }
                    let event = transaction.reply(&reply);
                    self.record(event, &reply, session).await;
                    if stage == Stage::Mail && early {
                        self.early_reply(session).await;
                        transaction.refuse_mail();
                    }
                    self.choose_keep(session, transaction);
                    noted = session.wire.out.len();
                    wait = transaction.advance(&mut session.wire.out);
                }
                Wait::Content => match self.content(session).await {
                    Ok(()) => {
                        noted = session.wire.out.len();
                        wait = transaction.content_sent(&mut session.wire.out);
                    }
                    Err(ContentError::Broken(Broken::Lost)) => {
                        session.wire.listen_once_more();
                        lost = true;
                        noted = 0;
                        wait = transaction.content_failed();
                    }
                    Err(error) => {
                        self.content_error(error, session).await;
                        return Err(Stop::Failed);
                    }
                },
                Wait::Done(end) => return self.done(end, session).await,
            }
        }
    }

    async fn done(&mut self, end: End, session: &mut Session) -> Result<(), Stop> {
        match end {
            End::Idle => {}
            End::Quit => {
                session.discard();
                session.limit(self.client, Stage::Quit);
                let _sent = session.wire.flush().await;
            }
            End::HangUp => {
                session.discard();
                session.forbidden = true;
            }
        }
        Ok(())
    }

    /// Whether the session is still worth keeping, before its last command is made.
    fn choose_keep(&self, session: &mut Session, transaction: &mut Transaction) {
        if session.is_expired(self.client) {
            session.discard();
        }
        transaction.set_keep(if session.is_reusable() { Keep::Open } else { Keep::Close });
    }

    async fn record(&mut self, event: Event, reply: &Reply, session: &mut Session) {
        match event {
            Event::Nothing => {}
            Event::XforwardRefused(stage) => log::warning!(
                "host {} said: {} (in reply to {})",
                session.namaddrport,
                bytes::show(&reply.one_line()),
                stage.command()
            ),
            Event::MessageRefused(stage) => self.message_refused(reply, stage, session).await,
            Event::RecipientRefused(index, stage) => {
                self.recipient_refused(index, reply, stage, session).await
            }
            Event::RecipientDone(index) => self.delivered(index, reply, reply.status, session).await,
            Event::AllDone => self.all_delivered(reply, reply.status, session).await,
            // The reply is to DATA: it has no status of its own.
            Event::AllProbed => self.all_delivered(reply, const { Status::new("2.0.0") }, session).await,
        }
    }

    async fn all_delivered(&mut self, reply: &Reply, status: Status, session: &Session) {
        for index in 0..self.todo.len() {
            if self.todo.get(index).is_some_and(|(_, mark)| *mark == Mark::Open) {
                self.delivered(index, reply, status, session).await;
            }
        }
    }

    async fn early_reply(&mut self, session: &mut Session) {
        self.bulk_fail(simple("4.7.0", "unexpected server message"), Effect::THROTTLE, Some(session)).await;
        let name = self.client.settings.name("tls_block_early_mail_reply");
        log::warning!("server {} violates {name} policy", session.namaddr);
    }

    async fn content(&mut self, session: &mut Session) -> Result<(), ContentError> {
        let params = &self.client.settings.params;
        let time = params.smtp_data_xfer_timeout;
        session.wire.limit(if params.smtp_per_request_deadline {
            Limit::All(time)
        } else {
            Limit::Each(time)
        });
        let downgrade = envelope::is_downgrade(self.client, session, &self.job.request);
        let conversion = if downgrade { Conversion::SevenBit } else { Conversion::None };
        let prefix = self.added_headers();
        content::send(self.client, session, self.job, prefix, conversion).await?;
        if session.pix_delay {
            session.wire.flush().await?;
            tokio::time::sleep(params.smtp_pix_workaround_delay_time).await;
        }
        Ok(())
    }

    fn added_headers(&self) -> content::Prefix {
        let flags = self.client.settings.flags;
        let mut prefix = Vec::new();
        if !flags.adds_headers() {
            return prefix;
        }
        if flags.return_path {
            prefix.push(("Return-Path", "<", self.job.request.sender.clone(), ">"));
        }
        if let Some((recipient, _)) = self.todo.first() {
            if flags.original_to {
                prefix.push(("X-Original-To", "", recipient.original.clone(), ""));
            }
            if flags.delivered_to {
                prefix.push(("Delivered-To", "", recipient.address.clone(), ""));
            }
        }
        prefix
    }

    async fn content_error(&mut self, error: ContentError, session: &mut Session) {
        match error {
            ContentError::Broken(broken) => self.broken(broken, Stage::Body, session).await,
            ContentError::Mime(error) => {
                let why = dsn::Dsn::new(const { Status::new("5.6.0") }, error.text());
                self.bulk_fail(why, Effect::NONE, Some(session)).await;
            }
            ContentError::Unreadable(text) => {
                log::warning!("{}: {text}", self.queue_id());
                self.bulk_fail(simple("5.3.0", "unreadable mail queue entry"), Effect::NONE, Some(session))
                    .await;
                if !self.unfinished {
                    log::warning!("corrupted queue file: {} {}", self.job.request.queue, self.queue_id());
                    if let Err(error) = queue::mark_corrupt(&self.job.file) {
                        log::warning!("{}: cannot mark the queue file: {error}", self.queue_id());
                    }
                }
            }
        }
        // There is no other way to take back half a message.
        session.forbidden = true;
        session.discard();
    }
}
