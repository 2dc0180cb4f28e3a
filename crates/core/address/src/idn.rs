//! Internationalised domain names (UTS #46, non-transitional).
//!
//! Results pass [`valid_hostname`]; what does not is a fault. There is no cache here.

use std::borrow::Cow;

use idna::uts46::{AsciiDenyList, DnsLength, ErrorPolicy, Hyphens, Uts46};
use thiserror::Error;

use crate::hostname::{Fault, MAX_HOSTNAME_LENGTH, MAX_LABEL_LENGTH, valid_hostname};
use crate::shown::Shown;

/// Why a domain name could not be converted; `Display` is the text of Postfix's warning.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("midna_domain_to_{}_create: Problem translating domain \"{}\" to {} form: {why}",
    .to.function(), Shown(.name), .to.shown(.why))]
pub struct IdnFault {
    to: Form,
    name: Vec<u8>,
    why: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Ascii,
    Utf8,
}

impl Form {
    fn function(self) -> &'static str {
        match self {
            Form::Ascii => "ascii",
            Form::Utf8 => "utf8",
        }
    }

    fn shown(self, why: &str) -> &'static str {
        match self {
            Form::Ascii => "ASCII",
            // COMPAT: Postfix writes it both ways.
            Form::Utf8 if why == MALFORMED => "UTF-8",
            Form::Utf8 => "UTF8",
        }
    }
}

const MALFORMED: &str = "malformed UTF-8";

/// A domain name in ASCII form (A-labels), in lower case.
pub fn to_ascii(name: &[u8]) -> Result<String, IdnFault> {
    let fault = |why| IdnFault { to: Form::Ascii, name: name.to_vec(), why };
    let text = std::str::from_utf8(name).map_err(|_| fault(MALFORMED))?;
    if let Some(why) = length_problem(name) {
        return Err(fault(why));
    }
    let converted = Uts46::new()
        .to_ascii(name, AsciiDenyList::EMPTY, Hyphens::CheckFirstLast, DnsLength::Ignore)
        .map_err(|_| fault(reason(text)))?;
    if let Some(why) = length_problem(converted.as_bytes()) {
        return Err(fault(why));
    }
    if valid_hostname(converted.as_bytes()).is_err() {
        return Err(fault("malformed ASCII label(s)"));
    }
    Ok(converted.into_owned())
}

/// A domain name in UTF-8 form (U-labels), in lower case. The result was also checked in ASCII
/// form, and a fault may be about that.
pub fn to_utf8(name: &[u8]) -> Result<String, IdnFault> {
    let fault = |why| IdnFault { to: Form::Utf8, name: name.to_vec(), why };
    let text = std::str::from_utf8(name).map_err(|_| fault(MALFORMED))?;
    let (converted, outcome) = Uts46::new().to_unicode(name, AsciiDenyList::EMPTY, Hyphens::CheckFirstLast);
    if outcome.is_err() || converted.is_empty() {
        return Err(fault(reason(text)));
    }
    to_ascii(converted.as_bytes())?;
    Ok(converted.into_owned())
}

/// [`to_ascii`] for a parent domain: a name that begins with a dot.
pub fn suffix_to_ascii(suffix: &[u8]) -> Result<String, IdnFault> {
    to_ascii(&[b"x", suffix].concat()).map(|name| name[1..].to_string())
}

/// [`to_utf8`] for a parent domain: a name that begins with a dot.
pub fn suffix_to_utf8(suffix: &[u8]) -> Result<String, IdnFault> {
    to_utf8(&[b"x", suffix].concat()).map(|name| name[1..].to_string())
}

/// What is wrong with a name that may be internationalised.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HostnameFault<'a> {
    /// There is no name.
    #[error("valid_utf8_hostname: empty domain name")]
    Empty,
    /// It has no ASCII form; Postfix logs both texts, the conversion's first.
    #[error("valid_utf8_hostname: malformed UTF-8 domain name")]
    Malformed(IdnFault),
    /// It is ASCII and no host name.
    #[error("{0}")]
    Ascii(Fault<'a>),
}

/// [`valid_hostname`] for names that may be UTF-8.
pub fn valid_utf8_hostname(name: &[u8]) -> Result<(), HostnameFault<'_>> {
    if name.is_empty() {
        return Err(HostnameFault::Empty);
    }
    if name.is_ascii() {
        return valid_hostname(name).map_err(HostnameFault::Ascii);
    }
    to_ascii(name).map(|_| ()).map_err(HostnameFault::Malformed)
}

/// The name in ASCII form where it is not ASCII already and can be converted.
pub fn ascii_or_same(name: &[u8]) -> Cow<'_, [u8]> {
    if name.is_ascii() {
        return Cow::Borrowed(name);
    }
    to_ascii(name).map_or(Cow::Borrowed(name), |ascii| Cow::Owned(ascii.into_bytes()))
}

/// Lengths count in ASCII form only, and the root's dot does not count.
fn length_problem(name: &[u8]) -> Option<&'static str> {
    if !name.is_ascii() {
        return None;
    }
    let mut problem = None;
    let trimmed = name.strip_suffix(b".").unwrap_or(name);
    for label in trimmed.split(|&byte| byte == b'.') {
        if label.is_empty() {
            return Some("UIDNA_ERROR_EMPTY_LABEL");
        }
        if label.len() > MAX_LABEL_LENGTH {
            problem = Some("UIDNA_ERROR_LABEL_TOO_LONG");
        }
    }
    // 253 visible characters are 255 bytes on the wire.
    if problem.is_none() && trimmed.len() > MAX_HOSTNAME_LENGTH - 2 {
        problem = Some("UIDNA_ERROR_DOMAIN_NAME_TOO_LONG");
    }
    problem
}

/// The name of the error that ICU would report for a name that does not convert.
fn reason(name: &str) -> &'static str {
    let relaxed = Uts46::new().to_unicode(name.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow);
    for label in name.split(['.', '。', '．', '｡']) {
        let plain = !label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--"));
        if label.starts_with('-') {
            return "UIDNA_ERROR_LEADING_HYPHEN";
        }
        if label.ends_with('-') && plain {
            return "UIDNA_ERROR_TRAILING_HYPHEN";
        }
        if !plain {
            let (_, outcome) =
                Uts46::new().to_unicode(label.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow);
            if outcome.is_err() {
                return if idna::punycode::decode_to_string(&label[4..]).is_none() {
                    "UIDNA_ERROR_PUNYCODE"
                } else {
                    "UIDNA_ERROR_INVALID_ACE_LABEL"
                };
            }
        }
    }
    if relaxed.1.is_ok() {
        return "UIDNA_ERROR_EMPTY_LABEL";
    }
    match Uts46::new().process(
        name.as_bytes(),
        AsciiDenyList::EMPTY,
        Hyphens::Allow,
        ErrorPolicy::FailFast,
        |_, _, _| false,
        &mut String::new(),
        None,
    ) {
        Err(_) if name.chars().any(is_right_to_left) => "UIDNA_ERROR_BIDI",
        _ => "UIDNA_ERROR_DISALLOWED",
    }
}

fn is_right_to_left(ch: char) -> bool {
    matches!(ch, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}')
}
