//! From the greeting to a session that can carry mail.

use dsn::Status;

use crate::ehlo::{Keywords, Offer};
use crate::{Protocol, Reply, Stage};

/// What the configuration says about opening a session.
#[derive(Clone, Debug)]
pub struct HelloSettings {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// `smtp_helo_name`.
    pub helo_name: Vec<u8>,
    /// `myhostname`, to recognise ourselves.
    pub my_hostname: Vec<u8>,
    /// `smtp_always_send_ehlo`.
    pub always_ehlo: bool,
    /// `smtp_never_send_ehlo`.
    pub never_ehlo: bool,
    /// `smtp_skip_5xx_greeting`.
    pub skip_5xx_greeting: bool,
    /// `smtp_tls_wrappermode`.
    pub wrapper_mode: bool,
}

/// What to do about STARTTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsWish {
    /// Nothing.
    Never,
    /// Use it if the server offers it.
    IfOffered,
    /// No mail without it.
    Required,
    /// No mail without it, and it cannot be had on our side.
    RequiredUnavailable,
}

/// What REQUIRETLS (RFC 8689) asks of this session, weakest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequireTls {
    /// Nothing.
    #[default]
    No,
    /// Pass it on if that is possible.
    Opportunistic,
    /// As before, but over TLS in any case.
    OpportunisticTls,
    /// A verified server that takes on the same duty, or no delivery.
    Enforce,
}

/// Work-arounds for firewalls that replace parts of the greeting by stars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pix {
    /// `disable_esmtp`.
    pub disable_esmtp: bool,
    /// `delay_dotcrlf`.
    pub delay_dotcrlf: bool,
}

impl Pix {
    /// The names of what is on.
    pub fn text(self) -> String {
        let words = [(self.disable_esmtp, "disable_esmtp"), (self.delay_dotcrlf, "delay_dotcrlf")];
        let words: Vec<&str> = words.into_iter().filter(|word| word.0).map(|word| word.1).collect();
        words.join(" ")
    }
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the buffer and read a reply.
    Reply(Stage),
    /// Do the TLS handshake, then call [`Hello::tls_started`].
    StartTls,
    /// The session can carry mail.
    Ready,
    /// It cannot.
    Refused(Failure),
}

/// Why a server is of no use for this message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Enhanced status code.
    pub status: Status,
    /// For the log and the sender.
    pub text: Vec<u8>,
    /// The reply that says so; none if it is our own verdict.
    pub reply: Option<Reply>,
    /// A hard error that counts as soft while there are other servers; such a server is not throttled.
    pub soft_if_not_last: bool,
}

/// Opens one session.
#[derive(Clone, Debug)]
pub struct Hello {
    stage: Stage,
    esmtp: bool,
    secure: bool,
    tls: TlsWish,
    discard: Keywords,
    loop_check: bool,
    best_mx: bool,
    pix: Pix,
    needs_smtputf8: bool,
    requiretls: RequireTls,
    server: String,
    server_port: String,
    nexthop: Vec<u8>,
    /// What the server offers, once it was asked.
    pub offer: Offer,
    /// The work-arounds in force.
    pub active_pix: Option<Pix>,
}

impl Hello {
    /// For a server known as `server` (`name[address]`) in bounces and `server_port` (the same with the port) in warnings.
    pub fn new(server: &str, server_port: &str, nexthop: &[u8]) -> Self {
        Self {
            stage: Stage::Greeting,
            esmtp: false,
            secure: false,
            tls: TlsWish::Never,
            discard: Keywords::NONE,
            loop_check: false,
            best_mx: false,
            pix: Pix::default(),
            needs_smtputf8: false,
            requiretls: RequireTls::No,
            server: server.to_owned(),
            server_port: server_port.to_owned(),
            nexthop: nexthop.to_vec(),
            offer: Offer::default(),
            active_pix: None,
        }
    }

    /// What to do about STARTTLS.
    #[must_use]
    pub fn tls(mut self, wish: TlsWish) -> Self {
        self.tls = wish;
        self
    }

    /// EHLO keywords not to believe.
    #[must_use]
    pub fn discard(mut self, keywords: Keywords) -> Self {
        self.discard = keywords;
        self
    }

    /// A server with our own name is a mail loop: for good (5.4.6) if it is the best one for the destination.
    #[must_use]
    pub fn loop_check(mut self, best_mx: bool) -> Self {
        self.loop_check = true;
        self.best_mx = best_mx;
        self
    }

    /// Work-arounds to apply if the greeting looks like that of a PIX firewall.
    #[must_use]
    pub fn pix(mut self, pix: Pix) -> Self {
        self.pix = pix;
        self
    }

    /// The message cannot be sent without SMTPUTF8.
    #[must_use]
    pub fn needs_smtputf8(mut self) -> Self {
        self.needs_smtputf8 = true;
        self
    }

    /// What REQUIRETLS asks.
    #[must_use]
    pub fn requiretls(mut self, level: RequireTls) -> Self {
        self.requiretls = level;
        self
    }

    /// Begins; in wrapper mode with TLS.
    pub fn begin(&mut self, settings: &HelloSettings) -> Action {
        if settings.wrapper_mode { Action::StartTls } else { Action::Reply(Stage::Greeting) }
    }

    /// Whether TLS is on.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// TLS is on: what was learned before is forgotten.
    pub fn tls_started(&mut self, settings: &HelloSettings, out: &mut Vec<u8>) -> Action {
        self.secure = true;
        self.offer = Offer::default();
        if settings.wrapper_mode && self.stage == Stage::Greeting {
            return Action::Reply(Stage::Greeting);
        }
        self.esmtp = true;
        self.introduce(settings, out)
    }

    /// Takes the reply to the last command.
    pub fn reply(&mut self, settings: &HelloSettings, reply: &Reply, out: &mut Vec<u8>) -> Action {
        match self.stage {
            Stage::Greeting => self.greeted(settings, reply, out),
            Stage::Ehlo if !reply.is_positive() && reply.code != 421 => {
                self.esmtp = false;
                self.introduce(settings, out)
            }
            Stage::StartTls => self.starttls_answered(reply),
            _ if !reply.is_positive() => self.refused(reply, reply.status),
            _ => self.introduced(settings, reply, out),
        }
    }

    fn greeted(&mut self, settings: &HelloSettings, reply: &Reply, out: &mut Vec<u8>) -> Action {
        if !reply.is_positive() {
            let soften = reply.class() == 5 && settings.skip_5xx_greeting;
            let status = if soften { reply.status.with_class(4) } else { reply.status };
            return self.refused(reply, status);
        }
        if reply.text.iter().all(|byte| b"20 *\t\n".contains(byte)) && self.pix != Pix::default() {
            self.active_pix = Some(self.pix);
        }
        let greeting = reply.text.get(4..).unwrap_or_default();
        let mut first = true;
        for word in
            greeting.split(|byte| matches!(byte, b' ' | b'\t' | b'\n')).filter(|word| !word.is_empty())
        {
            if std::mem::take(&mut first) && word.eq_ignore_ascii_case(&settings.my_hostname) {
                if self.loop_check {
                    log::warning!(
                        "host {} greeted me with my own hostname {}",
                        self.server_port,
                        bytes::show(&settings.my_hostname)
                    );
                }
            } else if word.eq_ignore_ascii_case(b"ESMTP") {
                self.esmtp = true;
            }
        }
        let no_esmtp = self.active_pix.is_some_and(|pix| pix.disable_esmtp);
        match settings.protocol {
            Protocol::Lmtp => self.esmtp = true,
            Protocol::Smtp => {
                self.esmtp |= settings.always_ehlo && !no_esmtp;
                self.esmtp &= !settings.never_ehlo && !no_esmtp;
            }
        }
        self.introduce(settings, out)
    }

    fn introduce(&mut self, settings: &HelloSettings, out: &mut Vec<u8>) -> Action {
        let (stage, verb) = match (settings.protocol, self.esmtp) {
            (Protocol::Lmtp, _) => (Stage::Lhlo, &b"LHLO "[..]),
            (Protocol::Smtp, true) => (Stage::Ehlo, &b"EHLO "[..]),
            (Protocol::Smtp, false) => (Stage::Helo, &b"HELO "[..]),
        };
        self.stage = stage;
        out.extend_from_slice(verb);
        out.extend_from_slice(&settings.helo_name);
        out.extend_from_slice(b"\r\n");
        Action::Reply(stage)
    }

    fn introduced(&mut self, settings: &HelloSettings, reply: &Reply, out: &mut Vec<u8>) -> Action {
        if self.esmtp {
            let shown = self.discard;
            if !shown.is_empty() && !shown.has(Keywords::SILENT) {
                log::info!("discarding EHLO keywords: {}", shown.text());
            }
            let (offer, bad_size) = Offer::read(&reply.text, self.discard);
            self.offer = offer;
            if !self.secure {
                self.offer.keywords = self.offer.keywords.without(Keywords::REQUIRETLS);
            }
            if let Some(word) = bad_size {
                log::warning!("bad EHLO SIZE limit \"{}\" from {}", bytes::show(&word), self.server_port);
            }
            if self.loop_check && self.offer.name.eq_ignore_ascii_case(&settings.my_hostname) {
                log::warning!(
                    "host {} replied to HELO/EHLO with my own hostname {}",
                    self.server_port,
                    bytes::show(&settings.my_hostname)
                );
                let status = if self.best_mx {
                    const { Status::new("5.4.6") }
                } else {
                    const { Status::new("4.4.6") }
                };
                let mut text = b"mail for ".to_vec();
                text.extend_from_slice(&self.nexthop);
                text.extend_from_slice(b" loops back to myself");
                return Action::Refused(own(status, text));
            }
        }
        if self.needs_smtputf8 && !self.offer.keywords.has(Keywords::SMTPUTF8) {
            let text = format!(
                "message requires SMTPUTF8, but no server was found that supports SMTPUTF8. The last attempted server was {}",
                self.server
            );
            return Action::Refused(Failure {
                soft_if_not_last: true,
                ..own(const { Status::new("5.6.7") }, text)
            });
        }
        if self.offer.keywords.has(Keywords::SMTPUTF8) && !self.offer.keywords.has(Keywords::EIGHT_BIT_MIME) {
            log::info!("host {} offers SMTPUTF8 support, but not 8BITMIME", self.server);
            self.offer.keywords = self.offer.keywords.with(Keywords::EIGHT_BIT_MIME);
        }
        if self.secure {
            return self.secure_result();
        }
        match self.tls {
            TlsWish::Never => Action::Ready,
            TlsWish::IfOffered | TlsWish::Required if self.offer.keywords.has(Keywords::STARTTLS) => {
                out.extend_from_slice(b"STARTTLS\r\n");
                self.stage = Stage::StartTls;
                Action::Reply(Stage::StartTls)
            }
            TlsWish::IfOffered => Action::Ready,
            _ if !self.offer.keywords.has(Keywords::STARTTLS)
                && self.requiretls >= RequireTls::OpportunisticTls =>
            {
                Action::Refused(Failure {
                    soft_if_not_last: true,
                    ..own(
                        const { Status::new("5.7.30") },
                        format!(
                            "Sender requested REQUIRETLS, but TLS service was not offered by host {}",
                            self.server
                        ),
                    )
                })
            }
            _ if !self.offer.keywords.has(Keywords::STARTTLS) => Action::Refused(own(
                const { Status::new("4.7.4") },
                format!("TLS is required, but was not offered by host {}", self.server),
            )),
            _ => Action::Refused(own(
                const { Status::new("4.7.5") },
                "TLS is required, but our TLS engine is unavailable",
            )),
        }
    }

    fn secure_result(&self) -> Action {
        if self.requiretls < RequireTls::Enforce || self.offer.keywords.has(Keywords::REQUIRETLS) {
            return Action::Ready;
        }
        Action::Refused(Failure {
            soft_if_not_last: true,
            ..own(
                const { Status::new("5.7.30") },
                format!(
                    "Sender requested REQUIRETLS, but no server was found that supports REQUIRETLS. \
                     The last attempted server was {}",
                    self.server
                ),
            )
        })
    }

    fn starttls_answered(&mut self, reply: &Reply) -> Action {
        if reply.is_positive() {
            return Action::StartTls;
        }
        self.offer.keywords = self.offer.keywords.without(Keywords::STARTTLS);
        if self.tls == TlsWish::IfOffered {
            return Action::Ready;
        }
        let mut text =
            format!("TLS is required, but host {} refused to start TLS: ", self.server).into_bytes();
        text.extend_from_slice(&reply.one_line());
        Action::Refused(Failure {
            status: reply.status,
            text,
            reply: Some(reply.clone()),
            soft_if_not_last: false,
        })
    }

    fn refused(&self, reply: &Reply, status: Status) -> Action {
        let mut text = format!("host {} refused to talk to me: ", self.server).into_bytes();
        text.extend_from_slice(&reply.one_line());
        Action::Refused(Failure { status, text, reply: Some(reply.clone()), soft_if_not_last: false })
    }
}

fn own(status: Status, text: impl Into<Vec<u8>>) -> Failure {
    Failure { status, text: text.into(), reply: None, soft_if_not_last: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::{Assembler, Line};

    fn settings() -> HelloSettings {
        HelloSettings {
            protocol: Protocol::Smtp,
            helo_name: b"me.example".to_vec(),
            my_hostname: b"me.example".to_vec(),
            always_ehlo: true,
            never_ehlo: false,
            skip_5xx_greeting: true,
            wrapper_mode: false,
        }
    }

    fn reply(text: &str) -> Reply {
        let mut assembler = Assembler::new(2048);
        let mut last = None;
        for line in text.lines() {
            if let Line::Done(reply) = assembler.line(line.as_bytes()) {
                last = Some(reply);
            }
        }
        last.unwrap()
    }

    fn hello() -> Hello {
        Hello::new("mx[192.0.2.1]", "mx[192.0.2.1]:25", b"d.example")
    }

    #[test]
    fn greeting_ehlo_ready() {
        let (settings, mut out) = (settings(), Vec::new());
        let mut hello = hello();
        assert_eq!(hello.begin(&settings), Action::Reply(Stage::Greeting));
        assert_eq!(hello.reply(&settings, &reply("220 mx ESMTP"), &mut out), Action::Reply(Stage::Ehlo));
        assert_eq!(out, b"EHLO me.example\r\n");
        assert_eq!(hello.reply(&settings, &reply("250-mx\n250 PIPELINING"), &mut out), Action::Ready);
        assert!(hello.offer.keywords.has(Keywords::PIPELINING));
    }

    #[test]
    fn helo_after_a_refused_ehlo() {
        let (settings, mut out) = (settings(), Vec::new());
        let mut hello = hello();
        hello.begin(&settings);
        hello.reply(&settings, &reply("220 mx"), &mut out);
        assert_eq!(hello.reply(&settings, &reply("500 what"), &mut out), Action::Reply(Stage::Helo));
        assert_eq!(hello.reply(&settings, &reply("250 mx"), &mut out), Action::Ready);
        assert_eq!(out, b"EHLO me.example\r\nHELO me.example\r\n");
    }

    #[test]
    fn a_5xx_greeting_is_soft() {
        let settings = settings();
        let mut hello = hello();
        let Action::Refused(failure) = hello.reply(&settings, &reply("554 5.7.1 go away"), &mut Vec::new())
        else {
            panic!()
        };
        assert_eq!(failure.status.as_str(), "4.7.1");
        assert_eq!(failure.text, b"host mx[192.0.2.1] refused to talk to me: 554 5.7.1 go away");
    }

    #[test]
    fn own_name_is_a_loop() {
        let settings = settings();
        let mut hello = hello().loop_check(true);
        hello.reply(&settings, &reply("220 me.example ESMTP"), &mut Vec::new());
        let Action::Refused(failure) = hello.reply(&settings, &reply("250 ME.example"), &mut Vec::new())
        else {
            panic!()
        };
        assert_eq!(
            (failure.status.as_str(), failure.text),
            ("5.4.6", b"mail for d.example loops back to myself".to_vec())
        );
    }

    #[test]
    fn starttls() {
        let (settings, mut out) = (settings(), Vec::new());
        let mut hello = hello().tls(TlsWish::IfOffered);
        hello.reply(&settings, &reply("220 mx"), &mut out);
        let next = hello.reply(&settings, &reply("250-mx\n250-AUTH PLAIN\n250 STARTTLS"), &mut out);
        assert_eq!(next, Action::Reply(Stage::StartTls));
        assert_eq!(hello.reply(&settings, &reply("220 go"), &mut out), Action::StartTls);
        assert_eq!(hello.tls_started(&settings, &mut out), Action::Reply(Stage::Ehlo));
        assert_eq!(hello.reply(&settings, &reply("250-mx\n250 STARTTLS"), &mut out), Action::Ready);
        assert!(hello.offer.auth.is_empty());
        assert_eq!(out, b"EHLO me.example\r\nSTARTTLS\r\nEHLO me.example\r\n");
    }

    #[test]
    fn tls_is_required() {
        let settings = settings();
        let mut hello = hello().tls(TlsWish::Required);
        hello.reply(&settings, &reply("220 mx"), &mut Vec::new());
        let Action::Refused(failure) = hello.reply(&settings, &reply("250 mx"), &mut Vec::new()) else {
            panic!()
        };
        assert_eq!(failure.status.as_str(), "4.7.4");
        assert_eq!(failure.text, b"TLS is required, but was not offered by host mx[192.0.2.1]");
    }
}
