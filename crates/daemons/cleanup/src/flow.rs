//! Mail flow control: each message takes a token that the queue manager puts back when it takes a message up.
//!
//! Who finds no token waits `in_flow_delay`: input slows down while the queue manager lags behind, and never stops.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

/// Our end of the pipe with the tokens.
#[derive(Debug)]
pub(crate) struct Flow {
    pipe: File,
    delay: Duration,
}

impl Flow {
    /// The pipe that master made, if there is one and the delay is not zero.
    pub(crate) fn inherit(delay: Duration) -> Option<Self> {
        if delay.is_zero() {
            return None;
        }
        let pipe = File::from(sys::descriptor::inherit(ipc::master::FLOW_READ).ok()?);
        if !pipe.metadata().is_ok_and(|status| status.file_type().is_fifo()) {
            // Not started by master: the number is somebody else's.
            std::mem::forget(pipe);
            return None;
        }
        sys::descriptor::set_nonblocking(pipe.as_fd()).ok()?;
        Some(Self { pipe, delay })
    }

    /// Takes a token, or waits instead.
    pub(crate) async fn take(&self) {
        let mut token = [0];
        if !matches!((&self.pipe).read(&mut token), Ok(1)) {
            tokio::time::sleep(self.delay).await;
        }
    }
}
