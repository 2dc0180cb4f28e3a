//! postdrop(1) - puts a message into the maildrop, for sendmail(1).
//!
//! The one set-group-id program of mail submission: users cannot write to `maildrop` themselves. It copies records from
//! standard input into a queue file there, syncs it, wakes up pickup(8) and says on standard output what became of it.
//!
//! It trusts nothing: not the environment, not the name it was called by, not the records. Only the record types and
//! attributes that a user may give get through, arrival times are its own, sizes are limited. It links neither TLS nor
//! DNS nor a database client.
//!
//! The exit status is cleanup's status mask; input that ends early leaves nothing behind and is no error.

mod filter;
mod login_sender;

use std::io::{self, Read, Write};
use std::time::Duration;

use command::{Fatal, Getopt, Invocation, Log, Name, Program, Startup, fatal};
use ipc::Attrs;
use ipc::cleanup::Status;
use queue::record::{self, Decoded};
use queue::{RecordType, Spool, maildrop};

use crate::filter::{Filter, Verdict};

/// What `command::run` needs to know.
pub const PROGRAM: Program = Program { name: Name::Fixed("postdrop"), log: Log::Mail, failure: 1 };

conf::param_set! {
    /// What postdrop(1) reads.
    pub struct PostdropParams {
        authorized_submit_users, local_login_sender_maps, empty_address_local_login_sender_maps_lookup_key,
        recipient_delimiter, message_size_limit, line_length_limit, pickup_service_name
    }
}

const PROTOCOL: &str = "postdrop_protocol";

const READ_SIZE: usize = 64 * 1024;

/// The whole life of the program.
pub fn main(invocation: &Invocation) -> Result<u8, Fatal> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let mut options = Getopt::new(invocation, "c:rv");
    for choice in options.by_ref() {
        let choice = choice.map_err(|_| fatal!("usage: postdrop [-c config_dir] [-v]"))?;
        match choice.letter {
            'c' => command::use_config_directory(&choice.value),
            'v' if sys::identity::effective_uid() == 0 => log::set_verbose(log::verbose().saturating_add(1)),
            _ => {}
        }
    }
    let startup = Startup::read(invocation)?;
    let params = PostdropParams::load(&startup.main)?;
    startup.clean_environment()?;
    startup.enter_queue_directory()?;
    // A message beyond the limit ends with a write error, not with a signal.
    sys::process::ignore_signal(nix::libc::SIGXFSZ);
    sys::process::ignore_signal(nix::libc::SIGPIPE);
    if params.message_size_limit > 0 {
        limit_file_size(params.message_size_limit as u64);
    }
    if let Some(user) = startup.refused_user("authorized_submit_users", &params.authorized_submit_users)? {
        return Err(fatal!("User {}({}) is not allowed to submit mail", user.name, user.uid));
    }
    submit(&startup, &params)
}

fn submit(startup: &Startup, params: &PostdropParams) -> Result<u8, Fatal> {
    let uid = sys::identity::real_uid();
    let spool: Spool = startup.spool()?;
    let mut draft = maildrop::create(&spool)
        .map_err(|error| fatal!("uid={uid}: create maildrop file: {}", queue::reason(&error)))?;
    answer(&Attrs::new().str("protocol", PROTOCOL).str("queue_id", draft.id().as_str()));

    let now = sys::time::unix_duration();
    let mut outcome = record_time(&mut draft, now);
    let mut filter = Filter::new(uid, params, startup);
    let mut input = Input::new(params.line_length_limit.max(1) as usize);
    loop {
        let Some((kind, data)) = input.next(uid)? else {
            // The sender changed their mind: the draft goes as it is dropped.
            return Ok(0);
        };
        match filter.judge(kind, &data)? {
            Verdict::Skip => {}
            Verdict::Keep if outcome.is_ok() && filter.status.is_ok() => outcome = draft.record(kind, &data),
            // What is left of the input must be read, or its writer dies before it can ask us why.
            Verdict::Keep => {}
        }
        if kind == RecordType::End {
            break;
        }
    }
    let mut status = filter.finish();
    let mut reason = filter.reason;
    if status.is_ok() {
        if let Err(error) = outcome.and_then(|()| maildrop::submit(draft).map(|_| ())) {
            log::warning!("uid={uid}: {}", queue::reason(&error));
            let too_large = error.raw_os_error() == Some(nix::libc::EFBIG);
            status = if too_large { Status::SIZE } else { Status::WRITE };
            reason.clear();
        } else {
            wake_pickup(&params.pickup_service_name);
        }
    }
    answer(&Attrs::new().int("status", status.0).str("reason", reason));
    Ok(status.0 as u8)
}

fn record_time(draft: &mut queue::Draft, now: Duration) -> io::Result<()> {
    let text = queue::envelope::time_data(now.as_secs() as i64, now.subsec_micros());
    draft.record(RecordType::Time, text.as_bytes())
}

// The next wakeup timer finds the mail too; a mail system that does not listen is no reason to fail.
fn wake_pickup(service: &str) {
    let path = std::path::Path::new("public").join(service);
    if let Err(why) = std::fs::metadata(&path) {
        log::warning!("unable to look up {}: {}", path.display(), queue::reason(&why));
        return;
    }
    if let Err(error) = ipc::trigger::send(&path, &[ipc::trigger::WAKEUP], Duration::from_secs(1)) {
        log::debug!("{}: {error}", path.display());
    }
}

fn answer(attrs: &Attrs) {
    let mut wire = Vec::new();
    attrs.write_to(&mut wire);
    let mut out = io::stdout().lock();
    let _nobody_listens = out.write_all(&wire).and_then(|()| out.flush());
}

fn limit_file_size(limit: u64) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_FSIZE)
        && soft > limit
    {
        let _inherited_limit_stays = setrlimit(Resource::RLIMIT_FSIZE, limit, hard);
    }
}

/// Records from standard input.
struct Input {
    pending: Vec<u8>,
    used: usize,
    record_limit: usize,
}

impl Input {
    fn new(record_limit: usize) -> Self {
        Self { pending: Vec::new(), used: 0, record_limit }
    }

    /// The next record; `None` at the end of input, also within a record.
    fn next(&mut self, uid: u32) -> Result<Option<(RecordType, Vec<u8>)>, Fatal> {
        loop {
            let pending = self.pending.get(self.used..).unwrap_or_default();
            match record::decode(pending, self.record_limit) {
                Ok(Decoded::Record(record, length)) => {
                    let (kind, data) = (record.kind, record.data.to_vec());
                    self.used += length;
                    return Ok(Some((kind, data)));
                }
                Ok(Decoded::Partial { .. }) => {}
                Err(why) => {
                    log::warning!("stdin: {why}");
                    return Err(fatal!("uid={uid}: malformed input"));
                }
            }
            self.pending.drain(..self.used);
            self.used = 0;
            let start = self.pending.len();
            self.pending.resize(start + READ_SIZE, 0);
            let read = io::stdin().lock().read(self.pending.get_mut(start..).unwrap_or_default());
            let length = read.map_err(|error| fatal!("uid={uid}: read: {error}"))?;
            self.pending.truncate(start + length);
            if length == 0 {
                if self.pending.is_empty() {
                    return Ok(None);
                }
                if let Some(why) = record::truncated(&self.pending) {
                    log::warning!("stdin: {why}");
                }
                return Err(fatal!("uid={uid}: malformed input"));
            }
        }
    }
}
