//! virtual(8) - a delivery agent for mailboxes whose users have no accounts.
//!
//! Tables give the mailbox's path below `virtual_mailbox_base`, and the user and group that own it. A path that ends in
//! `/` is a maildir, another a mailbox file. There are no aliases, no .forward files and no commands: whose address is
//! not in `virtual_mailbox_maps` is unknown.
//!
//! It trusts the queue manager's requests and the tables, but none of their users: a uid below `virtual_minimum_uid` and
//! gid 0 are refused, and files are opened and written with the mailbox owner's rights. Root's rights are only in reserve
//! to take those. A recipient is reported as delivered when the message is on disk.
//!
//! A table that does not answer defers the recipient. So does a maildir or mailbox that cannot be written, since both
//! are the administrator's and not the user's business; a full mailbox bounces.

mod lookup;

use std::path::Path;
use std::rc::Rc;

use address::casefold;
use daemon::{Clients, Connection, Control, Fatal, Service, Startup};
use delivery::{Agent, Job, Reporter};
use dsn::{Dsn, Status};
use ipc::Recipient;
use ipc::deliver::FLAGS_TRACE_ONLY;
use mailbox::mbox::{self, DotlockPolicy, Target};
use mailbox::{Failed, Failure, Identity, Locks, Message, Rights, limit, maildir};
use message::copy::{CopyAddresses, CopyFlags};
use table::Env;

use crate::lookup::{Account, Accounts};

conf::param_set! {
    /// What virtual(8) reads.
    pub struct VirtualParams {
        virtual_mailbox_maps, virtual_uid_maps, virtual_gid_maps, virtual_minimum_uid, virtual_mailbox_base,
        virtual_mailbox_lock, virtual_mailbox_limit, virtual_delivery_status_filter,
        message_size_limit, strict_mailbox_ownership, enable_original_recipient
    }
}

/// The virtual service.
pub struct Virtual {
    service: String,
    params: VirtualParams,
    accounts: Accounts,
    locks: Locks,
    rights: Rights,
    agent: Agent,
    reporter: Reporter,
}

impl Service for Virtual {
    const PROGRAM: &'static str = "virtual";
    const CLIENTS: Clients = Clients::OneByOne;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        let main = &startup.main;
        if let Some(argument) = startup.options.arguments.first() {
            return Err(Fatal::new(format!("unexpected command-line argument: {argument}")));
        }
        let params = VirtualParams::load(main)?;
        limit::impose("virtual_mailbox_limit", params.virtual_mailbox_limit, params.message_size_limit)
            .map_err(Fatal::new)?;
        if !params.virtual_mailbox_base.starts_with('/') {
            let base = &params.virtual_mailbox_base;
            let text = format!("do not specify relative pathname: virtual_mailbox_base = {base}");
            return Err(Fatal::new(text));
        }
        let env = Env::load(main)?;
        let filter = &params.virtual_delivery_status_filter;
        Ok(Self {
            service: startup.options.service.clone(),
            accounts: Accounts::open(main, &params, &env)?,
            locks: Locks::load(main, &params.virtual_mailbox_lock)?,
            rights: Rights::load(main)?,
            agent: Agent::new(startup, &env)?,
            reporter: Reporter::new(main, &env, "virtual_delivery_status_filter", filter)?,
            params,
        })
    }

    async fn begin(self: &Rc<Self>, control: &Control) -> Result<(), Fatal> {
        self.agent.begin(control);
        self.rights.enter();
        Ok(())
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let deliver = async |job: &mut Job| {
            for recipient in job.request.recipients.clone() {
                self.deliver(job, &recipient).await;
            }
        };
        self.agent.serve(connection, deliver).await;
    }
}

impl Virtual {
    async fn deliver(&self, job: &mut Job, recipient: &Recipient) {
        let (reporter, relay) = (&self.reporter, self.service.as_str());
        let user = casefold(&recipient.address);
        let account = match self.accounts.find(&user).await {
            Ok(Some(account)) => account,
            Ok(None) => {
                let reason = [b"unknown user: \"", user.as_slice(), b"\""].concat();
                let dsn = Dsn::new(Status::new("5.1.1"), reason);
                return job.bounced(reporter, recipient, relay, dsn).await;
            }
            Err(lookup::Misconfigured) => {
                let dsn = Dsn::new(Status::new("4.3.5"), "mail system configuration error");
                return job.deferred(reporter, recipient, relay, dsn).await;
            }
        };
        let kind = Kind::of(&account.path);
        if job.request.flags & FLAGS_TRACE_ONLY != 0 {
            let dsn = Dsn::new(Status::new("2.0.0"), format!("delivers to {}", kind.name()));
            return job.sent(reporter, recipient, relay, dsn).await;
        }
        match self.write(job, recipient, &account, kind) {
            Ok(()) => {
                let dsn = Dsn::new(Status::new("2.0.0"), format!("delivered to {}", kind.name()));
                job.sent(reporter, recipient, relay, dsn).await;
            }
            Err(Failure::Failed(failed)) => job.failed(reporter, recipient, relay, *failed.dsn).await,
            Err(Failure::Corrupt) => {
                mailbox::mark_corrupt(&job.file, &job.request.queue_id);
                job.settle(recipient, delivery::Verdict::Keep);
            }
        }
    }

    fn write(&self, job: &Job, recipient: &Recipient, account: &Account, kind: Kind) -> Result<(), Failure> {
        let known = self.params.enable_original_recipient;
        let addresses = CopyAddresses {
            sender: &job.request.sender,
            original_recipient: if known { &recipient.original } else { b"" },
            delivered_to: &recipient.address,
        };
        let message = Message {
            file: &job.file,
            offset: u64::try_from(job.request.data_offset).unwrap_or(0),
            flags: kind.copy_flags(),
            addresses,
            eol: b"\n",
        };
        let default = Status::new("4.2.0");
        match kind {
            Kind::Maildir => maildir::deliver(&self.rights, &account.path, account.who, &message, default),
            Kind::Mailbox => self.append(recipient, account, &message, default),
        }
    }

    fn append(
        &self,
        recipient: &Recipient,
        account: &Account,
        message: &Message<'_>,
        default: Status,
    ) -> Result<(), Failure> {
        let Account { path, who } = account;
        let target = Target {
            path,
            locks: &self.locks,
            dotlock: DotlockPolicy::Required,
            opener: *who,
            writer: *who,
            owner: None,
            default,
        };
        let appended =
            mbox::append(&self.rights, &target, message, |found| self.check(recipient, path, *who, found));
        match appended {
            Ok(_) => Ok(()),
            Err(Failure::Failed(failed)) => {
                Err(failed.prefixed(format!("delivery failed to mailbox {}: ", path.display())).into())
            }
            Err(Failure::Corrupt) => Err(Failure::Corrupt),
        }
    }

    fn check(
        &self,
        recipient: &Recipient,
        path: &Path,
        who: Identity,
        found: &std::fs::Metadata,
    ) -> Result<(), Failed> {
        let path = path.display();
        if !found.is_file() {
            let address = bytes::show(&recipient.address);
            log::warning!("recipient {address}: destination {path} is not a regular file");
            return Err(Failed::new(Status::new("5.3.5"), "mail system configuration error"));
        }
        if self.params.strict_mailbox_ownership && std::os::unix::fs::MetadataExt::uid(found) != who.uid {
            log::warning!("specify \"strict_mailbox_ownership = no\" to ignore mailbox ownership mismatch");
            let reason = format!("destination {path} is not owned by recipient");
            return Err(Failed::new(Status::new("4.2.0"), reason));
        }
        Ok(())
    }
}

/// What is at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Maildir,
    Mailbox,
}

impl Kind {
    fn of(path: &Path) -> Self {
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") { Self::Maildir } else { Self::Mailbox }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Maildir => "maildir",
            Self::Mailbox => "mailbox",
        }
    }

    fn copy_flags(self) -> CopyFlags {
        match self {
            Self::Maildir => {
                CopyFlags::TO_FILE
                    | CopyFlags::RETURN_PATH
                    | CopyFlags::DELIVERED
                    | CopyFlags::ORIGINAL_RECIPIENT
            }
            Self::Mailbox => CopyFlags::MBOX,
        }
    }
}
