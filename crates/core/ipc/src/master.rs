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
/// Environment: the process's [`Share`].
pub const SHARE: &str = "CLIENT_SHARE";

/// What a process needs to know to stay, with its siblings, below the limit of their service.
///
/// A service's `maxproc` is the number of clients that it handles at once. Where a program serves many clients in a
/// process, the service's processes, also those that only finish what a reload interrupted, count their clients in
/// one table of shared memory (`sys::shared`, [`Share::WORDS`] numbers): each counts its own in a slot of its own and may take
/// a client when the sum of all slots allows. Nobody has to be asked, and when a process dies, master clears its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The number of the table's descriptor.
    pub descriptor: RawFd,
    /// The slot of the process, an index of the table.
    pub slot: usize,
    /// `maxproc`; nothing for no limit.
    pub limit: Option<usize>,
}

impl Share {
    /// The length of the table. Its first word is not a slot but the time until which the service counts as stressed,
    /// in seconds of the monotonic clock.
    pub const WORDS: usize = 256;
    /// In a slot: the process accepts clients, as opposed to one that finishes its last.
    pub const ACCEPTS: u32 = 1 << 31;

    /// As the value of [`SHARE`].
    pub fn encode(&self) -> String {
        format!("{} {} {}", self.descriptor, self.slot, self.limit.unwrap_or(0))
    }

    /// From the value of [`SHARE`].
    pub fn decode(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let share = Self {
            descriptor: words.next()?.parse().ok()?,
            slot: words.next()?.parse().ok().filter(|slot| (1..Self::WORDS).contains(slot))?,
            limit: Some(words.next()?.parse().ok()?).filter(|limit| *limit > 0),
        };
        words.next().is_none().then_some(share)
    }

    /// How many clients a slot's number stands for.
    pub fn clients(word: u32) -> usize {
        (word & !Self::ACCEPTS) as usize
    }
}

/// The option `-o` of a service that is open to the network: its program may set `stress` to `yes` when it has as many
/// clients as it may have.
pub const CALM: &str = "stress=";

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

    #[test]
    fn shares_survive_the_environment() {
        for limit in [None, Some(100)] {
            let share = Share { descriptor: 9, slot: 3, limit };
            assert_eq!(Share::decode(&share.encode()), Some(share));
        }
        for text in ["", "9 0 1", "9 256 1", "9 1", "9 1 1 1"] {
            assert_eq!(Share::decode(text), None, "{text}");
        }
    }
}
