//! Session ticket keys that come from tlsmgr(8), so that any process can resume what another one began.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ipc::tlsmgr::{Manager, NAME_SIZE, TicketKey};
use rustls::server::ProducesTickets;
use tokio::sync::{Notify, watch};

/// So many keys are kept: the present one, the one before it, and one to spare for clocks that jump.
const KEY_LIMIT: usize = 3;

/// After so long the manager is asked again, when it has not answered or has no key.
const RETRY: Duration = Duration::from_secs(30);

/// So long a session waits for the first answer of the manager.
const PATIENCE: Duration = Duration::from_secs(2);

/// The keys that this process knows. A ticket is the key's name, a nonce, and the session, encrypted with AES-256-GCM.
///
/// Without keys there are no tickets, and clients do full handshakes.
pub struct Keyring {
    /// How long a key is good after it makes no more tickets, and the lifetime that clients are told, in seconds.
    lifetime: u32,
    state: Mutex<State>,
    wanted: Notify,
    /// Whether the manager has been asked, whatever came of it.
    has_asked: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// The newest first.
    keys: Vec<Key>,
    /// The name in a ticket that no known key has made.
    missing: Option<[u8; NAME_SIZE]>,
}

struct Key {
    name: [u8; NAME_SIZE],
    expires: i64,
    cipher: LessSafeKey,
}

impl Keyring {
    /// Without keys; `lifetime` is `smtpd_tls_session_cache_timeout`.
    pub fn new(lifetime: Duration) -> Self {
        let lifetime = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
        Self {
            lifetime,
            state: Mutex::default(),
            wanted: Notify::new(),
            has_asked: watch::Sender::new(false),
        }
    }

    /// Fetches keys from the manager, for ever: the next one when the present one is used up, older ones when a client
    /// shows up with a ticket of theirs.
    pub async fn follow(&self, mut manager: Manager) {
        let mut is_silent = false;
        loop {
            let wait = match self.fetch(&mut manager).await {
                Ok(wait) => {
                    is_silent = false;
                    wait
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_silent, true) {
                        log::warning!("problem talking to server private/tlsmgr: {error}");
                    }
                    RETRY
                }
            };
            self.has_asked.send_replace(true);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.wanted.notified(), if !is_silent => {}
            }
        }
    }

    /// Waits until a new process has had the time to fetch its first keys.
    pub(crate) async fn ready(&self) {
        let mut has_asked = self.has_asked.subscribe();
        // When the time is over, the session begins without tickets.
        let waited = tokio::time::timeout(PATIENCE, has_asked.wait_for(|has_asked| *has_asked)).await;
        drop(waited);
    }

    /// Adds a key.
    pub fn add(&self, key: &TicketKey) {
        let Ok(cipher) = UnboundKey::new(&AES_256_GCM, &key.bits) else { return };
        let key = Key { name: key.name, expires: key.expires, cipher: LessSafeKey::new(cipher) };
        let mut state = self.lock();
        if state.keys.iter().any(|known| known.name == key.name) {
            return;
        }
        state.keys.push(key);
        state.keys.sort_by_key(|key| std::cmp::Reverse(key.expires));
        state.keys.truncate(KEY_LIMIT);
    }

    /// How long the present key is good.
    async fn fetch(&self, manager: &mut Manager) -> ipc::Result<Duration> {
        let missing = self.lock().missing.take();
        if let Some(name) = missing
            && let Some(key) = manager.key_of(name).await?
        {
            self.add(&key);
        }
        let now = now();
        if let Some(left) = self.time_left(now) {
            return Ok(left);
        }
        match manager.current_key().await? {
            Some(key) => self.add(&key),
            None => return Ok(RETRY),
        }
        Ok(self.time_left(now).unwrap_or(RETRY))
    }

    fn time_left(&self, now: i64) -> Option<Duration> {
        let left = self.lock().keys.first()?.expires - now;
        u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_secs)
    }

    // A panic elsewhere leaves nothing half done in here.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProducesTickets for Keyring {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.lifetime
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let now = now();
        let state = self.lock();
        let key = state.keys.first().filter(|key| key.expires > now)?;
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        key.cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(key.name), &mut sealed)
            .ok()?;
        Some([&key.name[..], &nonce, &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME_SIZE>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let mut state = self.lock();
        let Some(key) = state.keys.iter().find(|key| key.name == *name) else {
            state.missing = Some(*name);
            self.wanted.notify_one();
            return None;
        };
        if key.expires.saturating_add(i64::from(self.lifetime / 2)) <= now() {
            return None;
        }
        let mut plain = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = key.cipher.open_in_place(nonce, Aad::from(*name), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

/// Without the keys.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8, left: i64) -> TicketKey {
        TicketKey { name: [number; 16], bits: [number; 32], hmac: [0; 32], expires: now() + left }
    }

    fn keyring(keys: &[TicketKey]) -> Keyring {
        let keyring = Keyring::new(Duration::from_secs(3600));
        keys.iter().for_each(|key| keyring.add(key));
        keyring
    }

    #[test]
    fn any_process_with_the_key_opens_a_ticket() {
        let (old, new) = (key(1, -1000), key(2, 800));
        let one = keyring(&[old.clone(), new.clone()]);
        let ticket = one.encrypt(b"session").unwrap();
        assert_eq!(ticket.get(..16).unwrap(), [2; 16]);
        assert!(!ticket.windows(7).any(|text| text == b"session"));
        assert_eq!(keyring(&[new]).decrypt(&ticket).unwrap(), b"session");
        assert_eq!(keyring(&[old]).decrypt(&ticket), None);
        for at in [0, 20, 30, ticket.len() - 1] {
            let mut wrong = ticket.clone();
            *wrong.get_mut(at).unwrap() ^= 1;
            assert_eq!(one.decrypt(&wrong), None, "{at}");
        }
        assert_eq!(one.decrypt(ticket.get(..27).unwrap()), None);
    }

    #[test]
    fn keys_grow_old() {
        let made = keyring(&[key(1, 100)]).encrypt(b"session").unwrap();
        assert!(keyring(&[key(1, -1000)]).decrypt(&made).is_some());
        assert!(keyring(&[key(1, -1801)]).decrypt(&made).is_none());
        assert!(keyring(&[key(1, -1)]).encrypt(b"session").is_none());
        assert!(keyring(&[]).encrypt(b"session").is_none());
        let many: Vec<_> = (0..10).map(|number| key(number, i64::from(number))).collect();
        assert_eq!(keyring(&many).lock().keys.first().unwrap().name, [9; 16]);
        assert_eq!(keyring(&many).lock().keys.len(), KEY_LIMIT);
    }

    #[test]
    fn unknown_tickets_make_the_keyring_ask() {
        let made = keyring(&[key(1, 100)]).encrypt(b"session").unwrap();
        let other = keyring(&[key(2, 100)]);
        assert_eq!(other.decrypt(&made), None);
        assert_eq!(other.lock().missing, Some([1; 16]));
    }
}
