//! Which notices a sender wants about a recipient (RFC 3461 NOTIFY).

/// None at all; excludes the others.
pub const NEVER: u32 = 1;
/// When the mail was delivered.
pub const SUCCESS: u32 = 2;
/// When it could not be delivered.
pub const FAILURE: u32 = 4;
/// When it is late.
pub const DELAY: u32 = 8;

const NAMES: bytes::NameMask =
    bytes::NameMask(&[("NEVER", NEVER), ("SUCCESS", SUCCESS), ("FAILURE", FAILURE), ("DELAY", DELAY)]);

/// The mask of a NOTIFY parameter's value; `None` when a word is unknown or NEVER has company.
pub fn parse(text: &[u8]) -> Option<u32> {
    let mask = NAMES.parse(std::str::from_utf8(text).ok()?).ok()?;
    is_valid(mask).then_some(mask)
}

/// Whether a mask may occur: some bits, and NEVER only alone. 0 means that the sender said nothing.
pub fn is_valid(mask: u32) -> bool {
    mask != 0 && mask < 16 && (mask & NEVER == 0 || mask == NEVER)
}

/// The mask as the NOTIFY parameter's value.
pub fn text(mask: u32) -> String {
    NAMES.text(mask).replace(' ', ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_stands_alone() {
        assert_eq!(parse(b"success,FAILURE"), Some(6));
        assert_eq!(parse(b"NEVER"), Some(1));
        assert_eq!(parse(b"NEVER,DELAY"), None);
        assert_eq!(text(6), "SUCCESS,FAILURE");
    }
}
