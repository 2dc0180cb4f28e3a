//! Keys for session tickets: one for new tickets, and the one before it for those that are still about.

use std::io;

use ipc::tlsmgr::{NAME_SIZE, TicketKey};

use crate::random::Random;

/// The keys in use. A key makes tickets for half the session lifetime, and opens them for the other half.
#[derive(Debug, Default)]
pub struct TicketKeys {
    /// The present key first.
    keys: Vec<TicketKey>,
}

impl TicketKeys {
    /// The key for new tickets at `now`; made when there is none. `lifetime` is that of sessions, in seconds.
    pub fn current(&mut self, now: i64, lifetime: i64, random: &mut Random) -> io::Result<&TicketKey> {
        let is_good = self.keys.first().is_some_and(|key| key.expires > now);
        if !is_good {
            let mut key = TicketKey {
                name: [0; NAME_SIZE],
                bits: [0; 32],
                hmac: [0; 32],
                expires: now.saturating_add(lifetime / 2 - 1),
            };
            random.fill(&mut key.name)?;
            random.fill(&mut key.bits)?;
            random.fill(&mut key.hmac)?;
            self.keys.insert(0, key);
            self.keys.truncate(2);
        }
        self.keys.first().ok_or_else(|| io::Error::other("no ticket key"))
    }

    /// The key of that name, if tickets made with it can still be good.
    pub fn find(&self, name: &[u8], now: i64, lifetime: i64) -> Option<&TicketKey> {
        let key = self.keys.iter().find(|key| key.name == name)?;
        (key.expires.saturating_add(lifetime / 2) > now).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: i64 = 3600;

    #[test]
    fn a_key_serves_half_its_life_each_way() {
        let mut random = Random::open("dev:/dev/urandom").unwrap();
        let mut keys = TicketKeys::default();
        let first = keys.current(1000, LIFE, &mut random).unwrap().clone();
        assert_eq!(first.expires, 1000 + 1799);
        assert_ne!(first.bits, [0; 32]);
        assert_eq!(keys.current(2798, LIFE, &mut random).unwrap(), &first);
        let second = keys.current(2799, LIFE, &mut random).unwrap().clone();
        assert_ne!(second.name, first.name);
        assert_eq!(keys.find(&first.name, 4598, LIFE), Some(&first));
        assert_eq!(keys.find(&first.name, 4599, LIFE), None);
        assert_eq!(keys.find(&second.name, 4599, LIFE), Some(&second));
        keys.current(9000, LIFE, &mut random).unwrap();
        keys.current(19_000, LIFE, &mut random).unwrap();
        assert_eq!(keys.keys.len(), 2);
        assert_eq!(keys.find(b"nobody", 0, LIFE), None);
    }
}
