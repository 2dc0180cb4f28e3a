//! Opening files in directories that other users can write to, such as mailboxes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Opens an existing file without following a link that somebody else planted.
///
/// Refuses what is not a regular file, has other than one hard link, or changed between the look and the open; a
/// symbolic link is followed only when root owns it and its directory is root's alone to write.
pub fn existing(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file =
        options.create(false).create_new(false).truncate(false).custom_flags(libc::O_NONBLOCK).open(path)?;
    let opened = file.metadata()?;
    if opened.nlink() != 1 && opened.is_file() {
        return Err(refusal("file has multiple hard links"));
    }
    if opened.is_dir() {
        return Err(refusal("file is a directory"));
    }
    let named = std::fs::symlink_metadata(path)?;
    if named.file_type().is_symlink() {
        let parent = path.parent().unwrap_or(Path::new("/"));
        let directory = std::fs::symlink_metadata(parent)?;
        if named.uid() != 0 || directory.uid() != 0 || directory.mode() & 0o022 != 0 {
            return Err(refusal("file is a symbolic link"));
        }
    } else if (named.dev(), named.ino()) != (opened.dev(), opened.ino()) {
        return Err(refusal("file has been removed or replaced"));
    }
    crate::descriptor::set_blocking(std::os::fd::AsFd::as_fd(&file))?;
    Ok(file)
}

/// Creates a file that does not exist, with `mode` (the process's umask applies).
pub fn create(path: &Path, options: &mut OpenOptions, mode: u32) -> io::Result<File> {
    options.create_new(true).mode(mode).open(path)
}

/// Opens the file, or creates it; survives a file that comes or goes meanwhile by trying again.
pub fn open_or_create(path: &Path, options: &mut OpenOptions, mode: u32) -> io::Result<File> {
    for _ in 0..10 {
        match existing(path, &mut options.clone()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        match create(path, &mut options.clone(), mode) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other,
        }
    }
    Err(refusal("file comes and goes"))
}

fn refusal(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, reason)
}
