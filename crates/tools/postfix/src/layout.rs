//! Which directories a mail system has, and whose they are.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use command::{Fatal, Startup, fatal};

use crate::PostfixParams;

/// To whom a directory belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Root,
    Mail,
}

/// A directory of the mail system.
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
    pub(crate) owner: Owner,
    /// Whether its group is `setgid_group`: submission goes through it.
    pub(crate) shared: bool,
    pub(crate) mode: u32,
}

/// All directories that must exist, parents first.
pub(crate) fn directories(params: &PostfixParams) -> Vec<Directory> {
    let queue = Path::new(&params.queue_directory);
    let directory =
        |path: &Path, owner, shared, mode| Directory { path: path.to_owned(), owner, shared, mode };
    let mut all = vec![
        directory(Path::new(&params.data_directory), Owner::Mail, false, 0o700),
        directory(queue, Owner::Root, false, 0o755),
    ];
    for name in [
        "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved",
        "trace",
    ] {
        all.push(directory(&queue.join(name), Owner::Mail, false, 0o700));
    }
    all.push(directory(&queue.join("maildrop"), Owner::Mail, true, 0o730));
    all.push(directory(&queue.join("public"), Owner::Mail, true, 0o710));
    all.push(directory(&queue.join("pid"), Owner::Root, false, 0o755));
    all
}

/// Makes missing directories; existing ones keep owner and mode unless `enforce`.
pub(crate) fn create(startup: &Startup, params: &PostfixParams, enforce: bool) -> Result<(), Fatal> {
    let identity = Identity::of(startup)?;
    for directory in directories(params) {
        let path = directory.path.display();
        let exists = directory.path.is_dir();
        if exists && !enforce {
            continue;
        }
        if !exists {
            fs::DirBuilder::new()
                .mode(directory.mode)
                .create(&directory.path)
                .map_err(|error| fatal!("mkdir {path}: {}", queue::reason(&error)))?;
        }
        identity.apply(&directory).map_err(|error| fatal!("chown {path}: {}", queue::reason(&error)))?;
    }
    Ok(())
}

/// The ids behind the names; none where an ordinary user runs the mail system, who owns everything.
pub(crate) struct Identity {
    ids: Option<(command::Identity, u32)>,
}

impl Identity {
    pub(crate) fn of(startup: &Startup) -> Result<Self, Fatal> {
        if sys::identity::effective_uid() != 0 {
            return Ok(Self { ids: None });
        }
        Ok(Self { ids: Some((startup.owner()?, startup.setgid_group()?)) })
    }

    fn apply(&self, directory: &Directory) -> io::Result<()> {
        if let Some((mail, shared)) = self.ids {
            let uid = if directory.owner == Owner::Root { 0 } else { mail.uid };
            let gid = directory.shared.then_some(shared);
            std::os::unix::fs::chown(&directory.path, Some(uid), gid)?;
        }
        fs::set_permissions(&directory.path, fs::Permissions::from_mode(directory.mode))
    }

    /// Whether a file belongs to whom it should.
    pub(crate) fn owns(&self, owner: Owner, found: &fs::Metadata) -> bool {
        match (self.ids, owner) {
            (None, _) => found.uid() == sys::identity::effective_uid() || found.uid() == 0,
            (Some(_), Owner::Root) => found.uid() == 0,
            (Some((mail, _)), Owner::Mail) => found.uid() == mail.uid,
        }
    }

    /// Whether a file's group is the one for submission.
    pub(crate) fn is_shared(&self, found: &fs::Metadata) -> bool {
        self.ids.is_none_or(|(_, shared)| found.gid() == shared)
    }
}
