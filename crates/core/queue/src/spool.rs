//! The queue directory: where the file of a message is.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::fcntl::{AT_FDCWD, AtFlags};

use crate::draft;
use crate::{IdForm, QueueId, QueueName};

/// How the queue is laid out, from main.cf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// `hash_queue_names`: the queues with subdirectories.
    pub hashed: Vec<String>,
    /// `hash_queue_depth`: levels of subdirectories.
    pub depth: usize,
    /// `enable_long_queue_ids`.
    pub ids: IdForm,
}

conf::param_set! {
    struct LayoutParams { hash_queue_names, hash_queue_depth, enable_long_queue_ids }
}

impl Layout {
    /// As main.cf has it.
    pub fn load(main: &conf::MainCf) -> Result<Layout, conf::Error> {
        let params = LayoutParams::load(main)?;
        Ok(Layout {
            hashed: params
                .hash_queue_names
                .split(|c: char| c == ',' || c.is_ascii_whitespace())
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            depth: params.hash_queue_depth.max(0) as usize,
            ids: if params.enable_long_queue_ids { IdForm::Long } else { IdForm::Short },
        })
    }
}

impl Default for Layout {
    fn default() -> Layout {
        Layout { hashed: vec!["deferred".into(), "defer".into()], depth: 1, ids: IdForm::Short }
    }
}

/// The queue directory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    depths: [usize; QueueName::ALL.len()],
    ids: IdForm,
    /// `/proc/self/fd`, opened before any jail: older kernels let an ordinary user name a file only through it.
    descriptors: Option<File>,
    unnamed: OnceLock<bool>,
}

impl Spool {
    /// The queue below the current directory, as for every daemon and tool after its start.
    ///
    /// Call it before chroot, so that files can be made without a temporary name inside the jail too.
    pub fn new(layout: &Layout) -> Spool {
        Spool::at(PathBuf::new(), layout)
    }

    /// The queue below this directory.
    pub fn at(root: impl Into<PathBuf>, layout: &Layout) -> Spool {
        let depths = QueueName::ALL.map(|queue| {
            let hashed = layout.hashed.iter().any(|name| name.eq_ignore_ascii_case(queue.as_str()));
            if hashed { layout.depth } else { 0 }
        });
        let descriptors =
            OpenOptions::new().read(true).custom_flags(nix::libc::O_DIRECTORY).open("/proc/self/fd").ok();
        Spool(Arc::new(Inner {
            root: root.into(),
            depths,
            ids: layout.ids,
            descriptors,
            unnamed: OnceLock::new(),
        }))
    }

    /// The form of new ids.
    pub fn id_form(&self) -> IdForm {
        self.0.ids
    }

    /// The directory that all queues are in; empty for the current one.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// Levels of subdirectories that this queue has.
    pub fn depth(&self, queue: QueueName) -> usize {
        self.0.depths[queue.index()]
    }

    /// The queue's own directory.
    pub fn queue_directory(&self, queue: QueueName) -> PathBuf {
        self.0.root.join(queue.as_str())
    }

    /// A message's file.
    pub fn path(&self, queue: QueueName, id: &QueueId) -> PathBuf {
        self.0.root.join(self.name(queue, id))
    }

    /// Its name relative to the queue directory, which is how log texts call it.
    pub fn name(&self, queue: QueueName, id: &QueueId) -> String {
        let depth = self.depth(queue);
        let mut name = String::with_capacity(64);
        name.push_str(queue.as_str());
        name.push('/');
        if depth > 0 {
            name.push_str(&id.hash_directories(depth));
        }
        name.push_str(id.as_str());
        name
    }

    /// Opens an existing file.
    pub fn open(&self, queue: QueueName, id: &QueueId, access: Access) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(access == Access::Update);
        options.open(self.path(queue, id))
    }

    /// Opens a log file, making it and its directories (mode 0600 and 0700) when they are not there.
    pub fn open_log(&self, queue: QueueName, id: &QueueId, options: &OpenOptions) -> io::Result<File> {
        let path = self.path(queue, id);
        let mut options = options.clone();
        options.create(true).mode(crate::mode::INCOMPLETE);
        match options.open(&path) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                make_directories(&path)?;
                options.open(&path)
            }
            result => result,
        }
    }

    /// Moves a file to another queue under the same id, making directories on demand.
    pub fn rename(&self, id: &QueueId, from: QueueName, to: QueueName) -> io::Result<()> {
        rename_making_directories(&self.path(from, id), &self.path(to, id))
    }

    /// Removes a file.
    pub fn remove(&self, queue: QueueName, id: &QueueId) -> io::Result<()> {
        fs::remove_file(self.path(queue, id))
    }

    /// Whether files can be made without a name and be named later, in this queue; found out once by doing it.
    pub(crate) fn can_link_unnamed(&self, queue: QueueName) -> bool {
        *self.0.unnamed.get_or_init(|| {
            let directory = self.queue_directory(queue);
            let Ok(file) = draft::open_unnamed(&directory, crate::mode::INCOMPLETE) else {
                return false;
            };
            let probe = directory.join(temporary_name());
            let works = self.link_unnamed_once(&file, &probe).is_ok();
            if works {
                // A leftover is no message: mode 0600, and a name with a dot.
                drop(fs::remove_file(&probe));
            }
            works
        })
    }

    /// As on a file system without unnamed files.
    #[cfg(test)]
    pub(crate) fn named_only(self) -> Spool {
        self.0.unnamed.set(false).expect("set once");
        self
    }

    /// Names an unnamed file, making directories on demand. Fails if the name is taken.
    pub(crate) fn link_unnamed(&self, file: &File, target: &Path) -> io::Result<()> {
        match self.link_unnamed_once(file, target) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                make_directories(target)?;
                self.link_unnamed_once(file, target)
            }
            result => result,
        }
    }

    fn link_unnamed_once(&self, file: &File, target: &Path) -> io::Result<()> {
        // Linux 6.10 and the superuser may do it directly. ENOENT otherwise, which is also a missing directory's error.
        let direct = match draft::link_empty_path(file, target) {
            Ok(()) => return Ok(()),
            Err(fault @ (nix::Error::ENOENT | nix::Error::EPERM | nix::Error::EINVAL)) => fault,
            Err(fault) => return Err(fault.into()),
        };
        let number = file.as_fd().as_raw_fd().to_string();
        let linked = match &self.0.descriptors {
            Some(descriptors) => nix::unistd::linkat(
                descriptors,
                number.as_str(),
                AT_FDCWD,
                target,
                AtFlags::AT_SYMLINK_FOLLOW,
            ),
            None => Err(direct),
        };
        linked.map_err(io::Error::from)
    }
}

/// What an open file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading, and marking recipients or changing records in place.
    Update,
}

/// Renames, and on failure makes the missing directories and tries once more.
pub fn rename_making_directories(from: &Path, to: &Path) -> io::Result<()> {
    let Err(fault) = sane_rename(from, to) else {
        return Ok(());
    };
    if fault.kind() != io::ErrorKind::NotFound {
        return Err(fault);
    }
    make_directories(to)?;
    sane_rename(from, to)
}

/// Makes the directories above a file, mode 0700.
pub fn make_directories(path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(());
    };
    if parent.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    // A set-gid parent gives its group to new directories; ours belong to the mail system's.
    let group = nix::unistd::getegid();
    if fs::metadata(parent)?.gid() != group.as_raw() {
        nix::unistd::chown(parent, None, Some(group))?;
    }
    Ok(())
}

/// A name that no id has and that no other process uses.
pub(crate) fn temporary_name() -> String {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.subsec_micros());
    format!("{micros}.{}", std::process::id())
}

/// Network file systems may report failure for a rename that was done: believe the result, not the report.
fn sane_rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(_) if fs::metadata(from).is_err() && fs::metadata(to).is_ok() => Ok(()),
        result => result,
    }
}
