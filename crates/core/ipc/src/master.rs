//! What master(8) and the processes it starts agree on: descriptor numbers, environment, status reports.

use std::os::fd::RawFd;

/// The pipe whose contents throttle mail input; read end.
pub const FLOW_READ: RawFd = 3;
/// The pipe whose contents throttle mail input; write end.
pub const FLOW_WRITE: RawFd = 4;
/// Where a process reports its [`Status`]. It ends when master does, or when the service's configuration is out of date.
pub const STATUS: RawFd = 5;
/// The first listening socket; others follow.
pub const LISTEN: RawFd = 6;

/// Environment: the generation that the process belongs to, in octal.
pub const GENERATION: &str = "GENERATION";
/// Environment: how many clients the process may serve at once.
///
/// A service's `maxproc` is the number of clients it handles at once; master shares it out between the processes of a
/// service whose program serves many clients. 0 means no limit. A process that is not told serves one.
pub const CLIENT_LIMIT: &str = "CLIENT_LIMIT";

/// How a program's processes share its service's `maxproc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One client at a time in each process: `maxproc` processes, as Postfix has it.
    Processes,
    /// Many clients in each process: `maxproc` clients in all, in at most one process a core.
    Clients,
    /// Any number of clients in each process, also in Postfix: at most `maxproc` processes and one a core.
    Unlimited,
}

/// How a program, named as in master.cf, shares its service's `maxproc`.
pub fn sharing(program: &str) -> Sharing {
    match program {
        "bounce" | "cleanup" | "discard" | "dnsblog" | "error" | "flush" | "lmtp" | "showq" | "smtp"
        | "smtpd" => Sharing::Clients,
        "anvil" | "nqmgr" | "oqmgr" | "pickup" | "postlogd" | "postscreen" | "proxymap" | "qmgr"
        | "scache" | "tlsmgr" | "tlsproxy" | "trivial-rewrite" | "verify" => Sharing::Unlimited,
        _ => Sharing::Processes,
    }
}

/// A report to master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Who reports.
    pub pid: i32,
    /// The generation it belongs to.
    pub generation: u32,
    /// Whether it can take another client.
    pub available: bool,
}

impl Status {
    /// The length of a report.
    pub const LENGTH: usize = 12;

    /// As it travels: three native integers. Reports are shorter than a pipe's atomic write.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut out = [0; Self::LENGTH];
        let parts =
            [self.pid.to_ne_bytes(), self.generation.to_ne_bytes(), i32::from(self.available).to_ne_bytes()];
        for (to, from) in out.iter_mut().zip(parts.as_flattened()) {
            *to = *from;
        }
        out
    }

    /// From the wire.
    pub fn decode(data: &[u8; Self::LENGTH]) -> Option<Self> {
        let (parts, _) = data.as_chunks::<4>();
        let [pid, generation, available] = parts else { return None };
        let available = match i32::from_ne_bytes(*available) {
            0 => false,
            1 => true,
            _ => return None,
        };
        Some(Self { pid: i32::from_ne_bytes(*pid), generation: u32::from_ne_bytes(*generation), available })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_survive_the_pipe() {
        let status = Status { pid: 42, generation: 7, available: true };
        assert_eq!(Status::decode(&status.encode()), Some(status));
        assert_eq!(Status::decode(&[9; 12]), None);
    }
}
