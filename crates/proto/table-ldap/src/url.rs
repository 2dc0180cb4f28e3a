//! LDAP URLs (RFC 4516): `ldap://host:port/name?attributes?scope?filter?extensions`.

use crate::search::Scope;

/// What a URL says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Url {
    pub(crate) scheme: Scheme,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The name of an entry.
    pub(crate) name: Vec<u8>,
    pub(crate) attributes: Vec<String>,
    pub(crate) scope: Option<Scope>,
    pub(crate) filter: Option<Vec<u8>>,
}

/// How a server is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scheme {
    /// Over the network.
    Ldap,
    /// The same, encrypted from the first byte on.
    Ldaps,
    /// Over a local socket, whose path is the host.
    Ldapi,
}

/// What is wrong with a URL: the number that OpenLDAP's library has for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    Scheme = 3,
    Enclosure = 4,
    Url = 5,
    Host = 6,
    Attributes = 7,
    Scope = 8,
    Filter = 9,
    Extensions = 10,
}

/// Whether a text is meant to be a URL.
pub(crate) fn is_url(text: &[u8]) -> bool {
    head(text).is_some()
}

/// The scheme, whether the URL is in angle brackets, and what is after the slashes.
fn head(text: &[u8]) -> Option<(Scheme, bool, &[u8])> {
    let is_enclosed = text.first() == Some(&b'<');
    let text = text.get(usize::from(is_enclosed)..)?;
    let text = if bytes::starts_with_ignore_case(text, b"URL:") { text.get(4..)? } else { text };
    let schemes = [("ldap://", Scheme::Ldap), ("ldaps://", Scheme::Ldaps), ("ldapi://", Scheme::Ldapi)];
    let (prefix, scheme) =
        schemes.into_iter().find(|(prefix, _)| bytes::starts_with_ignore_case(text, prefix.as_bytes()))?;
    Some((scheme, is_enclosed, text.get(prefix.len()..)?))
}

impl Scheme {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ldap => "ldap",
            Self::Ldaps => "ldaps",
            Self::Ldapi => "ldapi",
        }
    }
}

impl Url {
    /// Reads a URL.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Fault> {
        let (scheme, is_enclosed, rest) = head(text).ok_or(Fault::Scheme)?;
        let rest = match is_enclosed {
            true => rest.strip_suffix(b">").ok_or(Fault::Enclosure)?,
            false => rest,
        };
        let (place, rest) = bytes::split_once(rest, b'/').unwrap_or((rest, b""));
        let (host, port) = host_and_port(place, scheme)?;
        let mut parts = rest.split(|&byte| byte == b'?');
        let name = parts.next().map(decode).unwrap_or_default();
        let mut url = Self { scheme, host, port, name, attributes: Vec::new(), scope: None, filter: None };
        if let Some(attributes) = parts.next().filter(|part| !part.is_empty()) {
            let text = String::from_utf8(decode(attributes)).map_err(|_| Fault::Attributes)?;
            url.attributes = text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            if url.attributes.is_empty() {
                return Err(Fault::Attributes);
            }
        }
        if let Some(scope) = parts.next().filter(|part| !part.is_empty()) {
            url.scope = Some(Scope::of_url(&decode(scope)).ok_or(Fault::Scope)?);
        }
        if let Some(filter) = parts.next().filter(|part| !part.is_empty()) {
            url.filter = Some(Some(decode(filter)).filter(|filter| !filter.is_empty()).ok_or(Fault::Filter)?);
        }
        if let Some(extensions) = parts.next()
            && extensions.split(|&byte| byte == b',').all(<[u8]>::is_empty)
        {
            return Err(Fault::Extensions);
        }
        if parts.next().is_some() { Err(Fault::Url) } else { Ok(url) }
    }
}

fn host_and_port(place: &[u8], scheme: Scheme) -> Result<(String, u16), Fault> {
    let (host, port) = match place.strip_prefix(b"[") {
        Some(rest) => {
            let (host, after) = bytes::split_once(rest, b']').ok_or(Fault::Url)?;
            match after {
                [] => (host, None),
                [b':', port @ ..] => (host, Some(port)),
                _ => return Err(Fault::Url),
            }
        }
        None => match bytes::split_once(place, b':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let usual = if scheme == Scheme::Ldaps { 636 } else { 389 };
    let port = match port {
        None => usual,
        Some(port) => bytes::decimal(port).ok_or(Fault::Url)?,
    };
    let host = String::from_utf8(decode(host)).map_err(|_| Fault::Host)?;
    Ok((host, port))
}

/// Replaces `%XX`. What is none is left as it is.
fn decode(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut plain, mut rest) = (Vec::with_capacity(text.len()), text);
    loop {
        match rest {
            [] => return plain,
            [b'%', high, low, after @ ..] if digit(*high).is_some() && digit(*low).is_some() => {
                plain.push((digit(*high).unwrap_or_default() << 4) | digit(*low).unwrap_or_default());
                rest = after;
            }
            [byte, after @ ..] => {
                plain.push(*byte);
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Url, Fault> {
        Url::parse(text.as_bytes())
    }

    #[test]
    fn urls() {
        let url = parse("ldap://h:7/dc=a%2Cb,dc=c?mail,uid?sub?(a=%3F)?!x").unwrap();
        assert_eq!((url.scheme, url.host.as_str(), url.port), (Scheme::Ldap, "h", 7));
        assert_eq!(url.name, b"dc=a,b,dc=c");
        assert_eq!(url.attributes, ["mail", "uid"]);
        assert_eq!(url.scope, Some(Scope::Subtree));
        assert_eq!(url.filter.as_deref(), Some(&b"(a=?)"[..]));
        let url = parse("<URL:LDAPS:///x??one>").unwrap();
        assert_eq!((url.scheme, url.host.as_str(), url.port), (Scheme::Ldaps, "", 636));
        assert_eq!((url.name.as_slice(), url.scope), (&b"x"[..], Some(Scope::OneLevel)));
        let url = parse("ldapi://%2Frun%2Fslapd%2Fldapi").unwrap();
        assert_eq!((url.scheme, url.host.as_str()), (Scheme::Ldapi, "/run/slapd/ldapi"));
        let url = parse("ldap://[::1]:8").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 8));
        assert_eq!(parse("ldap://").unwrap().port, 389);
    }

    #[test]
    fn no_urls() {
        for (text, fault) in [
            ("http://x", Fault::Scheme),
            ("<ldap://x", Fault::Enclosure),
            ("ldap://h:x", Fault::Url),
            ("ldap://h:65536", Fault::Url),
            ("ldap://::1:389", Fault::Url),
            ("ldap://[::1", Fault::Url),
            ("ldap://h/x?,", Fault::Attributes),
            ("ldap://h/x??some", Fault::Scope),
            ("ldap://h/x????", Fault::Extensions),
            ("ldap://h/x?a?sub?b?c?d", Fault::Url),
        ] {
            assert_eq!(parse(text), Err(fault), "{text}");
        }
        assert!(is_url(b"<URL:ldap://") && is_url(b"LDAPI://x") && !is_url(b"cn=x") && !is_url(b"ldap:/x"));
    }
}
