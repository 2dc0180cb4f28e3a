//! Numbers that several processes count in together.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap};

/// Memory without a name for `words` numbers, all 0. Its length is final: nobody it is shared with can take it away from
/// under the others.
pub fn create(words: usize) -> io::Result<OwnedFd> {
    let fd = memfd_create(c"counters", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let file = File::from(fd);
    file.set_len((words * size_of::<AtomicU32>()) as u64)?;
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

/// A view of what [`create`] made, for as long as the process lives.
#[derive(Clone, Copy, Debug)]
pub struct Counters(&'static [AtomicU32]);

impl Counters {
    /// Maps the memory.
    pub fn map(fd: impl AsFd) -> io::Result<Self> {
        let seals = fcntl(fd.as_fd(), FcntlArg::F_GET_SEALS)?;
        if seals & SealFlag::F_SEAL_SHRINK.bits() == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "shared memory that can shrink"));
        }
        let length = nix::sys::stat::fstat(fd.as_fd())?.st_size as usize;
        let words = length / size_of::<AtomicU32>();
        let Some(length) = NonZeroUsize::new(length).filter(|_| words > 0) else { return Ok(Self(&[])) };
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice; it cannot shrink (sealed) and is never unmapped.
        // AtomicU32 has the size and alignment of u32, every bit pattern is one, and others change it atomically too.
        let words = unsafe {
            let start: NonNull<AtomicU32> = mmap(None, length, access, MapFlags::MAP_SHARED, fd, 0)?.cast();
            std::slice::from_raw_parts(start.as_ptr(), words)
        };
        Ok(Self(words))
    }

    /// The numbers.
    pub fn words(&self) -> &'static [AtomicU32] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::Ordering;

    #[test]
    fn two_views_show_the_same_numbers() {
        let fd = create(8).unwrap();
        let (one, other) = (Counters::map(&fd).unwrap(), Counters::map(&fd).unwrap());
        one.words()[3].fetch_add(7, Ordering::SeqCst);
        assert_eq!(other.words()[3].load(Ordering::SeqCst), 7);
        let file = File::from(fd);
        file.write_all_at(&0u32.to_ne_bytes(), 12).unwrap();
        assert_eq!(one.words()[3].load(Ordering::SeqCst), 0);
        assert!(file.set_len(4).is_err());
    }
}
