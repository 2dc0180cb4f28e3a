//! A connection to a server, and what is known of it.

use std::time::Duration;

use smtp::ehlo::{Keywords, Offer};
use smtp::reply::Line;
use smtp::{Assembler, Reply, Stage};
use tokio::time::Instant;

use crate::Client;
use crate::wire::{Broken, Limit, LineEnd, Wire};

/// Whether a session may be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// Until then.
    Until(Instant),
    /// No.
    Never,
    /// No, and the destination is held back.
    Throttled,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) wire: Wire,
    /// Name of the server, or the path of its socket.
    pub(crate) host: String,
    /// Its address as text, or the path.
    pub(crate) addr: String,
    /// Its port; 0 for a local socket.
    pub(crate) port: u16,
    /// `host[addr]`.
    pub(crate) namaddr: String,
    /// `host[addr]:port`.
    pub(crate) namaddrport: String,
    /// The next hop through which it was found.
    pub(crate) dest: String,
    /// What it offers.
    pub(crate) offer: Offer,
    /// TLS, if on.
    pub(crate) tls: Option<tls::Summary>,
    /// The TLS level in force when it was made.
    pub(crate) level: tls::Level,
    /// It is the best mail exchanger of its destination.
    pub(crate) best_mx: bool,
    /// It carried a message before.
    pub(crate) from_cache: bool,
    /// Its first command is under way, and the answer will show whether it is alive.
    pub(crate) is_unproven: bool,
    /// Deliveries before this one.
    pub(crate) reuse_count: u32,
    pub(crate) reuse: Reuse,
    /// The protocol is in an unknown state: not another word.
    pub(crate) forbidden: bool,
    /// TLS failed; the same server may do without.
    pub(crate) retry_plain: bool,
    /// Wait before the final dot.
    pub(crate) pix_delay: bool,
    pub(crate) protocol_error: bool,
    pub(crate) data_error: bool,
    /// The conversation so far, if the postmaster wants to know.
    pub(crate) history: Option<Vec<Vec<u8>>>,
    line: Vec<u8>,
}

impl Session {
    pub(crate) fn new(client: &Client, wire: Wire, host: &str, addr: &str, port: u16) -> Self {
        let namaddr = format!("{host}[{addr}]");
        let namaddrport = if port == 0 { namaddr.clone() } else { format!("{namaddr}:{port}") };
        let notify = client.settings.notify_protocol || client.settings.notify_data;
        Self {
            wire,
            host: host.to_owned(),
            addr: addr.to_owned(),
            port,
            namaddr,
            namaddrport,
            dest: String::new(),
            offer: Offer::default(),
            tls: None,
            level: tls::Level::None,
            best_mx: false,
            from_cache: false,
            is_unproven: false,
            reuse_count: 0,
            reuse: Reuse::Never,
            forbidden: false,
            retry_plain: false,
            pix_delay: false,
            protocol_error: false,
            data_error: false,
            history: notify.then(Vec::new),
            line: Vec::new(),
        }
    }

    pub(crate) fn has(&self, keyword: Keywords) -> bool {
        self.offer.keywords.has(keyword)
    }

    /// Not to be used again.
    pub(crate) fn discard(&mut self) {
        if self.reuse != Reuse::Throttled {
            self.reuse = Reuse::Never;
        }
    }

    /// To be kept for another delivery.
    pub(crate) fn is_reusable(&self) -> bool {
        !self.forbidden && matches!(self.reuse, Reuse::Until(_))
    }

    /// To be kept, but for too long already.
    pub(crate) fn is_expired(&self, client: &Client) -> bool {
        let most = client.settings.params.smtp_connection_reuse_count_limit;
        match self.reuse {
            Reuse::Until(end) if !self.forbidden => {
                end < Instant::now() || (most > 0 && i64::from(self.reuse_count) >= most)
            }
            _ => false,
        }
    }

    /// Whether anything can still be said.
    pub(crate) fn can_speak(&self) -> bool {
        !self.forbidden && !self.wire.is_broken()
    }

    /// Sets the time limit of a stage.
    pub(crate) fn limit(&mut self, client: &Client, stage: Stage) {
        let time = time_of(client, stage);
        let whole = client.settings.params.smtp_per_request_deadline;
        self.wire.limit(if whole { Limit::All(time) } else { Limit::Each(time) });
    }

    /// Notes commands that are about to be sent, from `start` of the output buffer on.
    pub(crate) fn note_commands(&mut self, start: usize) {
        if self.history.is_none() && log::verbose() == 0 {
            return;
        }
        let commands = self.wire.out.get(start..).unwrap_or_default();
        for command in commands.split(|&byte| byte == b'\n').filter(|command| !command.is_empty()) {
            let command = command.strip_suffix(b"\r").unwrap_or(command);
            log::debug!("> {}: {}", self.namaddrport, bytes::show(command));
            if let Some(history) = &mut self.history {
                history.push([b"Out: ", command].concat());
            }
        }
    }

    /// Sends what is to be sent and reads a reply.
    pub(crate) async fn reply(
        &mut self,
        client: &Client,
        stage: Stage,
        queue_id: &str,
    ) -> Result<Reply, Broken> {
        self.limit(client, stage);
        let most = usize::try_from(client.settings.common.line_length_limit).unwrap_or(2048);
        let mut assembler = Assembler::new(most);
        loop {
            let mut line = std::mem::take(&mut self.line);
            let end = self.wire.read_line(&mut line, most).await?;
            if line.iter().any(|byte| !(b' '..=b'~').contains(byte)) {
                line = bytes::printable(&line, b'?');
            }
            if end == LineEnd::Cut {
                let shown = bytes::show_limited(&line, 30);
                log::warning!("{}: response longer than {most}: {shown}...", self.namaddrport);
            }
            log::debug!("< {}: {}", self.namaddrport, bytes::show_limited(&line, 100));
            if assembler.overflowed() {
                let shown = bytes::show_limited(assembler.text(), 30);
                log::warning!("{}: multi-line response longer than {most} {shown}...", self.namaddrport);
            } else if let Some(history) = &mut self.history {
                history.push([b"In:  ", line.as_slice()].concat());
            }
            if let Some(new) = self.replaced(client, queue_id, &line).await? {
                line = new;
            }
            let result = assembler.line(&line);
            if result == Line::Garbage {
                self.garbage(client, queue_id, &line);
            }
            self.line = line;
            if let Line::Done(reply) = result {
                return Ok(reply);
            }
        }
    }

    async fn replaced(
        &mut self,
        client: &Client,
        queue_id: &str,
        line: &[u8],
    ) -> Result<Option<Vec<u8>>, Broken> {
        let Some(filter) = &client.reply_filter else { return Ok(None) };
        match filter.lookup(line).await {
            Ok(None) => Ok(None),
            Ok(Some(new)) => {
                log::info!(
                    "{}: replacing server reply \"{}\" with \"{}\"",
                    self.namaddrport,
                    bytes::show(line),
                    bytes::show(&new)
                );
                if let Some(history) = &mut self.history {
                    history.push(b"Replaced-by: ".to_vec());
                    history.push([b"     ", new.as_slice()].concat());
                }
                Ok(Some(new))
            }
            Err(_) => {
                log::warning!("{queue_id}: table {} lookup error for {}", filter.name(), bytes::show(line));
                self.data_error = true;
                Err(Broken::LocalData)
            }
        }
    }

    fn garbage(&mut self, client: &Client, queue_id: &str, line: &[u8]) {
        self.protocol_error = true;
        self.discard();
        if !self.has(Keywords::PIPELINING) {
            return;
        }
        let kind = if client.settings.protocol == smtp::Protocol::Smtp { "ESMTP" } else { "LMTP" };
        let shown = bytes::show_limited(line, 100);
        log::warning!("{queue_id}: non-{kind} response from {}: {shown}", self.namaddrport);
        if client.settings.common.helpful_warnings {
            log::warning!(
                "to prevent loss of mail, turn off command pipelining for {} with the {} parameter",
                self.addr,
                client.settings.name("discard_ehlo_keyword_address_maps")
            );
        }
    }

    /// Says goodbye, and does not wait for an answer unless told to.
    pub(crate) async fn quit(&mut self, client: &Client, queue_id: &str) {
        self.discard();
        if !self.can_speak() {
            return;
        }
        let start = self.wire.out.len();
        self.wire.out.extend_from_slice(b"QUIT\r\n");
        self.note_commands(start);
        self.limit(client, Stage::Quit);
        if client.settings.params.smtp_skip_quit_response {
            let _sent = self.wire.flush().await;
        } else {
            let _answered = self.reply(client, Stage::Quit, queue_id).await;
        }
    }

    /// Says something to an idle session, to find out whether it is still alive.
    pub(crate) fn probe(&mut self) {
        self.is_unproven = true;
        let start = self.wire.out.len();
        self.wire.out.extend_from_slice(b"RSET\r\n");
        self.note_commands(start);
    }

    /// Whether the answer to [`probe`](Self::probe) shows that the session is alive.
    pub(crate) async fn is_alive(&mut self, client: &Client, queue_id: &str) -> bool {
        self.is_unproven = false;
        self.reply(client, Stage::Rset, queue_id).await.is_ok_and(|reply| reply.is_positive())
    }
}

/// The time limit of a stage.
pub(crate) fn time_of(client: &Client, stage: Stage) -> Duration {
    let params = &client.settings.params;
    match stage {
        Stage::Greeting | Stage::Ehlo | Stage::Helo | Stage::Lhlo => params.smtp_helo_timeout,
        Stage::StartTls => params.smtp_starttls_timeout,
        Stage::XforwardName | Stage::XforwardProto => params.smtp_xforward_timeout,
        Stage::Mail => params.smtp_mail_timeout,
        Stage::Rcpt => params.smtp_rcpt_timeout,
        Stage::Data => params.smtp_data_init_timeout,
        Stage::Body => params.smtp_data_xfer_timeout,
        Stage::Dot => params.smtp_data_done_timeout,
        Stage::Abort | Stage::Rset => params.smtp_rset_timeout,
        Stage::Quit => params.smtp_quit_timeout,
    }
}
