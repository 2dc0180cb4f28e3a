//! Quoting of local parts: RFC 822 form for headers, RFC 821 form for SMTP commands.
//!
//! A local part is a sequence of atoms with dots between them, or else becomes one quoted string.
//! The last `@` ends it. The domain is assumed to be clean.

use std::fmt;

/// How a local part is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoteFlags(u8);

/// 8-bit clean.
impl Default for QuoteFlags {
    fn default() -> QuoteFlags {
        QuoteFlags::EIGHT_BIT_CLEAN
    }
}

impl QuoteFlags {
    /// Nothing special.
    pub const NONE: QuoteFlags = QuoteFlags(0);
    /// 8-bit bytes are ordinary text, against the RFCs.
    pub const EIGHT_BIT_CLEAN: QuoteFlags = QuoteFlags(1);
    /// `@` is ordinary text, against the RFCs.
    pub const EXPOSE_AT: QuoteFlags = QuoteFlags(2);
    /// Appends to the result (kept for its name; see the `_into` functions).
    pub const APPEND: QuoteFlags = QuoteFlags(4);
    /// The text is a local part, all of it.
    pub const BARE_LOCAL_PART: QuoteFlags = QuoteFlags(8);

    const NAMES: [(&'static str, QuoteFlags); 4] = [
        ("8bitclean", QuoteFlags::EIGHT_BIT_CLEAN),
        ("expose_at", QuoteFlags::EXPOSE_AT),
        ("append", QuoteFlags::APPEND),
        ("bare_localpart", QuoteFlags::BARE_LOCAL_PART),
    ];

    /// Both sets together.
    pub const fn and(self, other: QuoteFlags) -> QuoteFlags {
        QuoteFlags(self.0 | other.0)
    }

    /// Whether all of `other` is in here.
    pub const fn has(self, other: QuoteFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Reads `name|name...`, without regard to case; names nobody knows are the error.
    pub fn parse(text: &str) -> Result<QuoteFlags, String> {
        let mut flags = QuoteFlags::NONE;
        for name in text.split('|').filter(|name| !name.is_empty()) {
            match QuoteFlags::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                Some((_, flag)) => flags = flags.and(*flag),
                None => return Err(name.to_string()),
            }
        }
        Ok(flags)
    }
}

impl fmt::Display for QuoteFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, flag) in QuoteFlags::NAMES {
            if self.has(flag) {
                write!(f, "{separator}{name}")?;
                separator = "|";
            }
        }
        Ok(())
    }
}

/// From internal to external form, for headers; 8-bit text stays as it is.
pub fn quote_822_local(address: &[u8]) -> Vec<u8> {
    quote_822_local_flags(address, QuoteFlags::EIGHT_BIT_CLEAN)
}

/// [`quote_822_local`] with flags.
pub fn quote_822_local_flags(address: &[u8], flags: QuoteFlags) -> Vec<u8> {
    let mut out = Vec::with_capacity(address.len() + 2);
    quote_822_local_into(&mut out, address, flags);
    out
}

/// [`quote_822_local_flags`], appended to `out`. A source route (`@host:`) is left alone.
pub fn quote_822_local_into(out: &mut Vec<u8>, address: &[u8], flags: QuoteFlags) {
    let start = route_length(address);
    let (route, mailbox) = address.split_at(start);
    let end = local_part_end(mailbox, flags);
    let (local, domain) = mailbox.split_at(end);
    if is_dot_string(local, flags) {
        out.extend_from_slice(address);
        return;
    }
    out.extend_from_slice(route);
    quoted_string(out, local, b"\"\\\r", flags);
    out.extend_from_slice(domain);
}

/// From internal to external form, for SMTP commands; 8-bit text stays as it is.
pub fn quote_821_local(address: &[u8]) -> Vec<u8> {
    quote_821_local_flags(address, QuoteFlags::EIGHT_BIT_CLEAN)
}

/// [`quote_821_local`] with flags.
pub fn quote_821_local_flags(address: &[u8], flags: QuoteFlags) -> Vec<u8> {
    let mut out = Vec::with_capacity(address.len() + 2);
    quote_821_local_into(&mut out, address, flags);
    out
}

/// [`quote_821_local_flags`], appended to `out`.
pub fn quote_821_local_into(out: &mut Vec<u8>, address: &[u8], flags: QuoteFlags) {
    let end = local_part_end(address, QuoteFlags::NONE);
    let (local, domain) = address.split_at(end);
    if is_dot_string(local, flags) {
        out.extend_from_slice(address);
        return;
    }
    quoted_string(out, local, b"\r\n\"\\", flags);
    out.extend_from_slice(domain);
}

/// From external to internal form. A source route and the domain are left alone.
pub fn unquote_822_local(address: &[u8]) -> Vec<u8> {
    let (route, mailbox) = address.split_at(route_length(address));
    let mut out = Vec::with_capacity(address.len());
    out.extend_from_slice(route);
    let mut in_quotes = false;
    // Where the domain begins, in the result and in the input.
    let mut last_at = None;
    let mut bytes = mailbox.iter().enumerate();
    while let Some((index, &byte)) = bytes.next() {
        match byte {
            b'"' => {
                in_quotes = !in_quotes;
                continue;
            }
            b'@' if !in_quotes => last_at = Some((out.len(), index)),
            b'\\' => {
                out.extend(bytes.next().map(|(_, &quoted)| quoted));
                continue;
            }
            _ => (),
        }
        out.push(byte);
    }
    if let Some((length, index)) = last_at {
        out.truncate(length);
        out.extend_from_slice(&mailbox[index..]);
    }
    out
}

fn route_length(address: &[u8]) -> usize {
    if address.first() != Some(&b'@') {
        return 0;
    }
    address.iter().position(|&byte| byte == b':').map_or(0, |colon| colon + 1)
}

fn local_part_end(mailbox: &[u8], flags: QuoteFlags) -> usize {
    if flags.has(QuoteFlags::BARE_LOCAL_PART) {
        return mailbox.len();
    }
    mailbox.iter().rposition(|&byte| byte == b'@').unwrap_or(mailbox.len())
}

fn is_dot_string(local: &[u8], flags: QuoteFlags) -> bool {
    if local.is_empty() || local.starts_with(b".") || local.ends_with(b".") {
        return false;
    }
    if local.windows(2).any(|pair| pair == b"..") {
        return false;
    }
    local.iter().all(|&byte| match byte {
        128.. => flags.has(QuoteFlags::EIGHT_BIT_CLEAN),
        b'@' => flags.has(QuoteFlags::EXPOSE_AT),
        b' ' | b'(' | b')' | b'<' | b'>' | b',' | b';' | b':' | b'\\' | b'"' | b'[' | b']' => false,
        _ => !byte.is_ascii_control(),
    })
}

fn quoted_string(out: &mut Vec<u8>, local: &[u8], special: &[u8], flags: QuoteFlags) {
    out.push(b'"');
    for &byte in local {
        if special.contains(&byte) || (byte > 127 && !flags.has(QuoteFlags::EIGHT_BIT_CLEAN)) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_stay() {
        for plain in ["user@example.com", "user", "a.b+c@d", "@route:user@host"] {
            assert_eq!(quote_822_local(plain.as_bytes()), plain.as_bytes());
        }
        assert_eq!(quote_821_local(b"u@x"), b"u@x");
    }

    #[test]
    fn odd_local_parts_are_quoted() {
        assert_eq!(quote_822_local(b"foo bar@x"), b"\"foo bar\"@x");
        assert_eq!(quote_822_local(b".a@x"), b"\".a\"@x");
        assert_eq!(quote_822_local(b"a..b@x"), b"\"a..b\"@x");
        assert_eq!(quote_822_local(b"a.@x"), b"\"a.\"@x");
        assert_eq!(quote_822_local(b""), b"\"\"");
        assert_eq!(quote_822_local(b"@x"), b"\"\"@x");
        assert_eq!(quote_822_local(b"@r:a b@x"), b"@r:\"a b\"@x");
        assert_eq!(quote_821_local(b"a\nb@x"), b"\"a\\\nb\"@x");
        assert_eq!(quote_822_local(b"a\nb@x"), b"\"a\nb\"@x");
        assert_eq!(quote_822_local_flags(b"\xe9@x", QuoteFlags::NONE), b"\"\\\xe9\"@x");
        assert_eq!(quote_822_local_flags(b"a@b@x", QuoteFlags::EXPOSE_AT), b"a@b@x");
    }

    #[test]
    fn unquoting_leaves_the_domain_alone() {
        assert_eq!(unquote_822_local(b"\"foo bar\"@x"), b"foo bar@x");
        assert_eq!(unquote_822_local(b"a\\@b@[\\x]"), b"a@b@[\\x]");
        assert_eq!(unquote_822_local(b"a\\"), b"a");
        assert_eq!(unquote_822_local(b"@r\":\"a b\"@x"), b"@r\":a b@x");
        assert_eq!(unquote_822_local(b"\"\""), b"");
    }
}
