//! A thread that ends the process when its event loop hangs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The time limit is counted in steps, so that a clock that jumps, or a machine that sleeps, does not bark at once.
const STEPS: u32 = 3;

/// How long the last words may take.
const LAST_WORDS: u32 = 5;

/// A watchdog; it sleeps as long as it is patted.
#[derive(Clone, Debug)]
pub struct Watchdog(Arc<AtomicU32>);

impl Watchdog {
    /// Starts watching. After `limit` without a pat `bark` is called, which ends the process; if it hangs too, a signal
    /// does. Start it after identity and root directory are final, and after the last fork without exec.
    pub fn start(limit: Duration, bark: fn()) -> io::Result<Self> {
        let dog = Self(Arc::default());
        let steps = Arc::clone(&dog.0);
        let watch = move || {
            loop {
                std::thread::sleep(limit / STEPS);
                if steps.fetch_add(1, Ordering::Relaxed) + 1 >= STEPS {
                    crate::process::default_signal(libc::SIGALRM);
                    nix::unistd::alarm::set(LAST_WORDS);
                    bark();
                    std::process::exit(1);
                }
            }
        };
        std::thread::Builder::new().name("watchdog".to_owned()).stack_size(64 * 1024).spawn(watch)?;
        Ok(dog)
    }

    /// All is well.
    pub fn pat(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    static BARKED: AtomicBool = AtomicBool::new(false);

    fn bark() {
        nix::unistd::alarm::cancel();
        BARKED.store(true, Ordering::SeqCst);
        loop {
            std::thread::park();
        }
    }

    #[test]
    fn it_barks_only_when_nobody_pats_it() {
        let dog = Watchdog::start(Duration::from_millis(300), bark).unwrap();
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(40));
            dog.pat();
        }
        assert!(!BARKED.load(Ordering::SeqCst));
        std::thread::sleep(Duration::from_millis(900));
        assert!(BARKED.load(Ordering::SeqCst));
    }
}
