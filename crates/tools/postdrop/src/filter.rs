//! What of a user's records gets into the maildrop.

use address::Splitter;
use command::{Fatal, Startup, fatal};
use ipc::cleanup::Status;
use ipc::deliver;
use queue::RecordType;

use crate::PostdropParams;
use crate::login_sender::LoginSenders;

/// What to do with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    Skip,
}

/// Judges records in order: envelope, content, what was found in headers.
pub(crate) struct Filter<'a> {
    uid: u32,
    params: &'a PostdropParams,
    startup: &'a Startup,
    segment: usize,
    has_sender: bool,
    has_recipient: bool,
    pub(crate) status: Status,
    pub(crate) reason: String,
}

const SEGMENTS: [&[u8]; 3] =
    [RecordType::POSTDROP_ENVELOPE, RecordType::POSTDROP_CONTENT, RecordType::POSTDROP_EXTRACTED];

impl<'a> Filter<'a> {
    pub(crate) fn new(uid: u32, params: &'a PostdropParams, startup: &'a Startup) -> Self {
        Self {
            uid,
            params,
            startup,
            segment: 0,
            has_sender: false,
            has_recipient: false,
            status: Status::OK,
            reason: String::new(),
        }
    }

    pub(crate) fn judge(&mut self, kind: RecordType, data: &[u8]) -> Result<Verdict, Fatal> {
        // Arrival times are ours to give.
        if kind == RecordType::Time {
            return Ok(Verdict::Skip);
        }
        let allowed = SEGMENTS.get(self.segment).copied().unwrap_or_default();
        if !kind.is_in(allowed) {
            return Err(fatal!("uid={}: unexpected record type: {}", self.uid, kind.as_byte()));
        }
        if allowed.first() == Some(&kind.as_byte()) {
            self.segment += 1;
        }
        match kind {
            RecordType::Sender => {
                self.has_sender = true;
                self.check_sender(data)?;
            }
            RecordType::Recipient => self.has_recipient = true,
            RecordType::Attr => return Ok(self.judge_attribute(data)),
            _ => {}
        }
        Ok(Verdict::Keep)
    }

    /// The status once all records are in.
    pub(crate) fn finish(&self) -> Status {
        if self.status.is_ok() && !(self.has_sender && self.has_recipient) {
            return Status::BAD;
        }
        self.status
    }

    fn judge_attribute(&self, data: &[u8]) -> Verdict {
        let (uid, shown) = (self.uid, bytes::show_limited(data, 200));
        let (name, value) = match queue::envelope::split_attribute(data) {
            Ok(pair) => pair,
            Err(why) => {
                log::warning!("uid={uid}: ignoring malformed record: {why}: {shown}");
                return Verdict::Skip;
            }
        };
        let allowed = match name {
            b"trace_flags" => {
                let flags = bytes::decimal::<u32>(value).unwrap_or(0);
                let allowed = flags == deliver::FLAG_USER_VERIFY || flags == deliver::FLAG_RECORD;
                if !allowed {
                    log::warning!(
                        "uid={uid}: ignoring unexpected trace flags: {}",
                        bytes::show_limited(value, 200)
                    );
                    return Verdict::Skip;
                }
                true
            }
            b"encoding" => matches!(value, b"7bit" | b"8bit" | b""),
            b"rewrite_context" => matches!(value, b"local" | b"remote"),
            b"envelope_id" | b"notify_flags" | b"dsn_orig_rcpt" | b"ret_flags" | b"create_time" => true,
            _ => false,
        };
        if !allowed {
            log::warning!("uid={uid}: ignoring attribute record: {shown}");
            return Verdict::Skip;
        }
        Verdict::Keep
    }

    // local_login_sender_maps: which senders a login name may use; `*` stands for all.
    fn check_sender(&mut self, sender: &[u8]) -> Result<(), Fatal> {
        if sender.contains(&0) {
            self.refuse(Status::BAD, "NUL in FROM record".to_owned());
            return Ok(());
        }
        let maps = &self.params.local_login_sender_maps;
        if maps == "static:*" {
            return Ok(());
        }
        let user = sys::User::from_uid(self.uid.into()).ok().flatten();
        let login = user.map_or_else(|| format!("uid:{}", self.uid), |user| user.name);
        let env = table::Env::load(&self.startup.main)?;
        let senders = LoginSenders {
            maps: table::Maps::open("local_login_sender_maps", maps, &env, table::Flags::LOOKUP),
            splitter: Splitter::new(self.params.recipient_delimiter.as_str()),
            null_sender: self.params.empty_address_local_login_sender_maps_lookup_key.clone(),
        };
        match senders.allow(&login, sender) {
            Ok(true) => {}
            Ok(false) => {
                let text = format!("not authorized to use sender='{}'", bytes::show(sender));
                self.refuse(Status::NOPERM, text);
            }
            Err(_) => {
                let text = format!("local_login_sender_maps table lookup error for '{maps}'");
                self.refuse(Status::WRITE, text);
            }
        }
        Ok(())
    }

    fn refuse(&mut self, status: Status, reason: String) {
        self.status |= status;
        self.reason = reason;
    }
}
