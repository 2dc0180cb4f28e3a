//! Variable envelope return paths: the recipient inside the sender address.

use crate::split_at_domain;

/// The two characters that VERP puts between the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerpDelimiters {
    /// Between the sender's name and the recipient.
    pub name: u8,
    /// In place of the recipient's `@`.
    pub at: u8,
}

impl VerpDelimiters {
    /// Takes two characters out of `verp_delimiter_filter`; the error is the reason as Postfix
    /// words it.
    pub fn parse(text: &[u8], filter: &[u8]) -> Result<VerpDelimiters, &'static str> {
        let &[name, at] = text else { return Err("bad VERP delimiter character count") };
        if !filter.contains(&name) {
            return Err("bad first VERP delimiter character");
        }
        if !filter.contains(&at) {
            return Err("bad second VERP delimiter character");
        }
        Ok(VerpDelimiters { name, at })
    }
}

/// `prefix@origin` with recipient `user@domain` becomes `prefix+user=domain@origin`.
///
/// The recipient is the original one where it is known, since that is what the consumer of the
/// bounce expects.
pub fn verp_sender(delimiters: VerpDelimiters, sender: &[u8], recipient: &[u8]) -> Vec<u8> {
    let (name, origin) = split_at_domain(sender);
    let (user, domain) = split_at_domain(recipient);
    let mut out = name.to_vec();
    out.push(delimiters.name);
    out.extend_from_slice(user);
    if let Some(domain) = domain.filter(|domain| !domain.is_empty()) {
        out.push(delimiters.at);
        out.extend_from_slice(domain);
    }
    if let Some(origin) = origin.filter(|origin| !origin.is_empty()) {
        out.push(b'@');
        out.extend_from_slice(origin);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipient_goes_into_the_sender() {
        let delimiters = VerpDelimiters::parse(b"+=", b"-=+").unwrap();
        assert_eq!(verp_sender(delimiters, b"list@o", b"user@d"), b"list+user=d@o");
        assert_eq!(verp_sender(delimiters, b"list", b"user"), b"list+user");
        assert_eq!(verp_sender(delimiters, b"list@", b"user@"), b"list+user");
        assert!(VerpDelimiters::parse(b"+", b"+").is_err());
        assert_eq!(VerpDelimiters::parse(b"+x", b"+"), Err("bad second VERP delimiter character"));
    }
}
