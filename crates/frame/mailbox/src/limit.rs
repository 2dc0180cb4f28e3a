//! The limit on the size of files that the process writes: `mailbox_size_limit` and its like.
//!
//! It is a guard against runaway programs rather than a quota: it also holds for files that commands write.

use nix::libc;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

/// The limit in force; `None`: there is none.
pub fn of_files() -> Option<u64> {
    getrlimit(Resource::RLIMIT_FSIZE).ok().map(|(soft, _)| soft).filter(|&soft| soft != RLIM_INFINITY)
}

/// Puts a limit on files, once for all; 0 or less means none. Writing beyond it becomes an error instead of a signal.
///
/// A limit below `message_size_limit` is refused, since a message could then not be marked when it is delivered. `name`
/// is the limit's own in main.cf.
pub fn impose(name: &str, limit: i64, message_size_limit: i64) -> Result<(), String> {
    check(name, limit, message_size_limit)?;
    let Some(limit) = u64::try_from(limit).ok().filter(|&limit| limit > 0) else { return Ok(()) };
    sys::process::ignore_signal(libc::SIGXFSZ);
    setrlimit(Resource::RLIMIT_FSIZE, limit, limit).map_err(|error| format!("setrlimit: {}", error.desc()))
}

fn check(name: &str, limit: i64, message_size_limit: i64) -> Result<(), String> {
    if limit <= 0 {
        return Ok(());
    }
    if message_size_limit <= 0 {
        return Err(format!("configuration error: {name} is limited but message_size_limit is unlimited"));
    }
    if limit < message_size_limit {
        return Err(format!("configuration error: {name} is smaller than message_size_limit"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_hold_at_least_one_message() {
        let name = "mailbox_size_limit";
        assert_eq!(check(name, 0, 0), Ok(()));
        assert_eq!(check(name, 100, 100), Ok(()));
        assert_eq!(
            check(name, 100, 0).unwrap_err(),
            "configuration error: mailbox_size_limit is limited but message_size_limit is unlimited"
        );
        assert_eq!(
            check(name, 99, 100).unwrap_err(),
            "configuration error: mailbox_size_limit is smaller than message_size_limit"
        );
    }
}
