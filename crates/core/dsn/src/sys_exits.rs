//! What a command's exit status means for the mail it was given (`<sysexits.h>`).

use crate::Status;

/// The command line was wrong.
pub const USAGE: i32 = 64;
/// The data was wrong.
pub const DATAERR: i32 = 65;
/// The addressee is unknown.
pub const NOUSER: i32 = 67;
/// A service is not there.
pub const UNAVAILABLE: i32 = 69;
/// A bug.
pub const SOFTWARE: i32 = 70;
/// The system is out of something.
pub const OSERR: i32 = 71;
/// An output file cannot be made.
pub const CANTCREAT: i32 = 73;
/// Try again later.
pub const TEMPFAIL: i32 = 75;
/// Not allowed.
pub const NOPERM: i32 = 77;
/// The configuration is wrong.
pub const CONFIG: i32 = 78;

/// The status and text of an exit code of `<sysexits.h>`.
pub fn detail(code: i32) -> Option<(Status, &'static str)> {
    let (status, text) = match code {
        64 => ("5.3.0", "command line usage error"),
        65 => ("5.6.0", "data format error"),
        66 => ("5.3.0", "cannot open input"),
        67 => ("5.1.1", "user unknown"),
        68 => ("5.1.2", "host name unknown"),
        69 => ("5.3.0", "service unavailable"),
        70 => ("5.3.0", "internal software error"),
        71 => ("4.3.0", "system resource problem"),
        72 => ("5.3.0", "critical OS file missing"),
        73 => ("5.2.0", "can't create user output file"),
        74 => ("5.3.0", "input/output error"),
        75 => ("4.3.0", "temporary failure"),
        76 => ("5.5.0", "remote error in protocol"),
        77 => ("5.7.0", "permission denied"),
        78 => ("5.3.5", "local configuration error"),
        _ => return None,
    };
    Status::parse(status.as_bytes()).map(|status| (status, text))
}
