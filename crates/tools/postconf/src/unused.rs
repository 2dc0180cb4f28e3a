//! Warnings about settings that have no effect, and about those that will have none.

use crate::print::Output;
use crate::registry::Registry;
use std::collections::BTreeSet;

/// Warns about main.cf; whether anything was deprecated.
pub(crate) fn flag_main(registry: &Registry, out: &mut Output) -> bool {
    flag(registry, out, "main.cf", registry.main.settings(), None)
}

/// Warns about the settings of every service; whether anything was deprecated.
pub(crate) fn flag_master(registry: &Registry, out: &mut Output) -> bool {
    let mut has_deprecated = false;
    for entry in &registry.entries {
        if let Some(settings) = registry.settings_of(entry) {
            let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            has_deprecated |= flag(registry, out, "master.cf", settings, entry.valid.as_ref());
        }
    }
    has_deprecated
}

fn flag<'a>(
    registry: &Registry,
    out: &mut Output,
    file: &str,
    settings: impl Iterator<Item = (&'a str, &'a str)>,
    valid: Option<&BTreeSet<String>>,
) -> bool {
    let place = format!("{}/{file}", registry.files.directory);
    let mut has_deprecated = false;
    let mut warnings = Vec::new();
    for (name, value) in settings {
        let is_known = registry.nodes.contains_key(name) || valid.is_some_and(|valid| valid.contains(name));
        let warning = match (is_known, alternative(name)) {
            (true, None) => continue,
            (false, None) => format!("{place}: unused parameter: {name}={value}"),
            (false, Some(instead)) => {
                has_deprecated = true;
                format!("{place}: support for parameter {name} has been removed; instead, {instead}")
            }
            (true, Some(instead)) => {
                has_deprecated = true;
                format!("{place}: support for parameter \"{name}\" will be removed; instead, {instead}")
            }
        };
        warnings.push((name, warning));
    }
    if warnings.is_empty() {
        return false;
    }
    warnings.sort();
    out.flush();
    warnings.iter().for_each(|(_, warning)| log::warning!("{warning}"));
    has_deprecated
}

/// What to do in place of setting a deprecated parameter.
pub(crate) fn alternative(name: &str) -> Option<String> {
    let (_, instead) = DEPRECATED.iter().find(|(deprecated, _)| *deprecated == name)?;
    Some(match *instead {
        "" => "do not specify".to_owned(),
        LEAVE => LEAVE.to_owned(),
        // COMPAT: Postfix forgot the verb here.
        "lmtp_tls_security_level" if name == "lmtp_enforce_tls" => instead.to_string(),
        parameter => format!("specify \"{parameter}\""),
    })
}

const LEAVE: &str = "do not specify (leave at default)";

/// Deprecated parameters and what replaces them.
const DEPRECATED: &[(&str, &str)] = &[
    ("disable_dns_lookups", "smtp_dns_support_level"),
    ("lmtp_use_tls", "lmtp_tls_security_level"),
    ("postscreen_use_tls", "postscreen_tls_security_level"),
    ("smtp_use_tls", "smtp_tls_security_level"),
    ("smtpd_use_tls", "smtpd_tls_security_level"),
    ("tlsproxy_client_use_tls", "tlsproxy_client_security_level"),
    ("tlsproxy_use_tls", "tlsproxy_tls_security_level"),
    ("lmtp_enforce_tls", "lmtp_tls_security_level"),
    ("postscreen_enforce_tls", "postscreen_tls_security_level"),
    ("smtp_enforce_tls", "smtp_tls_security_level"),
    ("smtpd_enforce_tls", "smtpd_tls_security_level"),
    ("tlsproxy_client_enforce_tls", "tlsproxy_client_security_level"),
    ("tlsproxy_enforce_tls", "tlsproxy_tls_security_level"),
    ("lmtp_tls_per_site", "lmtp_tls_policy_maps"),
    ("smtp_tls_per_site", "smtp_tls_policy_maps"),
    ("tlsproxy_client_per_site", "tlsproxy_client_policy_maps"),
    ("smtpd_tls_dh1024_param_file", LEAVE),
    ("smtpd_tls_eecdh_grade", LEAVE),
    ("deleted-test-only", ""),
    ("authorized_verp_clients", "smtpd_authorized_verp_clients"),
    ("fallback_relay", "smtp_fallback_relay"),
    ("lmtp_per_record_deadline", "lmtp_per_request_deadline"),
    ("lmtp_tls_enforce_peername", "lmtp_tls_security_level"),
    ("postscreen_blacklist_action", "postscreen_denylist_action"),
    ("postscreen_dnsbl_ttl", "postscreen_dnsbl_max_ttl"),
    ("postscreen_dnsbl_whitelist_threshold", "postscreen_dnsbl_allowlist_threshold"),
    ("postscreen_whitelist_interfaces", "postscreen_allowlist_interfaces"),
    ("smtpd_client_connection_limit_exceptions", "smtpd_client_event_limit_exceptions"),
    ("smtpd_per_record_deadline", "smtpd_per_request_deadline"),
    ("smtp_per_record_deadline", "smtp_per_request_deadline"),
    ("smtp_tls_enforce_peername", "smtp_tls_security_level"),
    ("tlsproxy_client_level", "tlsproxy_client_security_level"),
    ("tlsproxy_client_policy", "tlsproxy_client_policy_maps"),
    ("virtual_maps", "virtual_alias_maps"),
    ("lmtp_cname_overrides_servername", ""),
    ("smtp_cname_overrides_servername", ""),
];
