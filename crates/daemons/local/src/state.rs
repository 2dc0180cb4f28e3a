//! What is known about a recipient on its way through aliases and files. Every step works on a copy of its own, so that
//! nothing has to be undone.

use std::path::PathBuf;

use ipc::Recipient;
use ipc::deliver::Request;
use mailbox::Identity;
use sys::User;

/// A recipient, and how it came up.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// How deep in expansions.
    pub(crate) level: u32,
    /// Who; the address changes with each expansion, the rest is the original recipient's.
    pub(crate) recipient: Recipient,
    /// The envelope sender, or the owner of the last list with one.
    pub(crate) sender: Vec<u8>,
    /// RFC 3461 ENVID, unless a list's owner has taken over.
    pub(crate) dsn_envid: Vec<u8>,
    /// RFC 3461 RET, unless a list's owner has taken over.
    pub(crate) dsn_ret: u32,
    /// The address's local part, folded.
    pub(crate) local: Vec<u8>,
    /// The local part without extension.
    pub(crate) user: Vec<u8>,
    /// The address's domain, folded.
    pub(crate) domain: Option<Vec<u8>>,
    /// The extension, without its delimiter.
    pub(crate) extension: Option<Vec<u8>>,
    /// The extension, while no step has used it up.
    pub(crate) unmatched: Option<Vec<u8>>,
    /// Who forwards: the owner of a list, of a .forward file, of an :include: file.
    pub(crate) owner: Option<Vec<u8>>,
    /// The address for `Delivered-To:`.
    pub(crate) delivered: Option<Vec<u8>>,
    /// By what kind of list it came up; see [`expansion`](crate::config::expansion). 0: by none.
    pub(crate) expansion: u32,
    /// The alias or account whose list it came up in.
    pub(crate) expanded_from: Option<Vec<u8>>,
}

impl State {
    /// A recipient as the queue manager hands it over.
    pub(crate) fn new(request: &Request, recipient: &Recipient) -> Self {
        Self {
            recipient: recipient.clone(),
            sender: request.sender.clone(),
            dsn_envid: request.dsn_envid.clone(),
            dsn_ret: request.dsn_ret,
            ..Self::default()
        }
    }

    /// The character between user and extension.
    pub(crate) fn delimiter(&self) -> Option<u8> {
        self.local.get(self.user.len()).copied()
    }

    /// One level deeper.
    pub(crate) fn deeper(mut self) -> Self {
        self.level += 1;
        self
    }

    /// Who gets reports from now on.
    pub(crate) fn set_owner(&mut self, owner: Vec<u8>) {
        self.sender.clone_from(&owner);
        self.owner = Some(owner);
    }

    /// The text of the verbose log.
    pub(crate) fn log(&self, step: &str) {
        let show = bytes::show;
        let none = Vec::new();
        let (local, address) = (show(&self.local), show(&self.recipient.address));
        let extension = show(self.extension.as_ref().unwrap_or(&none));
        let delivered = show(self.delivered.as_ref().unwrap_or(&none));
        let from = show(self.expanded_from.as_ref().unwrap_or(&none));
        let level = self.level;
        log::debug!(
            "{step}[{level}]: local {local} recip {address} exten {extension} deliver {delivered} exp_from {from}"
        );
    }
}

/// With whose rights commands are run and files are written. Nobody's in particular: those of `default_privs`.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserRights {
    /// 0 stands for nobody in particular, since root's rights are never used.
    pub(crate) uid: u32,
    /// As `uid`.
    pub(crate) gid: u32,
    pub(crate) home: Option<PathBuf>,
    pub(crate) name: Option<String>,
    pub(crate) shell: Option<PathBuf>,
}

impl UserRights {
    /// An account's.
    pub(crate) fn of(user: &User) -> Self {
        Self {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            home: Some(user.dir.clone()),
            name: Some(user.name.clone()),
            shell: Some(user.shell.clone()),
        }
    }

    /// As whom to look at files.
    pub(crate) fn identity(&self) -> Identity {
        Identity { uid: self.uid, gid: self.gid }
    }

    /// As whom to do things: never root.
    pub(crate) fn identity_or(&self, default: Identity) -> Identity {
        Identity {
            uid: if self.uid == 0 { default.uid } else { self.uid },
            gid: if self.gid == 0 { default.gid } else { self.gid },
        }
    }
}
