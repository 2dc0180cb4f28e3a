//! What the mode of a queue file says.

/// The message is complete: read, write and execute for the owner.
pub const READY: u32 = 0o700;
/// Not complete yet, or a log file.
pub const INCOMPLETE: u32 = 0o600;
/// A delivery agent could not read it; the queue manager moves it to `corrupt`.
pub const CORRUPT: u32 = 0o400;
/// Mark: ignore that its destinations are known to be bad (`postqueue -i`, `flush`).
pub const UNTHROTTLE: u32 = 0o040;
/// Mark: return it to the sender at the next attempt (`postsuper -e`).
pub const EXPIRE: u32 = 0o010;

/// Whether a file with this mode is a complete message.
pub const fn is_ready(bits: u32) -> bool {
    bits & 0o700 == READY
}
