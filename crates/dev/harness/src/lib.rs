//! Whole-system tests: an installed mail system in private namespaces.
//!
//! A [`System`] is Ferrofix, or the reference (Debian's Postfix), installed at Postfix's paths on a file system of its own:
//! a copy-on-write view of the machine with its own accounts, `/etc/postfix`, spool, mailboxes, syslog, DNS and
//! network, so that port 25 is free and nothing outside can be harmed. The test process runs in there too, as
//! root, and speaks to the mail system as clients, users and peers do.
//!
//! How: the test program runs itself again under `unshare`; `enter.sh` lays out the file system and runs the named test
//! once more inside. See [`isolation`]. What cannot run here (no root, no namespaces, nothing installed) is reported
//! as skipped, with the reason.
//!
//! It trusts nothing of the mail system but that it is installed below `target/system`. A panic is a failed test.

pub mod answers;
mod difference;
pub mod dns;
pub mod isolation;
pub mod normalise;
pub mod sink;
pub mod smtp;
mod syslog;
mod system;

pub use difference::difference;
pub use normalise::Normaliser;
pub use sink::{Received, Sink};
pub use smtp::{Reply, SmtpClient};
pub use system::{Output, Package, System};

/// Defines a test that runs in a system of its own.
///
/// `scenario! { fn name(system) { ... } }` where `system` is a `&mut System`: the one under test.
#[macro_export]
macro_rules! scenario {
    ($(#[$meta:meta])* fn $name:ident($system:ident) $body:block) => {
        $(#[$meta])*
        #[test]
        fn $name() {
            fn body($system: &mut $crate::System) $body
            $crate::isolation::scenario(concat!(module_path!(), "::", stringify!($name)), body);
        }
    };
}
