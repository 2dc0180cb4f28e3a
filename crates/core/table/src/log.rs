//! Stand-in for the log crate.
macro_rules! info { ($($arg:tt)*) => { eprintln!($($arg)*) } }
macro_rules! warning { ($($arg:tt)*) => { eprintln!("warning: {}", format_args!($($arg)*)) } }
macro_rules! error { ($($arg:tt)*) => { eprintln!("error: {}", format_args!($($arg)*)) } }
macro_rules! debug { ($($arg:tt)*) => { if crate::log::verbose() > 0 { eprintln!($($arg)*) } } }
pub(crate) use {debug, error, info, warning};
pub(crate) fn verbose() -> u8 {
    0
}
