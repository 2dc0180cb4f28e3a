//! Mail flow control: a pipe with tokens, which cleanup(8) takes one of for each message and we put back for each that
//! we take up. Who finds no token waits `in_flow_delay`: input is slowed down while we lag behind, never stopped.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, IntoRawFd, RawFd};
use std::os::unix::fs::FileTypeExt;

/// The pipe.
#[derive(Debug)]
pub(crate) struct Flow {
    read: File,
    write: File,
    tokens: usize,
}

impl Flow {
    /// The pipe that master made, if it did; with `default_process_limit` tokens.
    pub(crate) fn inherit(tokens: usize) -> Option<Self> {
        Some(Self {
            read: pipe_end(ipc::master::FLOW_READ)?,
            write: pipe_end(ipc::master::FLOW_WRITE)?,
            tokens,
        })
    }

    /// Puts tokens back: one for each message that was taken up, all when there are no more.
    pub(crate) fn refill(&mut self, taken_up: usize, is_idle: bool) {
        let present = match sys::descriptor::readable_bytes(self.read.as_fd()) {
            Ok(present) => present,
            Err(error) => return log::warning!("mail_flow_count: {error}"),
        };
        let missing = self.tokens.saturating_sub(present);
        let wanted = if is_idle { missing } else { missing.min(taken_up) };
        let zeros = [0; 4096];
        // A failure means that somebody waits a second.
        let moved = if wanted > 0 {
            self.write.write(&zeros[..wanted.min(zeros.len())])
        } else if present > self.tokens {
            let mut sink = zeros;
            self.read.read(&mut sink[..(present - self.tokens).min(zeros.len())])
        } else {
            Ok(0)
        };
        if let Err(error) = moved {
            log::debug!("mail flow: {error}");
        }
    }
}

fn pipe_end(number: RawFd) -> Option<File> {
    let file = File::from(sys::descriptor::inherit(number).ok()?);
    if file.metadata().is_ok_and(|status| status.file_type().is_fifo()) {
        return Some(file);
    }
    // Without such a master the number may be anything, and somebody else's.
    let _not_ours = file.into_raw_fd();
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        let (read, write) = std::io::pipe().unwrap();
        let mut flow = Flow {
            read: File::from(std::os::fd::OwnedFd::from(read)),
            write: File::from(std::os::fd::OwnedFd::from(write)),
            tokens: 10,
        };
        let count = |flow: &Flow| sys::descriptor::readable_bytes(flow.read.as_fd()).unwrap();
        flow.refill(3, false);
        assert_eq!(count(&flow), 3);
        flow.refill(0, true);
        assert_eq!(count(&flow), 10);
        flow.tokens = 4;
        flow.refill(1, false);
        assert_eq!(count(&flow), 4);
    }
}
