//! A file system for every run: ext4 as `mkfs.ext4` makes it, in a file. So every run finds the same empty disk, with a
//! journal, whatever the workspace is on and whatever runs before have left there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// Sparse: what is not used takes no room.
const SIZE: u64 = 8 << 30;

/// The file below the directory.
fn image(work: &Path) -> PathBuf {
    work.join("disk")
}

/// Makes it, new.
pub(crate) fn make(work: &Path) -> io::Result<()> {
    let path = image(work);
    File::create(&path)?.set_len(SIZE)?;
    let output = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&path).output()?;
    well(output)
}

/// Whether it can be used here.
pub(crate) fn probe(work: &Path) -> io::Result<()> {
    fs::create_dir_all(work)?;
    make(work)?;
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "mount", "-o", "loop,noinit_itable"])
        .args([&image(work), Path::new("/mnt")])
        .output()?;
    release(work);
    well(output)
}

/// Waits until the kernel has let go of it, so that writing back does not fall into the next run; removes it.
pub(crate) fn release(work: &Path) {
    let path = image(work);
    for _ in 0..500 {
        let output = Command::new("losetup").arg("-j").arg(&path).output();
        if output.map_or(true, |output| output.stdout.is_empty()) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    fs::remove_file(&path).ok();
}

fn well(output: Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
