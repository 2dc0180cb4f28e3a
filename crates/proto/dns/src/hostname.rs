//! Host names in questions and answers.

use address::hostname::{Wildcard, valid_hostaddr, valid_hostname_with};

/// Whether `name` is an address in numeric form.
pub(crate) fn is_address(name: &str) -> bool {
    valid_hostaddr(name.as_bytes()).is_ok()
}

/// Whether `name` can be asked for.
pub(crate) fn is_name(name: &str) -> bool {
    valid_hostname_with(name.as_bytes(), Wildcard::Allow).is_ok()
}

/// Checks a name found in an answer, with warnings; false means that it must not be used.
pub(crate) fn acceptable(name: &str, place: &str, kind: &str, query: &str) -> bool {
    let shown: String = name.chars().take(100).collect();
    if is_address(name) {
        // People are not supposed to publish addresses as names, but some do, and their mail has always been delivered.
        log::warning!("numeric domain name in {place} of {kind} record for {query}: {shown}");
        return true;
    }
    match valid_hostname_with(name.as_bytes(), Wildcard::Allow) {
        Ok(()) => true,
        Err(fault) => {
            log::warning!("{fault}");
            log::warning!("malformed domain name in {place} of {kind} record for {query}: {shown}");
            false
        }
    }
}
