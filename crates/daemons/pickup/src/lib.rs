//! pickup(8) - takes mail from the maildrop.
//!
//! When postdrop(1) or master's timer wakes it, it hands every complete file in `maildrop` to cleanup(8) and removes it
//! once cleanup says that its copy is on disk. Mail that was submitted while the system was down is taken at start.
//!
//! The files' contents come from any user by way of postdrop, which limits what they say; what is here checks them again,
//! since a file may have been put there by other means. A file that makes no sense is removed with a warning, as it can
//! never be delivered; one that cannot be taken now stays.
//!
//! [`copy`] holds the rules for records.

pub mod copy;

use std::cell::Cell;
use std::fs::File;
use std::rc::Rc;
use std::time::Duration;

use daemon::{Clients, Connection, Fatal, Service, Startup};
use ipc::cleanup::{Submission, Submitter, flags};
use queue::{QueueName, Spool, maildrop};

use crate::copy::{Fate, Mail};

conf::param_set! {
    /// What pickup(8) reads.
    pub struct PickupParams {
        myhostname, mail_name, mail_owner, cleanup_service_name, ipc_idle, content_filter, receive_override_options,
        line_length_limit, queue_directory, smtputf8_enable, smtputf8_autodetect_classes, info_log_address_format
    }
}

/// What each of the overrides takes away.
const OVERRIDES: bytes::NameMask = bytes::NameMask(&[
    ("no_unknown_recipient_checks", 0),
    ("no_address_mappings", flags::BCC_OK | flags::MAP_OK),
    ("no_header_body_checks", flags::FILTER),
    ("no_milters", flags::MILTER),
]);

/// How often, and in which steps, a cleanup service that does not answer is tried before the mail is left for later.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_secs(10);

/// The pickup service.
#[derive(Debug)]
pub struct Pickup {
    params: PickupParams,
    spool: Spool,
    owner: u32,
    cleanup_flags: u32,
    cleanup: Submitter,
    state: Cell<State>,
}

/// Triggers come in bursts; one look through the directory serves all that came before it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Looking,
    LookAgain,
}

impl Service for Pickup {
    const PROGRAM: &'static str = "pickup";
    const CLIENTS: Clients = Clients::Triggers;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        let params = PickupParams::load(&startup.main)?;
        let owner = match sys::identity::effective_uid() {
            0 => sys::User::from_name(&params.mail_owner).ok().flatten().map_or(0, |user| user.uid.as_raw()),
            own => own,
        };
        let left_out = OVERRIDES
            .parse(&params.receive_override_options)
            .map_err(|error| Fatal::new(format!("receive_override_options: {error}")))?;
        let cleanup_flags = (flags::BOUNCE | flags::MASK_EXTERNAL) & !left_out;
        let path = format!("public/{}", params.cleanup_service_name);
        let cleanup = Submitter::new(path, params.ipc_idle);
        let state = Cell::new(State::Idle);
        Ok(Self { spool: startup.spool()?, owner, cleanup_flags, cleanup, params, state })
    }

    async fn serve(self: Rc<Self>, _wakeup: Connection) {
        if self.state.replace(State::LookAgain) != State::Idle {
            return;
        }
        while self.state.replace(State::Looking) == State::LookAgain {
            // Mail may have come behind us: look until there is nothing.
            while self.look().await > 0 {}
        }
        self.state.set(State::Idle);
    }
}

impl Pickup {
    /// Takes every file that is complete; how many were taken.
    async fn look(&self) -> usize {
        let scan = match self.spool.scan(QueueName::Maildrop) {
            Ok(scan) => scan,
            Err(error) => {
                log::warning!("open directory maildrop: {}", queue::reason(&error));
                return 0;
            }
        };
        let mut taken = 0;
        for id in scan.filter_map(Result::ok) {
            let (file, ready) = match maildrop::open(&self.spool, &id) {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(error) => {
                    let name = id.as_str();
                    log::warning!(
                        "open input file maildrop/{name}: cannot open file: {}",
                        queue::reason(&error)
                    );
                    if error.kind() == std::io::ErrorKind::PermissionDenied {
                        log::warning!(
                            "if this file was created by Postfix < 1.1, then you may have to chmod a+r {}/maildrop/{name}",
                            self.params.queue_directory
                        );
                    }
                    continue;
                }
            };
            let is_requeued = ready.uid() == self.owner && ready.mode() & 0o004 == 0;
            let mail = Mail { id: &id, uid: ready.uid(), is_requeued, arrival: ready.wake_at() };
            if self.take(file, &mail).await == Fate::Keep {
                continue;
            }
            // DURABILITY: cleanup has synced its copy, or the file can never become mail.
            match maildrop::remove(&self.spool, &id) {
                Ok(()) => taken += 1,
                Err(error) => log::warning!("remove maildrop/{}: {}", id.as_str(), queue::reason(&error)),
            }
        }
        taken
    }

    async fn take(&self, file: File, mail: &Mail<'_>) -> Fate {
        let mut cleanup_flags = self.cleanup_flags;
        if mail.is_requeued {
            cleanup_flags &= !flags::MILTER;
        } else if self.detects_utf8() {
            cleanup_flags |= flags::AUTOUTF8;
        }
        let Some(mut submission) = self.open_cleanup(cleanup_flags).await else { return Fate::Keep };
        let queue_id = submission.queue_id().to_owned();
        let complain = |why: &dyn std::fmt::Display| {
            log::warning!("maildrop/{}: error writing {queue_id}: {why}", mail.id.as_str());
        };
        match copy::copy(file, mail, &self.params, &mut submission).await {
            Ok(None) => {}
            Ok(Some(fate)) => return fate,
            Err(error) => {
                complain(&error);
                return Fate::Keep;
            }
        }
        match submission.finish().await {
            Ok(reply) if reply.status.is_ok() => Fate::Remove,
            Ok(reply) => {
                if reply.reason.is_empty() {
                    complain(&reply.status.detail().text);
                }
                copy::fate_of(reply.status)
            }
            Err(error) => {
                complain(&error);
                Fate::Keep
            }
        }
    }

    // Mail that waits in maildrop is safe there; cleanup may be starting.
    async fn open_cleanup(&self, cleanup_flags: u32) -> Option<Submission> {
        for _ in 0..ATTEMPTS {
            match self.cleanup.open(cleanup_flags).await {
                Ok(submission) => return Some(submission),
                Err(error) => {
                    let service = &self.params.cleanup_service_name;
                    log::warning!("connect to public/{service}: {error}");
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }

    fn detects_utf8(&self) -> bool {
        let mut classes =
            bytes::list::split(&self.params.smtputf8_autodetect_classes, bytes::list::SEPARATORS);
        self.params.smtputf8_enable && classes.any(|class| matches!(class, "all" | "sendmail"))
    }
}
