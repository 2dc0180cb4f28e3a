//! `postfix check`: what is in the way of a start, and what only deserves a warning.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use command::{Fatal, Startup};

use crate::PostfixParams;
use crate::layout::{self, Identity, Owner};

const DEFAULT_CONFIG_DIRECTORY: &str = "/etc/postfix";

/// Whether the mail system can start. Makes missing directories; says what is wrong.
pub(crate) fn fatal(startup: &Startup, params: &PostfixParams) -> Result<bool, Fatal> {
    if let Err(why) = layout::create(startup, params, false) {
        log::fatal!("{why}");
        log::fatal!("unable to create missing queue directories");
        return Ok(false);
    }
    let directory = startup.main.path();
    if !directory.join("master.cf").is_file() {
        log::fatal!("no {}/master.cf file found", directory.display());
        return Ok(false);
    }
    // Also says what is wrong in master.cf.
    let postconf = format!("{}/postconf", params.command_directory);
    let asked =
        Command::new(&postconf).args(["-qh", "maillog_file"]).stdout(std::process::Stdio::null()).status();
    if !asked.is_ok_and(|status| status.success()) {
        log::fatal!("cannot execute {postconf}!");
        return Ok(false);
    }
    if !params.maillog_file.is_empty() && !has_postlog(startup)? {
        log::fatal!("missing 'postlog' service in master.cf - run 'postfix upgrade-configuration'");
        return Ok(false);
    }
    // Files that are not where their name and inode say must be found before mail moves. This is slow with much mail.
    Ok(run(params, "postsuper", &[]))
}

/// Lets postconf(1) warn about parameters that are deprecated or unknown.
pub(crate) fn warn_of_parameters(params: &PostfixParams) {
    let path = format!("{}/postconf", params.command_directory);
    if let Err(error) = Command::new(&path).stdout(std::process::Stdio::null()).status() {
        log::error!("{path}: {}", queue::reason(&error));
    }
}

/// Warns about owners and modes that give others a hold on the mail system, and about damaged mail.
pub(crate) fn warn(startup: &Startup, params: &PostfixParams) -> Result<(), Fatal> {
    warn_of_parameters(params);
    let identity = Identity::of(startup)?;
    let queue = Path::new(&params.queue_directory);
    let mut sight = Inspection { identity: &identity };
    for path in [queue.to_owned(), queue.join("pid")] {
        sight.root_owned(&path);
    }
    // Programs are checked for the default instance only; others share them.
    let is_default = params.config_directory == DEFAULT_CONFIG_DIRECTORY;
    let mut trees = vec![PathBuf::from(&params.config_directory)];
    if is_default {
        trees.extend([&params.daemon_directory, &params.meta_directory].map(PathBuf::from));
    }
    trees.sort();
    trees.dedup();
    for tree in &trees {
        walk(tree, &mut |path, found| sight.root_tree(path, found));
    }
    let owner = &params.mail_owner;
    walk(Path::new(&params.data_directory), &mut |path, found| sight.mail_tree(owner, path, found, true));
    for name in [
        "saved", "incoming", "active", "defer", "deferred", "bounce", "hold", "trace", "corrupt", "public",
        "private", "flush",
    ] {
        walk(&queue.join(name), &mut |path, found| {
            let kind = found.file_type();
            if !kind.is_fifo() && !kind.is_socket() {
                sight.mail_tree(owner, path, found, false);
            }
        });
    }
    let maildrop = queue.join("maildrop");
    if let Ok(found) = fs::symlink_metadata(&maildrop) {
        sight.mail_tree(owner, &maildrop, &found, false);
    }
    let mut shared = vec![queue.join("public"), queue.join("maildrop")];
    if is_default {
        let commands = Path::new(&params.command_directory);
        let commands = [commands.join("postqueue"), commands.join("postdrop")];
        sight.set_gid(&commands);
        shared.extend(commands);
    }
    sight.shared(&shared, &params.setgid_group);
    for name in ["bin", "etc", "lib", "sbin", "usr"] {
        walk(&queue.join(name), &mut |path, found| sight.copy(queue, path, found));
    }
    walk(&queue.join("corrupt"), &mut |path, found| {
        if found.is_file() {
            let name = path.strip_prefix(queue).unwrap_or(path);
            log::warning!("damaged message: {}", name.display());
        }
    });
    let [one, other] = ["/usr/sbin/sendmail", "/usr/lib/sendmail"];
    if is_default
        && [one, other].iter().all(|path| Path::new(path).is_file())
        && differ(one.as_ref(), other.as_ref())
    {
        log::warning!("{other} and {one} differ");
        log::warning!("Replace one by a symbolic link to the other");
    }
    Ok(())
}

fn differ(one: &Path, other: &Path) -> bool {
    let inode = |path| fs::metadata(path).map(|found: Metadata| (found.dev(), found.ino())).ok();
    inode(one) != inode(other) && fs::read(one).ok() != fs::read(other).ok()
}

struct Inspection<'a> {
    identity: &'a Identity,
}

impl Inspection<'_> {
    fn root_owned(&mut self, path: &Path) {
        if let Ok(found) = fs::symlink_metadata(path) {
            self.root_tree(path, &found);
        }
    }

    fn root_tree(&mut self, path: &Path, found: &Metadata) {
        if !self.identity.owns(Owner::Root, found) {
            log::warning!("not owned by root: {}", path.display());
        }
        warn_writable(path, found);
    }

    fn mail_tree(&mut self, owner: &str, path: &Path, found: &Metadata, private: bool) {
        if !self.identity.owns(Owner::Mail, found) {
            log::warning!("not owned by {owner}: {}", path.display());
        }
        if private {
            warn_writable(path, found);
        }
    }

    fn shared(&mut self, paths: &[PathBuf], group: &str) {
        for path in paths {
            if fs::metadata(path).is_ok_and(|found| !self.identity.is_shared(&found)) {
                log::warning!("not owned by group {group}: {}", path.display());
            }
        }
    }

    // What old chroot scripts leave in the queue directory.
    fn copy(&mut self, queue: &Path, path: &Path, found: &Metadata) {
        if !self.identity.owns(Owner::Root, found) {
            log::warning!("not owned by root: {}", path.display());
        }
        let Ok(name) = path.strip_prefix(queue) else { return };
        let original = Path::new("/").join(name);
        if found.is_file() && original.is_file() && differ(path, &original) {
            log::warning!("{} and {} differ", path.display(), original.display());
        }
    }

    fn set_gid(&mut self, commands: &[PathBuf]) {
        // An ordinary user's mail system does without.
        if sys::identity::effective_uid() != 0 {
            return;
        }
        for path in commands {
            if fs::metadata(path).is_ok_and(|found| found.mode() & 0o2111 != 0o2111) {
                log::warning!("not set-gid or not owner+group+world executable: {}", path.display());
            }
        }
    }
}

fn warn_writable(path: &Path, found: &Metadata) {
    if !found.file_type().is_symlink() && found.mode() & 0o022 != 0 {
        log::warning!("group or other writable: {}", path.display());
    }
}

fn walk(path: &Path, visit: &mut dyn FnMut(&Path, &Metadata)) {
    let Ok(found) = fs::symlink_metadata(path) else { return };
    visit(path, &found);
    if !found.is_dir() {
        return;
    }
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries.flatten() {
        walk(&entry.path(), visit);
    }
}

fn has_postlog(startup: &Startup) -> Result<bool, Fatal> {
    let table = conf::master::MasterCf::read(&startup.main)?;
    Ok(table
        .entries
        .iter()
        .any(|entry| entry.name == "postlog" && entry.kind == conf::master::Kind::UnixDgram))
}

/// Runs one of the mail system's commands; whether it succeeded.
pub(crate) fn run(params: &PostfixParams, program: &str, arguments: &[&str]) -> bool {
    let path = format!("{}/{program}", params.command_directory);
    match Command::new(&path).args(arguments).status() {
        Ok(status) => status.success(),
        Err(error) => {
            log::error!("{path}: {}", queue::reason(&error));
            false
        }
    }
}
