//! One message over an open session: envelope, content, result.
//!
//! A sender and a receiver walk the same states, the sender ahead of the receiver as far as PIPELINING (RFC 2920) allows. The sender must wait for the
//! receiver after DATA and at the end. When both are at the same point and there is nobody left to deliver to, the transaction is
//! aborted.

use crate::{Protocol, Reply, Stage};

/// So much may be sent without having read the replies: no more than any TCP buffer holds, or both sides could wait for ever.
const PIPELINE_LIMIT: usize = 4096;

/// The commands of a transaction, without line ends.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    /// XFORWARD with name, address and port; empty for none.
    pub xforward_name: Vec<u8>,
    /// XFORWARD with the rest; empty for none.
    pub xforward_proto: Vec<u8>,
    /// MAIL FROM with parameters.
    pub mail: Vec<u8>,
    /// RCPT TO with parameters, for each recipient.
    pub recipients: Vec<Vec<u8>>,
}

/// Where an address probe ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeAt {
    /// After RCPT.
    Rcpt,
    /// After DATA, by hanging up.
    Data,
}

/// What becomes of the session afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It is closed with QUIT.
    Close,
    /// It is kept for another transaction.
    Open,
}

/// What the sender waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Send the buffer and read a reply.
    Reply(Stage),
    /// Put the message content into the stream, then call [`Transaction::content_sent`] or [`Transaction::content_failed`].
    Content,
    /// All is said. What is in the buffer is still to be sent.
    Done(End),
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The session is idle and can be used again.
    Idle,
    /// QUIT is sent.
    Quit,
    /// Hang up without another word.
    HangUp,
}

/// What a reply means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing to be recorded.
    Nothing,
    /// XFORWARD was refused: worth a warning.
    XforwardRefused(Stage),
    /// The message is refused for all recipients that have no verdict yet, in reply to this.
    MessageRefused(Stage),
    /// This recipient is refused, in reply to this.
    RecipientRefused(usize, Stage),
    /// This recipient has the message, or passed its probe.
    RecipientDone(usize),
    /// All recipients that have no verdict yet have the message.
    AllDone,
    /// All recipients that have no verdict yet passed their probe at DATA.
    AllProbed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    XforwardName,
    XforwardProto,
    Mail,
    Rcpt,
    Data,
    Dot,
    Abort,
    Quit,
    Last,
}

/// The machine.
#[derive(Debug)]
pub struct Transaction {
    envelope: Envelope,
    protocol: Protocol,
    probe: Option<ProbeAt>,
    keep: Keep,
    pipelining: bool,
    skip_quit_reply: bool,
    send: State,
    recv: State,
    send_rcpt: usize,
    recv_rcpt: usize,
    /// Recipients accepted, in order, for LMTP's replies.
    accepted: Vec<usize>,
    done: usize,
    mail_refused: bool,
    data_refused: bool,
    content_lost: bool,
    quit_sent: bool,
    hang_up: bool,
    pending: usize,
}

impl Transaction {
    /// A transaction that sends the message and then QUIT.
    pub fn new(protocol: Protocol, envelope: Envelope) -> Self {
        let start = if !envelope.xforward_name.is_empty() {
            State::XforwardName
        } else if !envelope.xforward_proto.is_empty() {
            State::XforwardProto
        } else {
            State::Mail
        };
        Self {
            envelope,
            protocol,
            probe: None,
            keep: Keep::Close,
            pipelining: false,
            skip_quit_reply: true,
            send: start,
            recv: start,
            send_rcpt: 0,
            recv_rcpt: 0,
            accepted: Vec::new(),
            done: 0,
            mail_refused: false,
            data_refused: false,
            content_lost: false,
            quit_sent: false,
            hang_up: false,
            pending: 0,
        }
    }

    /// The server takes several commands at once.
    #[must_use]
    pub fn pipelining(mut self) -> Self {
        self.pipelining = true;
        self
    }

    /// Ends as an address probe.
    #[must_use]
    pub fn probe(mut self, at: ProbeAt) -> Self {
        self.probe = Some(at);
        self
    }

    /// Waits for the reply to QUIT (`smtp_skip_quit_response = no`).
    #[must_use]
    pub fn read_quit_reply(mut self) -> Self {
        self.skip_quit_reply = false;
        self
    }

    /// What becomes of the session. May change while the transaction runs, until its last command is made.
    pub fn set_keep(&mut self, keep: Keep) {
        self.keep = keep;
    }

    /// Makes commands until something must be waited for.
    pub fn advance(&mut self, out: &mut Vec<u8>) -> Wait {
        loop {
            if self.recv == State::Last {
                if self.send == State::Quit {
                    self.make(out);
                }
                return Wait::Done(self.end());
            }
            if self.ahead() && self.must_wait() {
                return Wait::Reply(self.recv_stage());
            }
            if !self.ahead() {
                self.pending = 0;
                self.correct_course();
            }
            if self.send == State::Dot && !self.accepted.is_empty() {
                return Wait::Content;
            }
            self.make(out);
        }
    }

    /// The content is in the stream, all but its end.
    pub fn content_sent(&mut self, out: &mut Vec<u8>) -> Wait {
        if self.send == State::Dot {
            self.make(out);
        }
        self.advance(out)
    }

    /// The connection broke while the content was sent. The server may have said why before it hung up.
    pub fn content_failed(&mut self) -> Wait {
        self.content_lost = true;
        self.keep = Keep::Close;
        self.hang_up = true;
        self.send = State::Last;
        Wait::Reply(Stage::Body)
    }

    /// Takes the reply to the oldest command without one.
    pub fn reply(&mut self, reply: &Reply) -> Event {
        match self.recv {
            State::XforwardName => {
                self.recv =
                    if self.envelope.xforward_proto.is_empty() { State::Mail } else { State::XforwardProto };
                xforward(reply, Stage::XforwardName)
            }
            State::XforwardProto => {
                self.recv = State::Mail;
                xforward(reply, Stage::XforwardProto)
            }
            State::Mail => {
                self.recv = State::Rcpt;
                self.mail_refused = !reply.is_positive();
                if self.mail_refused { Event::MessageRefused(Stage::Mail) } else { Event::Nothing }
            }
            State::Rcpt => self.recipient_reply(reply),
            State::Data => self.data_reply(reply),
            State::Dot => self.dot_reply(reply),
            State::Abort => {
                self.recv = self.after_last_command();
                Event::Nothing
            }
            State::Quit | State::Last => {
                self.recv = State::Last;
                Event::Nothing
            }
        }
    }

    /// Refuses the message as if the server had, before its recipients are named.
    pub fn refuse_mail(&mut self) {
        self.mail_refused = true;
        self.keep = Keep::Close;
    }

    fn recipient_reply(&mut self, reply: &Reply) -> Event {
        let index = self.recv_rcpt;
        self.recv_rcpt += 1;
        if self.recv_rcpt == self.envelope.recipients.len() {
            self.recv = if self.probe == Some(ProbeAt::Rcpt) { State::Abort } else { State::Data };
        }
        if self.mail_refused {
            return Event::Nothing;
        }
        if !reply.is_positive() {
            return Event::RecipientRefused(index, Stage::Rcpt);
        }
        self.accepted.push(index);
        if self.probe == Some(ProbeAt::Rcpt) { Event::RecipientDone(index) } else { Event::Nothing }
    }

    fn data_reply(&mut self, reply: &Reply) -> Event {
        self.recv = State::Dot;
        if reply.class() != 3 {
            let had = !self.accepted.is_empty();
            self.accepted.clear();
            self.data_refused = true;
            return if had { Event::MessageRefused(Stage::Data) } else { Event::Nothing };
        }
        // The server now waits for a message that will not come: there is no polite way out.
        if self.probe == Some(ProbeAt::Data) {
            self.send = State::Last;
            self.recv = State::Last;
            self.keep = Keep::Close;
            self.hang_up = true;
            return Event::AllProbed;
        }
        Event::Nothing
    }

    fn dot_reply(&mut self, reply: &Reply) -> Event {
        let event = match self.protocol {
            _ if self.accepted.is_empty() => Event::Nothing,
            Protocol::Smtp if reply.is_positive() => Event::AllDone,
            Protocol::Smtp => Event::MessageRefused(Stage::Dot),
            Protocol::Lmtp => {
                let index = self.accepted.get(self.done).copied().unwrap_or_default();
                self.done += 1;
                if reply.is_positive() {
                    Event::RecipientDone(index)
                } else {
                    Event::RecipientRefused(index, Stage::Dot)
                }
            }
        };
        if self.protocol == Protocol::Smtp || self.done >= self.accepted.len() {
            self.recv = if self.content_lost { State::Last } else { self.after_last_command() };
        }
        event
    }

    fn after_last_command(&self) -> State {
        let quits = self.quit_sent || self.send == State::Quit;
        if quits && !self.skip_quit_reply { State::Quit } else { State::Last }
    }

    fn end(&self) -> End {
        match self.keep {
            _ if self.hang_up => End::HangUp,
            _ if self.quit_sent => End::Quit,
            Keep::Open => End::Idle,
            Keep::Close => End::HangUp,
        }
    }

    fn ahead(&self) -> bool {
        self.recv < self.send || self.recv_rcpt != self.send_rcpt
    }

    fn must_wait(&self) -> bool {
        matches!(self.send, State::Dot | State::Last)
            || !self.pipelining
            || (self.recv != State::Dot && self.pending + self.next_length() > PIPELINE_LIMIT)
    }

    fn next_length(&self) -> usize {
        2 + match self.send {
            State::XforwardName => self.envelope.xforward_name.len(),
            State::XforwardProto => self.envelope.xforward_proto.len(),
            State::Mail => self.envelope.mail.len(),
            State::Rcpt => self.envelope.recipients.get(self.send_rcpt).map_or(0, Vec::len),
            _ => 4,
        }
    }

    /// Both sides are at the same point: is there still somebody to deliver to?
    fn correct_course(&mut self) {
        let nobody = match self.send {
            State::Rcpt => self.mail_refused,
            State::Data => self.mail_refused || self.accepted.is_empty(),
            State::Dot => self.data_refused,
            _ => false,
        };
        if nobody {
            self.send = State::Abort;
            self.recv = State::Abort;
            self.send_rcpt = 0;
            self.recv_rcpt = 0;
        }
    }

    /// Makes the next command.
    fn make(&mut self, out: &mut Vec<u8>) {
        let before = out.len();
        match self.send {
            State::XforwardName => {
                out.append(&mut self.envelope.xforward_name);
                self.send =
                    if self.envelope.xforward_proto.is_empty() { State::Mail } else { State::XforwardProto };
            }
            State::XforwardProto => {
                out.extend_from_slice(&self.envelope.xforward_proto);
                self.send = State::Mail;
            }
            State::Mail => {
                out.append(&mut self.envelope.mail);
                self.send = State::Rcpt;
            }
            State::Rcpt => {
                if let Some(command) = self.envelope.recipients.get_mut(self.send_rcpt) {
                    out.append(command);
                }
                self.send_rcpt += 1;
                if self.send_rcpt >= self.envelope.recipients.len() {
                    self.send = if self.probe == Some(ProbeAt::Rcpt) { State::Abort } else { State::Data };
                }
            }
            State::Data => {
                out.extend_from_slice(b"DATA");
                self.send = State::Dot;
            }
            State::Dot => {
                out.push(b'.');
                self.send = self.last_command();
            }
            State::Abort => {
                out.extend_from_slice(b"RSET");
                self.send = self.last_command();
            }
            State::Quit => {
                out.extend_from_slice(b"QUIT");
                self.quit_sent = true;
                self.send = State::Last;
            }
            State::Last => return,
        }
        out.extend_from_slice(b"\r\n");
        self.pending += out.len() - before;
    }

    fn last_command(&self) -> State {
        if self.keep == Keep::Open { State::Last } else { State::Quit }
    }

    fn recv_stage(&self) -> Stage {
        match self.recv {
            State::XforwardName => Stage::XforwardName,
            State::XforwardProto => Stage::XforwardProto,
            State::Mail => Stage::Mail,
            State::Rcpt => Stage::Rcpt,
            State::Data => Stage::Data,
            State::Dot if self.content_lost => Stage::Body,
            State::Dot => Stage::Dot,
            State::Abort => Stage::Abort,
            State::Quit | State::Last => Stage::Quit,
        }
    }
}

fn xforward(reply: &Reply, stage: Stage) -> Event {
    if reply.is_positive() { Event::Nothing } else { Event::XforwardRefused(stage) }
}

#[cfg(test)]
mod tests;
