//! What cleanup(8) reads from main.cf, and what it makes of it once at its start.

use std::rc::Rc;
use std::time::Duration;

use bytes::NameMask;
use daemon::Fatal;
use message::header::HeaderTable;
use message::mime::{Limits, Options};
use table::address::Extension;
use table::{Env, Flags, ListFlags, Maps, StringList};

conf::param_set! {
    /// The parameters of cleanup(8).
    pub struct CleanupParams {
        always_add_missing_headers, always_bcc, body_checks, body_checks_size_limit, bounce_service_name,
        canonical_classes, canonical_maps, cleanup_replace_stray_cr_lf,
        delay_warning_time, detect_8bit_encoding_header, disable_mime_input_processing,
        disable_verp_bounces, duplicate_filter_limit, empty_address_recipient, enable_long_queue_ids,
        enable_original_recipient, force_mime_input_conversion, full_name_encoding_charset,
        header_address_token_limit, header_checks, header_from_format, header_size_limit,
        hopcount_limit, in_flow_delay, info_log_address_format, ipc_timeout, ipc_ttl, line_length_limit, masquerade_classes,
        masquerade_domains, masquerade_exceptions, message_drop_headers, message_reject_characters,
        message_size_limit, message_strip_characters, mime_boundary_length_limit, mime_header_checks,
        mime_nesting_limit, myhostname, nested_header_checks, non_empty_end_of_header_action, non_smtpd_milters,
        propagate_unmatched_extensions, queue_file_attribute_count_limit, queue_service_name, recipient_bcc_maps,
        recipient_canonical_classes, recipient_canonical_maps, remote_header_rewrite_domain,
        requiretls_enable, requiretls_esmtp_header, rewrite_service_name, sender_bcc_maps,
        sender_canonical_classes, sender_canonical_maps, smtputf8_enable, strict_7bit_headers,
        strict_8bitmime, strict_8bitmime_body, strict_mime_encoding_domain, tls_required_enable,
        trace_service_name, undisclosed_recipients_header, verp_delimiter_filter,
        virtual_alias_address_length_limit, virtual_alias_expansion_limit, virtual_alias_maps,
        virtual_alias_recursion_limit,
    }
}

/// Which addresses a transformation applies to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes(u32);

impl Classes {
    /// Envelope sender.
    pub const ENVELOPE_SENDER: Self = Self(1);
    /// Envelope recipient.
    pub const ENVELOPE_RECIPIENT: Self = Self(1 << 1);
    /// Sender addresses in headers.
    pub const HEADER_SENDER: Self = Self(1 << 2);
    /// Recipient addresses in headers.
    pub const HEADER_RECIPIENT: Self = Self(1 << 3);

    /// Whether `class` is among them.
    pub fn contains(self, class: Self) -> bool {
        self.0 & class.0 == class.0
    }
}

const SENDER_CLASSES: NameMask =
    NameMask(&[("envelope_sender", Classes::ENVELOPE_SENDER.0), ("header_sender", Classes::HEADER_SENDER.0)]);
const RECIPIENT_CLASSES: NameMask = NameMask(&[
    ("envelope_recipient", Classes::ENVELOPE_RECIPIENT.0),
    ("header_recipient", Classes::HEADER_RECIPIENT.0),
]);
const ALL_CLASSES: NameMask = NameMask(&[
    ("envelope_sender", Classes::ENVELOPE_SENDER.0),
    ("envelope_recipient", Classes::ENVELOPE_RECIPIENT.0),
    ("header_sender", Classes::HEADER_SENDER.0),
    ("header_recipient", Classes::HEADER_RECIPIENT.0),
]);

const PROPAGATE_CANONICAL: u32 = 1;
const PROPAGATE_VIRTUAL: u32 = 2;
const PROPAGATE: NameMask = NameMask(&[
    ("canonical", PROPAGATE_CANONICAL),
    ("virtual", PROPAGATE_VIRTUAL),
    ("alias", 4),
    ("forward", 8),
    ("include", 16),
    ("generic", 32),
]);

/// What is done about primary headers that do not end in an empty line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonEmptyEnd {
    /// The empty line is added.
    FixQuietly,
    /// And a header says so.
    AddHeader,
    /// The message is rejected.
    Reject,
}

/// The form of a From: header that is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromForm {
    /// `From: name <address>`.
    Standard,
    /// `From: address (name)`.
    Obsolete,
}

/// The form of addresses in log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogForm {
    /// Quoted as in SMTP.
    External,
    /// As in the queue file.
    Internal,
}

impl LogForm {
    /// The address in this form.
    pub fn address(self, address: &[u8]) -> Vec<u8> {
        match self {
            Self::External if !address.is_empty() => address::quote_822_local(address),
            _ => address.to_vec(),
        }
    }
}

/// A set of byte values.
#[derive(Clone)]
pub struct ByteSet(Box<[bool; 256]>);

impl ByteSet {
    /// The bytes of a parameter with C escapes; `None` when there are none.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = unescape(text.as_bytes());
        if bytes.is_empty() {
            return None;
        }
        let mut set = Box::new([false; 256]);
        for byte in bytes {
            set[usize::from(byte)] = true;
        }
        Some(Self(set))
    }

    /// Whether `byte` is in the set.
    pub fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }
}

/// The configuration in the form that processing needs.
pub struct Config {
    /// As read.
    pub params: CleanupParams,
    /// `canonical_classes`.
    pub canonical_classes: Classes,
    /// `sender_canonical_classes`.
    pub sender_canonical_classes: Classes,
    /// `recipient_canonical_classes`.
    pub recipient_canonical_classes: Classes,
    /// `masquerade_classes`.
    pub masquerade_classes: Classes,
    /// `masquerade_domains`, case folded.
    pub masquerade_domains: Vec<MasqueradeDomain>,
    /// For canonical maps.
    pub propagate_canonical: Extension,
    /// For virtual alias maps.
    pub propagate_virtual: Extension,
    /// `message_reject_characters`.
    pub reject_bytes: Option<ByteSet>,
    /// `message_strip_characters`.
    pub strip_bytes: Option<ByteSet>,
    /// `header_from_format`.
    pub from_form: FromForm,
    /// `non_empty_end_of_header_action`.
    pub non_empty_end: NonEmptyEnd,
    /// `info_log_address_format`.
    pub log_form: LogForm,
    /// Known and dropped headers.
    pub headers: Rc<HeaderTable>,
    /// For the MIME parser.
    pub limits: Limits,
    /// For the MIME parser, when content is inspected.
    pub filter_options: Options,
    /// For the MIME parser, always.
    pub mime_options: Options,
    /// `line_length_limit`.
    pub line_limit: usize,
    /// `message_size_limit`; 0 is none.
    pub size_limit: u64,
    /// Whether there are milters for this service, and therefore room for their changes in queue files.
    pub milters: bool,
}

/// An element of `masquerade_domains`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasqueradeDomain {
    /// The domain, case folded.
    pub name: Vec<u8>,
    /// Whether its subdomains are hidden, or (with `!`) left alone.
    pub hides: bool,
}

impl MasqueradeDomain {
    /// The elements of `masquerade_domains`.
    pub fn parse_list(text: &str) -> Vec<Self> {
        let elements = bytes::list::split(text, bytes::list::SEPARATORS).map(|element| {
            let name = element.trim_start_matches('!');
            let hides = (element.len() - name.len()) % 2 == 0;
            Self { name: address::casefold(name.as_bytes()), hides }
        });
        elements.filter(|element| !element.name.is_empty()).collect()
    }
}

impl Config {
    /// Checks and converts the parameters. Faults have Postfix's texts.
    pub fn new(params: CleanupParams) -> Result<Self, Fatal> {
        let classes = |name: &str, mask: NameMask, text: &str| mask_of(name, mask, text).map(Classes);
        let propagate =
            mask_of("propagate_unmatched_extensions", PROPAGATE, &params.propagate_unmatched_extensions)?;
        let extensions = |bit| if propagate & bit != 0 { Extension::Propagate } else { Extension::Drop };
        if params.disable_mime_input_processing && params.force_mime_input_conversion {
            return Err(Fatal::new(
                "do not specify both disable_mime_input_processing=yes and force_mime_input_conversion=yes",
            ));
        }
        let non_empty_end = match params.non_empty_end_of_header_action.as_str() {
            "fix_quietly" => NonEmptyEnd::FixQuietly,
            "add_header" => NonEmptyEnd::AddHeader,
            "reject" => NonEmptyEnd::Reject,
            other => return Err(Fatal::new(format!("bad non_empty_end_of_header_action value: '{other}'"))),
        };
        let from_form = match params.header_from_format.as_str() {
            "standard" => FromForm::Standard,
            "obsolete" => FromForm::Obsolete,
            other => return Err(Fatal::new(format!("invalid setting: \"header_from_format = {other}\""))),
        };
        let log_form = match params.info_log_address_format.as_str() {
            "external" => LogForm::External,
            "internal" => LogForm::Internal,
            other => {
                return Err(Fatal::new(format!(
                    "invalid parameter setting \"info_log_address_format = {other}\""
                )));
            }
        };
        let (mime_options, filter_options) = mime_options(&params, non_empty_end);
        let milters = !params.non_smtpd_milters.trim().is_empty();
        Ok(Self {
            canonical_classes: classes("canonical_classes", ALL_CLASSES, &params.canonical_classes)?,
            sender_canonical_classes: classes(
                "canonical_classes",
                SENDER_CLASSES,
                &params.sender_canonical_classes,
            )?,
            recipient_canonical_classes: classes(
                "canonical_classes",
                RECIPIENT_CLASSES,
                &params.recipient_canonical_classes,
            )?,
            masquerade_classes: classes("masquerade_classes", ALL_CLASSES, &params.masquerade_classes)?,
            masquerade_domains: MasqueradeDomain::parse_list(&params.masquerade_domains),
            propagate_canonical: extensions(PROPAGATE_CANONICAL),
            propagate_virtual: extensions(PROPAGATE_VIRTUAL),
            reject_bytes: ByteSet::parse(&params.message_reject_characters),
            strip_bytes: ByteSet::parse(&params.message_strip_characters),
            from_form,
            non_empty_end,
            log_form,
            headers: Rc::new(HeaderTable::new(&params.message_drop_headers)),
            limits: Limits {
                header_size: header_limit(&params, milters),
                nesting: count(params.mime_nesting_limit),
                boundary_length: count(params.mime_boundary_length_limit),
            },
            filter_options,
            mime_options,
            line_limit: count(params.line_length_limit).max(1),
            size_limit: u64::try_from(params.message_size_limit).unwrap_or(0),
            milters,
            params,
        })
    }

    /// `delay_warning_time`, when there is to be a warning.
    pub fn delay_warning(&self) -> Option<Duration> {
        Some(self.params.delay_warning_time).filter(|time| !time.is_zero())
    }
}

/// A limit that the registry has already bounded from below.
pub(crate) fn count(value: i64) -> usize {
    usize::try_from(value).unwrap_or(0)
}

// Longer headers would not fit into a request to a milter.
fn header_limit(params: &CleanupParams, milters: bool) -> usize {
    let limit = count(params.header_size_limit);
    if milters { limit.min(60_000) } else { limit }
}

fn mime_options(params: &CleanupParams, non_empty_end: NonEmptyEnd) -> (Options, Options) {
    if params.disable_mime_input_processing {
        return (Options::DISABLE_MIME, Options::NONE);
    }
    let always = if params.force_mime_input_conversion { Options::DOWNGRADE } else { Options::NONE };
    let mut filter = Options::NONE;
    let strict_headers = params.strict_8bitmime || params.strict_7bit_headers;
    let strict_body = params.strict_8bitmime || params.strict_8bitmime_body;
    let has_checks = [&params.header_checks, &params.mime_header_checks, &params.nested_header_checks]
        .into_iter()
        .any(|checks| !checks.is_empty());
    for (wanted, option) in [
        (strict_headers, Options::REPORT_8BIT_HEADER),
        (strict_body, Options::REPORT_8BIT_BODY),
        (params.strict_mime_encoding_domain, Options::REPORT_ENCODING_DOMAIN),
        (non_empty_end != NonEmptyEnd::FixQuietly, Options::REPORT_NON_EMPTY_END),
        (
            strict_headers || strict_body || params.strict_mime_encoding_domain || has_checks,
            Options::REPORT_NESTING,
        ),
    ] {
        if wanted {
            filter |= option;
        }
    }
    (always, filter)
}

fn mask_of(name: &str, mask: NameMask, text: &str) -> Result<u32, Fatal> {
    mask.parse(text)
        .map_err(|unknown| Fatal::new(format!("unknown {name} value \"{}\" in \"{text}\"", unknown.0)))
}

/// C escapes, as in `message_reject_characters = \0`.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(escape) = rest.next() else { break };
        out.push(match escape {
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'0'..=b'7' => {
                let mut value = u32::from(escape - b'0');
                for _ in 0..2 {
                    let Some(digit) = rest.next_if(|digit| (b'0'..=b'7').contains(digit)) else { break };
                    value = value << 3 | u32::from(digit - b'0');
                }
                value as u8
            }
            other => other,
        });
    }
    out
}

/// The lookup tables, opened before the process is confined.
pub struct Tables {
    /// `canonical_maps`.
    pub canonical: Option<Maps>,
    /// `sender_canonical_maps`.
    pub sender_canonical: Option<Maps>,
    /// `recipient_canonical_maps`.
    pub recipient_canonical: Option<Maps>,
    /// `virtual_alias_maps`.
    pub virtual_alias: Option<Maps>,
    /// `sender_bcc_maps`.
    pub sender_bcc: Option<Maps>,
    /// `recipient_bcc_maps`.
    pub recipient_bcc: Option<Maps>,
    /// `header_checks`.
    pub header_checks: Option<Maps>,
    /// `mime_header_checks`.
    pub mime_header_checks: Option<Maps>,
    /// `nested_header_checks`.
    pub nested_header_checks: Option<Maps>,
    /// `body_checks`.
    pub body_checks: Option<Maps>,
    /// `masquerade_exceptions`.
    pub masquerade_exceptions: Option<StringList>,
}

impl Tables {
    /// Opens what the parameters name.
    pub fn open(params: &CleanupParams, env: &Rc<Env>) -> Self {
        let open = |title: &str, specs: &str, flags| {
            let is_set = bytes::list::split(specs, bytes::list::SEPARATORS).next().is_some();
            is_set.then(|| Maps::open(title, specs, env, flags))
        };
        let addresses = |title, specs| open(title, specs, Flags::LOOKUP);
        let checks = |title, specs| open(title, specs, Flags::LOCK);
        let exceptions = &params.masquerade_exceptions;
        Self {
            canonical: addresses("canonical_maps", &params.canonical_maps),
            sender_canonical: addresses("sender_canonical_maps", &params.sender_canonical_maps),
            recipient_canonical: addresses("recipient_canonical_maps", &params.recipient_canonical_maps),
            virtual_alias: addresses("virtual_alias_maps", &params.virtual_alias_maps),
            sender_bcc: addresses("sender_bcc_maps", &params.sender_bcc_maps),
            recipient_bcc: addresses("recipient_bcc_maps", &params.recipient_bcc_maps),
            header_checks: checks("header_checks", &params.header_checks),
            mime_header_checks: checks("mime_header_checks", &params.mime_header_checks),
            nested_header_checks: checks("nested_header_checks", &params.nested_header_checks),
            body_checks: checks("body_checks", &params.body_checks),
            masquerade_exceptions: (!exceptions.is_empty())
                .then(|| StringList::open("masquerade_exceptions", exceptions, env, ListFlags::Exact)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(unescape(br"\0a\r\n\101\x"), b"\0a\r\nAx");
        assert!(ByteSet::parse("").is_none());
        assert!(ByteSet::parse(r"\0").is_some_and(|set| set.contains(0) && !set.contains(b'0')));
    }

    #[test]
    fn masquerade_elements() {
        let list = MasqueradeDomain::parse_list("!A.b, c !");
        assert_eq!(list.len(), 2);
        assert_eq!(list.first(), Some(&MasqueradeDomain { name: b"a.b".to_vec(), hides: false }));
        assert!(list.get(1).is_some_and(|domain| domain.hides));
    }
}
