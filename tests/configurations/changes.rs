//! Everything that is otherwise in Postfix 3.11 than in Debian's 3.7, and shows in what `postconf` says.
//!
//! What stands here is taken out of the answers before they are compared, each side's own. An entry that takes nothing out
//! of any answer is reported: the list says no more than is true.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use harness::Package;
use regex::Regex;

use crate::answer::Answer;
use crate::commands::Shown;

/// Parameters: name; default in 3.7, default in 3.11, where they have one; why.
const PARAMETERS: &[(&str, Option<&str>, Option<&str>, &str)] = &[
    (
        "address_verify_map",
        Some("btree:$data_directory/verify_cache"),
        Some("$default_cache_db_type:$data_directory/verify_cache"),
        "3.11 names the type of such tables once",
    ),
    (
        "postscreen_cache_map",
        Some("btree:$data_directory/postscreen_cache"),
        Some("$default_cache_db_type:$data_directory/postscreen_cache"),
        "3.11 names the type of such tables once",
    ),
    (
        "alias_database",
        Some("hash:/etc/aliases"),
        Some("$default_database_type:/etc/aliases"),
        "3.11 names the type of such tables once",
    ),
    ("default_cache_db_type", None, Some("btree"), "3.11 names the type of such tables once"),
    (
        "alias_maps",
        Some("hash:/etc/aliases, nis:mail.aliases"),
        Some("$default_database_type:/etc/aliases"),
        "3.11 names the type of such tables once; there is no NIS",
    ),
    ("allow_srv_lookup_fallback", None, Some("no"), "new in 3.8: SRV records"),
    ("ignore_srv_lookup_error", None, Some("no"), "new in 3.8: SRV records"),
    ("use_srv_lookup", None, Some(""), "new in 3.8: SRV records"),
    ("smtpd_client_ipv4_prefix_length", None, Some("32"), "new in 3.8"),
    ("smtpd_client_ipv6_prefix_length", None, Some("84"), "new in 3.8"),
    (
        "tls_eecdh_auto_curves",
        Some("X25519 X448 prime256v1 secp521r1 secp384r1"),
        Some("?X25519MLKEM768:DEFAULT"),
        "new in 3.8; the key exchange is the TLS library's affair since OpenSSL 3.5",
    ),
    (
        "tls_ffdhe_auto_groups",
        None,
        Some(""),
        "new in 3.8; the key exchange is the TLS library's affair since OpenSSL 3.5",
    ),
    (
        "tls_export_cipherlist",
        Some("aNULL:-aNULL:HIGH:MEDIUM:LOW:EXPORT:+RC4:@STRENGTH"),
        Some(""),
        "3.8 has no export and low ciphers",
    ),
    (
        "tls_low_cipherlist",
        Some("aNULL:-aNULL:HIGH:MEDIUM:LOW:+RC4:@STRENGTH"),
        Some(""),
        "3.8 has no export and low ciphers",
    ),
    (
        "tls_high_cipherlist",
        Some("aNULL:-aNULL:HIGH:@STRENGTH"),
        Some("aNULL:-aNULL:HIGH:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:@STRENGTH"),
        "3.8 leaves more old ciphers out",
    ),
    (
        "tls_medium_cipherlist",
        Some("aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH"),
        Some(
            "aNULL:-aNULL:HIGH:MEDIUM:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:+RC4:@STRENGTH",
        ),
        "3.8 leaves more old ciphers out",
    ),
    (
        "tls_null_cipherlist",
        Some("eNULL:!aNULL"),
        Some("eNULL:!kDH:!kECDH:!aDSS:!MD5:!aNULL"),
        "3.8 leaves more old ciphers out",
    ),
    ("tls_legacy_public_key_fingerprints", Some("no"), None, "gone in 3.8"),
    ("force_mime_input_conversion", None, Some("no"), "new in 3.9"),
    ("maillog_file_permissions", None, Some("0600"), "new in 3.9"),
    ("smtp_sasl_password_result_delimiter", None, Some(":"), "new in 3.9"),
    ("lmtp_sasl_password_result_delimiter", None, Some(":"), "new in 3.9"),
    ("smtp_tls_enable_rpk", None, Some("no"), "new in 3.9: raw public keys"),
    ("lmtp_tls_enable_rpk", None, Some("no"), "new in 3.9: raw public keys"),
    ("smtpd_tls_enable_rpk", None, Some("no"), "new in 3.9: raw public keys"),
    ("tlsproxy_tls_enable_rpk", None, Some("$smtpd_tls_enable_rpk"), "new in 3.9: raw public keys"),
    ("smtpd_forbid_bare_newline", Some("no"), Some("normalize"), "3.9 refuses more of what smuggles mail"),
    ("smtpd_forbid_unauth_pipelining", Some("no"), Some("yes"), "3.9 refuses more of what smuggles mail"),
    ("full_name_encoding_charset", None, Some("utf-8"), "new in 3.10"),
    ("smtpd_hide_client_session", None, Some("no"), "new in 3.10"),
    ("socketmap_max_reply_size", None, Some("100000"), "new in 3.10"),
    ("tls_required_enable", None, Some("yes"), "new in 3.10"),
    ("smtp_tls_enforce_sts_mx_patterns", None, Some("yes"), "new in 3.10: MTA-STS and TLS reports"),
    ("lmtp_tls_enforce_sts_mx_patterns", None, Some("yes"), "new in 3.10: MTA-STS and TLS reports"),
    ("smtp_tlsrpt_enable", None, Some("no"), "new in 3.10: MTA-STS and TLS reports"),
    ("lmtp_tlsrpt_enable", None, Some("no"), "new in 3.10: MTA-STS and TLS reports"),
    ("smtp_tlsrpt_socket_name", None, Some(""), "new in 3.10: MTA-STS and TLS reports"),
    ("lmtp_tlsrpt_socket_name", None, Some(""), "new in 3.10: MTA-STS and TLS reports"),
    ("smtp_tlsrpt_skip_reused_handshakes", None, Some("no"), "new in 3.10, with another default in 3.11"),
    ("lmtp_tlsrpt_skip_reused_handshakes", None, Some("no"), "new in 3.10, with another default in 3.11"),
    ("milter_default_action", Some("tempfail"), Some("shutdown"), "another default in 3.11"),
    (
        "smtp_tls_security_level",
        Some(""),
        Some("${{$compatibility_level} <level {3.11} ? {} : {may}}"),
        "another default in 3.11",
    ),
    (
        "import_environment",
        Some(
            "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY DISPLAY LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME",
        ),
        Some(
            "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY DISPLAY LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME XDG_RUNTIME_DIR",
        ),
        "3.11 knows one more",
    ),
    (
        "proxy_read_maps",
        Some(
            "$local_recipient_maps $mydestination $virtual_alias_maps $virtual_alias_domains $virtual_mailbox_maps $virtual_mailbox_domains $relay_recipient_maps $relay_domains $canonical_maps $sender_canonical_maps $recipient_canonical_maps $relocated_maps $transport_maps $mynetworks $smtpd_sender_login_maps $sender_bcc_maps $recipient_bcc_maps $smtp_generic_maps $lmtp_generic_maps $alias_maps $smtpd_client_restrictions $smtpd_helo_restrictions $smtpd_sender_restrictions $smtpd_relay_restrictions $smtpd_recipient_restrictions $address_verify_sender_dependent_default_transport_maps $address_verify_sender_dependent_relayhost_maps $address_verify_transport_maps $fallback_transport_maps $lmtp_discard_lhlo_keyword_address_maps $lmtp_pix_workaround_maps $lmtp_sasl_password_maps $lmtp_tls_policy_maps $mailbox_command_maps $mailbox_transport_maps $postscreen_discard_ehlo_keyword_address_maps $rbl_reply_maps $sender_dependent_default_transport_maps $sender_dependent_relayhost_maps $smtp_discard_ehlo_keyword_address_maps $smtp_pix_workaround_maps $smtp_sasl_password_maps $smtp_tls_policy_maps $smtpd_discard_ehlo_keyword_address_maps $smtpd_milter_maps $virtual_gid_maps $virtual_uid_maps $local_login_sender_maps $postscreen_reject_footer_maps $smtpd_reject_footer_maps $tls_server_sni_maps $tlsproxy_client_policy_maps $default_delivery_status_filter $lmtp_delivery_status_filter $lmtp_dns_reply_filter $lmtp_reply_filter $local_delivery_status_filter $pipe_delivery_status_filter $postscreen_command_filter $smtp_delivery_status_filter $smtp_dns_reply_filter $smtp_reply_filter $smtpd_command_filter $smtpd_dns_reply_filter $virtual_delivery_status_filter $body_checks $header_checks $lmtp_body_checks $lmtp_header_checks $lmtp_mime_header_checks $lmtp_nested_header_checks $milter_header_checks $mime_header_checks $nested_header_checks $smtp_body_checks $smtp_header_checks $smtp_mime_header_checks $smtp_nested_header_checks",
        ),
        Some(
            "$local_recipient_maps $mydestination $virtual_alias_maps $virtual_alias_domains $virtual_mailbox_maps $virtual_mailbox_domains $relay_recipient_maps $relay_domains $canonical_maps $sender_canonical_maps $recipient_canonical_maps $relocated_maps $transport_maps $mynetworks $smtpd_sender_login_maps $sender_bcc_maps $recipient_bcc_maps $smtp_generic_maps $lmtp_generic_maps $alias_maps $smtpd_client_restrictions $smtpd_helo_restrictions $smtpd_sender_restrictions $smtpd_relay_restrictions $smtpd_recipient_restrictions $address_verify_sender_dependent_default_transport_maps $address_verify_sender_dependent_relayhost_maps $address_verify_transport_maps $fallback_transport_maps $lmtp_discard_lhlo_keyword_address_maps $lmtp_pix_workaround_maps $lmtp_sasl_password_maps $lmtp_tls_policy_maps $mailbox_command_maps $mailbox_transport_maps $postscreen_discard_ehlo_keyword_address_maps $rbl_reply_maps $sender_dependent_default_transport_maps $sender_dependent_relayhost_maps $smtp_discard_ehlo_keyword_address_maps $smtp_pix_workaround_maps $smtp_sasl_password_maps $smtp_tls_policy_maps $smtpd_discard_ehlo_keyword_address_maps $smtpd_milter_maps $virtual_gid_maps $virtual_uid_maps $local_login_sender_maps $postscreen_reject_footer_maps $smtpd_reject_footer_maps $tls_server_sni_maps $tlsproxy_client_policy_maps $default_delivery_status_filter $lmtp_delivery_status_filter $lmtp_dns_reply_filter $lmtp_reply_filter $local_delivery_status_filter $pipe_delivery_status_filter $postscreen_command_filter $smtp_delivery_status_filter $smtp_dns_reply_filter $smtp_reply_filter $smtpd_command_filter $smtpd_dns_reply_filter $virtual_delivery_status_filter $body_checks $header_checks $lmtp_body_checks $lmtp_header_checks $lmtp_mime_header_checks $lmtp_nested_header_checks $milter_header_checks $mime_header_checks $nested_header_checks $smtp_body_checks $smtp_header_checks $smtp_mime_header_checks $smtp_nested_header_checks $smtpd_reject_filter_maps $debug_peer_list $smtpd_etrn_restrictions $fast_flush_domains $authorized_flush_users $lmtp_connection_cache_destinations $local_header_rewrite_clients $masquerade_exceptions $postscreen_access_list $postscreen_allowlist_interfaces $postscreen_forbidden_commands $qmqpd_authorized_clients $authorized_mailq_users $smtp_connection_cache_destinations $smtpd_log_access_permit_actions $smtpd_forbidden_commands $smtpd_client_event_limit_exceptions $smtpd_sasl_exceptions_networks $smtpd_sasl_mechanism_filter $smtp_requiretls_policy $smtp_sasl_mechanism_filter $authorized_submit_users $smtpd_authorized_verp_clients $smtpd_authorized_xclient_hosts $smtpd_authorized_xforward_hosts",
        ),
        "the list grows with every release",
    ),
    (
        "smtp_log_tls_feature_status",
        None,
        Some("${{$compatibility_level} <level {3.11} ? {no} : {yes}}"),
        "new in 3.11: a field of the log; here only from compatibility level 3.11 on",
    ),
    (
        "lmtp_log_tls_feature_status",
        None,
        Some("${{$compatibility_level} <level {3.11} ? {no} : {yes}}"),
        "new in 3.11: a field of the log; here only from compatibility level 3.11 on",
    ),
    ("non_bdb_custom_mapping", None, Some(""), "new in 3.11: migration from Berkeley DB"),
    (
        "non_bdb_migration_allow_root_prefixes",
        None,
        Some("/etc /usr/local/etc"),
        "new in 3.11: migration from Berkeley DB",
    ),
    (
        "non_bdb_migration_allow_user_prefixes",
        None,
        Some("$data_directory /var/lib/mailman /var/lib/mailman3"),
        "new in 3.11: migration from Berkeley DB",
    ),
    ("non_bdb_migration_level", None, Some("disable"), "new in 3.11: migration from Berkeley DB"),
    ("non_bdb_migration_log_redirect", None, Some("yes"), "new in 3.11: migration from Berkeley DB"),
    ("non_bdb_migration_service_name", None, Some("nbdb_reindex"), "new in 3.11: migration from Berkeley DB"),
    ("requiretls_enable", None, Some("yes"), "new in 3.11: REQUIRETLS"),
    ("requiretls_esmtp_header", None, Some("yes"), "new in 3.11: REQUIRETLS"),
    ("requiretls_redact_dsn", None, Some("yes"), "new in 3.11: REQUIRETLS"),
    (
        "smtp_requiretls_policy",
        None,
        Some(
            "inline:{{${domain_to_ascii{$mydomain}}=opportunistic}, {.${domain_to_ascii{$mydomain}}=opportunistic}, {localhost=opportunistic}}, cidr:{{0.0.0.0/0 opportunistic}, {::/0 opportunistic}}, enforce",
        ),
        "new in 3.11: REQUIRETLS",
    ),
    ("lmtp_requiretls_policy", None, Some("opportunistic"), "new in 3.11: REQUIRETLS"),
    ("non_empty_end_of_header_action", None, Some("fix_quietly"), "new in 3.11"),
    ("relocated_prefix_enable", None, Some("yes"), "new in 3.11"),
    ("smtpd_reject_filter_maps", None, Some(""), "new in 3.11"),
    ("mail_release_date", Some("20240304"), Some("20260809"), "another release"),
    ("mail_version", Some("3.7.11"), Some("3.11.6"), "another release"),
    (
        "service_name",
        Some(""),
        Some("amnesiac"),
        "later releases have a name for nobody in particular, and let it be set",
    ),
    (
        "smtp_tls_dane_insecure_mx_policy",
        Some("${{$smtp_tls_security_level} == {dane} ? {dane} : {may}}"),
        Some("dane"),
        "the same default written as an expression by Debian",
    ),
    (
        "tlsproxy_client_policy_maps",
        Some("${tlsproxy_client_policy:$smtp_tls_policy_maps}"),
        Some("${tlsproxy_client_policy?{$tlsproxy_client_policy}:{$smtp_tls_policy_maps}}"),
        "the same in other words",
    ),
    (
        "tlsproxy_client_security_level",
        Some("${tlsproxy_client_level:$smtp_tls_security_level}"),
        Some("${tlsproxy_client_level?{$tlsproxy_client_level}:{$smtp_tls_security_level}}"),
        "the same in other words",
    ),
];

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Output,
    Errors,
}

/// Other texts: where, in whose answers, pattern, replacement (a line of which nothing remains goes), and why.
const TEXTS: &[(Stream, Package, &str, &str, &str)] = &[
    (Stream::Output, Package::Ours, r"(process_id =) \d+$", "$1 PID", "of the moment"),
    (Stream::Output, Package::Reference, r"(process_id =) \d+$", "$1 PID", "of the moment"),
    (Stream::Output, Package::Ours, r"^(milter_macro_v = .*) 3\.11\.6$", "$1 V", "mail_version, expanded"),
    (
        Stream::Output,
        Package::Reference,
        r"^(milter_macro_v = .*) 3\.7\.11$",
        "$1 V",
        "mail_version, expanded",
    ),
    (
        Stream::Output,
        Package::Reference,
        r"^(.* hash:/etc/aliases), nis:mail.aliases$",
        "$1",
        "alias_maps, expanded",
    ),
    (
        Stream::Output,
        Package::Ours,
        r"^(three_(hosts|password|require_result_set|tls_verify_cert|user)|four_encoding)( = .*)?$",
        "",
        "3.11 looks behind debug:, and the clients of 3.7 know less",
    ),
    (
        Stream::Errors,
        Package::Reference,
        r"^.*: unused parameter: (three_(hosts|password|require_result_set|tls_verify_cert|user)|four_encoding)=.*$",
        "",
        "3.11 looks behind debug:, and the clients of 3.7 know less",
    ),
    (
        Stream::Errors,
        Package::Ours,
        r"^.*: support for parameter .*$",
        "",
        "3.9 and 3.11 warn about what will go",
    ),
    (
        Stream::Errors,
        Package::Ours,
        r"^.*: See https://www.postfix.org/DEPRECATION_README.*$",
        "",
        "the same",
    ),
    (
        Stream::Errors,
        Package::Reference,
        r"^.*: unused parameter: deleted-test-only=x$",
        "",
        "3.9 remembers names that are gone",
    ),
    (
        Stream::Errors,
        Package::Ours,
        r"^.*: #comment after other text is not allowed: .*$",
        "",
        "3.9 warns about comments in values",
    ),
    (
        Stream::Errors,
        Package::Ours,
        r"^(postconf: warning: )/etc/postfix/(main.cf: missing '\}')",
        "$1$2",
        "3.9 says where the file is",
    ),
    (Stream::Errors, Package::Ours, r"(usage: postconf) .*$", "$1", "later releases have more options"),
    (Stream::Errors, Package::Reference, r"(usage: postconf) .*$", "$1", "later releases have more options"),
    (Stream::Errors, Package::Ours, r"^(.*: specify one of -\S+), ", "$1 ", "3.11 puts commas into lists"),
];

/// The list, and which of it was needed.
#[derive(Debug)]
pub(crate) struct Changes {
    parameters: BTreeMap<&'static str, Parameter>,
    texts: Vec<Text>,
}

#[derive(Debug)]
struct Parameter {
    old: Side,
    new: Side,
}

/// What one system says about a parameter by default.
#[derive(Debug)]
struct Side {
    default: Option<&'static str>,
    is_used: Cell<bool>,
}

#[derive(Debug)]
struct Text {
    stream: Stream,
    package: Package,
    pattern: Regex,
    replacement: &'static str,
    is_used: Cell<bool>,
}

impl Changes {
    pub(crate) fn new() -> Changes {
        let side = |default| Side { default, is_used: Cell::new(false) };
        let parameters = PARAMETERS
            .iter()
            .map(|&(name, old, new, _)| (name, Parameter { old: side(old), new: side(new) }));
        let texts = TEXTS.iter().map(|&(stream, package, pattern, replacement, _)| Text {
            stream,
            package,
            pattern: Regex::new(pattern).expect("a pattern"),
            replacement,
            is_used: Cell::new(false),
        });
        Changes { parameters: parameters.collect(), texts: texts.collect() }
    }

    /// An answer without what is listed here. Of a value that is shown expanded, only the name is known; what the other
    /// system says too is left alone.
    pub(crate) fn apply(&self, package: Package, answer: &Answer, other: &Answer, shown: Shown) -> Answer {
        let others: BTreeSet<&[String]> = logical_lines(&other.output).collect();
        let mut output = Vec::new();
        for lines in logical_lines(&answer.output) {
            if others.contains(lines) {
                output.extend_from_slice(lines);
            } else if !self.is_default(package, lines, shown) {
                output.extend(lines.iter().filter_map(|line| self.replace(Stream::Output, package, line)));
            }
        }
        let errors = answer
            .errors
            .iter()
            .filter(|line| !self.is_about_unknown(package, line))
            .filter_map(|line| match other.errors.contains(line) {
                true => Some(line.clone()),
                false => self.replace(Stream::Errors, package, line),
            })
            .collect();
        let mut answer = Answer { output, errors, status: answer.status };
        answer.errors.sort();
        answer
    }

    /// What was of no use.
    pub(crate) fn unused(&self) -> Vec<String> {
        let mut list = Vec::new();
        for (name, parameter) in &self.parameters {
            for (side, package) in [(&parameter.old, "the reference"), (&parameter.new, "ours")] {
                if side.default.is_some() && !side.is_used.get() {
                    list.push(format!("{name} of {package} is not what the list says"));
                }
            }
        }
        let unused = self.texts.iter().filter(|text| !text.is_used.get());
        list.extend(
            unused
                .map(|text| format!("nothing like {:?}, {:?}: {}", text.stream, text.package, text.pattern)),
        );
        list
    }

    /// Whether a line shows a parameter that is listed, with its default.
    fn is_default(&self, package: Package, lines: &[String], shown: Shown) -> bool {
        let text: Vec<&str> = lines.iter().map(|line| line.trim_start()).collect();
        let text = text.join(" ");
        let (name, value) = match text.split_once(" =") {
            Some((name, value)) => (name, Some(value.trim_start())),
            None => (text.as_str(), None),
        };
        let Some(parameter) = self.parameters.get(name) else { return false };
        let (side, other) = parameter.sides(package);
        let Some(default) = side.default else { return false };
        let is_default = match value {
            // Names alone.
            None => other.default.is_none(),
            Some(_) if shown == Shown::Expanded => true,
            Some(value) => {
                let is_default = value == default;
                side.is_used.set(side.is_used.get() || is_default);
                is_default
            }
        };
        is_default
    }

    /// Whether a line warns about a parameter that the other system does know.
    fn is_about_unknown(&self, package: Package, line: &str) -> bool {
        let Some((_, setting)) = line.split_once(": unused parameter: ") else { return false };
        let name = setting.split('=').next().unwrap_or_default();
        self.parameters.get(name).is_some_and(|parameter| parameter.sides(package).0.default.is_none())
    }

    /// A line after all replacements; nothing when nothing remains.
    fn replace(&self, stream: Stream, package: Package, line: &str) -> Option<String> {
        let mut line = line.to_owned();
        for text in self.texts.iter().filter(|text| text.stream == stream && text.package == package) {
            // Lists grow shorter by one at a time.
            while text.pattern.is_match(&line) {
                text.is_used.set(true);
                let replaced = text.pattern.replace(&line, text.replacement).into_owned();
                if replaced.is_empty() {
                    return None;
                }
                if replaced == line {
                    break;
                }
                line = replaced;
            }
        }
        Some(line)
    }
}

impl Parameter {
    /// This system's and the other's.
    fn sides(&self, package: Package) -> (&Side, &Side) {
        match package {
            Package::Ours => (&self.new, &self.old),
            Package::Reference => (&self.old, &self.new),
        }
    }
}

/// Lines with those that continue them.
fn logical_lines(lines: &[String]) -> impl Iterator<Item = &[String]> {
    lines.chunk_by(|_, next| next.starts_with("    "))
}
