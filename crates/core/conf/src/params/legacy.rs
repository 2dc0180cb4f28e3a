//! Earlier names that are still honoured, though no longer declared.
//!
//! Each stands in the default of the parameter that replaced it, so that setting the earlier name works as
//! long as the later one is not set. They have no default and `postconf -d` does not show them; `postconf`
//! must not call them unused either.

/// An earlier name, and the parameter whose default mentions it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Legacy {
    /// The name in older configurations.
    pub name: &'static str,
    /// The declared parameter that took its place.
    pub successor: &'static str,
}

/// Every earlier name, sorted.
pub static NAMES: &[Legacy] = &[
    legacy("authorized_verp_clients", "smtpd_authorized_verp_clients"),
    legacy("fallback_relay", "smtp_fallback_relay"),
    legacy("lmtp_per_record_deadline", "lmtp_per_request_deadline"),
    legacy("postscreen_blacklist_action", "postscreen_denylist_action"),
    legacy("postscreen_dnsbl_ttl", "postscreen_dnsbl_max_ttl"),
    legacy("postscreen_dnsbl_whitelist_threshold", "postscreen_dnsbl_allowlist_threshold"),
    legacy("postscreen_whitelist_interfaces", "postscreen_allowlist_interfaces"),
    legacy("smtp_per_record_deadline", "smtp_per_request_deadline"),
    legacy("smtpd_client_connection_limit_exceptions", "smtpd_client_event_limit_exceptions"),
    legacy("smtpd_per_record_deadline", "smtpd_per_request_deadline"),
    legacy("tlsproxy_client_level", "tlsproxy_client_security_level"),
    legacy("tlsproxy_client_policy", "tlsproxy_client_policy_maps"),
    legacy("virtual_maps", "virtual_alias_maps"),
];

const fn legacy(name: &'static str, successor: &'static str) -> Legacy {
    Legacy { name, successor }
}
