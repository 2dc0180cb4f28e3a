//! Reports to master, and news from it.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::net::unix::pipe;

/// The line to master.
pub(crate) struct Reporter {
    status: Option<pipe::Sender>,
    generation: u32,
}

impl Reporter {
    pub(crate) fn open(status: Option<OwnedFd>) -> io::Result<Self> {
        let generation = std::env::var(ipc::master::GENERATION)
            .ok()
            .and_then(|text| u32::from_str_radix(&text, 8).ok())
            .unwrap_or(0);
        let status = status.map(pipe::Sender::from_owned_fd).transpose()?;
        Ok(Self { status, generation })
    }

    /// Says whether this process wants clients.
    pub(crate) async fn report(&self, available: bool) {
        let Some(pipe) = &self.status else { return };
        let status =
            ipc::master::Status { pid: std::process::id() as i32, generation: self.generation, available };
        // A report fits into a pipe in one piece or not at all.
        loop {
            match pipe.try_write(&status.encode()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if pipe.writable().await.is_err() {
                        return;
                    }
                }
                Err(error) => return log::debug!("report to master: {error}"),
                Ok(_) => return,
            }
        }
    }

    /// Waits for the other end to close: when master ends, or when it wants processes of a new generation.
    pub(crate) async fn master_gone(&self) {
        let Some(pipe) = &self.status else { return std::future::pending().await };
        // The pipe having room says nothing; an error is all that can happen to its reading end.
        let _broken = pipe.ready(Interest::ERROR).await;
    }
}
