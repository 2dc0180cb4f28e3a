//! Access control of the SMTP server: restriction lists and what they use.

params! {
    /// Relay mail with sender-specified routing (`user@elsewhere@here`) from strangers. When off, that way around
    /// relay control is closed.
    allow_untrusted_routing: Bool = "no";

    /// Reply to clients that a DNS list names, with `$rbl_...` values.
    default_rbl_reply: Raw = "$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using \
        $rbl_domain${rbl_reason?; $rbl_reason}", min 1;

    /// Clients whose incomplete headers are completed with this system's domain.
    local_header_rewrite_clients: Str = "permit_inet_interfaces";

    /// DNS lists for `reject_maps_rbl`. Obsolete.
    maps_rbl_domains: Str = "";

    /// Networks of primary MX hosts for which `permit_mx_backup` accepts mail.
    permit_mx_backup_networks: Str = "";

    /// Tables by DNS list of replies in place of `default_rbl_reply`.
    rbl_reply_maps: Str = "";

    /// What reject restrictions do on a temporary error: `defer_if_permit`, `defer`, and others.
    reject_tempfail_action: Str = "defer_if_permit", min 1;

    /// Table of fingerprints of client certificates or keys for `permit_tls_clientcerts`.
    relay_clientcerts: Str = "";

    /// Tables of all valid recipients in `relay_domains`. Empty accepts every recipient there.
    relay_recipient_maps: Str = "";

    /// Restrictions on the client as it connects.
    smtpd_client_restrictions: Str = "";

    /// Restrictions at DATA.
    smtpd_data_restrictions: Str = "";

    /// Start a queue file only when there is a valid recipient.
    smtpd_delay_open_until_valid_rcpt: Bool = "yes";

    /// Wait until RCPT TO before a client, HELO or sender restriction takes effect.
    smtpd_delay_reject: Bool = "yes";

    /// Restrictions at the end of the message.
    smtpd_end_of_data_restrictions: Str = "";

    /// Restrictions at ETRN.
    smtpd_etrn_restrictions: Str = "";

    /// Characters that may appear in values expanded into reply templates; others become underscores.
    smtpd_expansion_filter: Raw = "\\t\\40!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\\\]^_`abcdefghijklmnopqrstuvwxyz{|}~", min 1;

    /// Require HELO or EHLO before MAIL FROM.
    smtpd_helo_required: Bool = "no";

    /// Restrictions at HELO or EHLO.
    smtpd_helo_restrictions: Str = "";

    /// Restrictions whose permit results are logged too.
    smtpd_log_access_permit_actions: Str = "";

    /// Key that stands for the null sender in access tables.
    smtpd_null_access_lookup_key: Str = "<>";

    /// What to do when a policy service fails.
    smtpd_policy_service_default_action: Str = "451 4.3.5 Server configuration problem", min 1;

    /// How long an idle connection to a policy service is kept.
    smtpd_policy_service_max_idle: Time = "300s", min 1;

    /// How long a connection to a policy service may be used.
    smtpd_policy_service_max_ttl: Time = "1000s", min 1;

    /// Value of the attribute `policy_context` sent to policy services.
    smtpd_policy_service_policy_context: Str = "";

    /// How many requests one connection to a policy service may carry; zero for no limit.
    smtpd_policy_service_request_limit: Int = "0";

    /// Pause before a failed request to a policy service is repeated.
    smtpd_policy_service_retry_delay: Time = "1s", min 1;

    /// Time limit for connecting to a policy service, and for each exchange with it.
    smtpd_policy_service_timeout: Time = "100s", min 1;

    /// How often a request to a policy service is tried.
    smtpd_policy_service_try_limit: Int = "2", min 1;

    /// Restrictions at RCPT TO, after `smtpd_relay_restrictions`.
    smtpd_recipient_restrictions: Str = "";

    /// Reject recipients that no table of valid recipients has, even without a restriction that says so.
    smtpd_reject_unlisted_recipient: Bool = "yes";

    /// Reject senders of our own domains that no table of valid recipients has.
    smtpd_reject_unlisted_sender: Bool = "no";

    /// Check `smtpd_relay_restrictions` before `smtpd_recipient_restrictions`; otherwise after.
    smtpd_relay_before_recipient_restrictions: Nbool = "${{$compatibility_level} <level {3.6} ? {no} : {yes}}";

    /// Restrictions on relaying at RCPT TO. Either this list or `smtpd_recipient_restrictions` must keep
    /// strangers out.
    smtpd_relay_restrictions: Str = "${{$compatibility_level} <level {1} ? {} : {permit_mynetworks, \
        permit_sasl_authenticated, defer_unauth_destination}}";

    /// Names of parameters that hold restriction lists of their own, for use in tables and lists.
    smtpd_restriction_classes: Str = "";

    /// Tables of the logins that own a sender address, for `reject_sender_login_mismatch` and its kin.
    smtpd_sender_login_maps: Str = "";

    /// Restrictions at MAIL FROM.
    smtpd_sender_restrictions: Str = "";

    /// Require angle brackets around envelope addresses, without comments or phrases.
    strict_rfc821_envelopes: Bool = "no";

    /// What `reject_unknown_sender_domain` and its like do on a temporary DNS error.
    unknown_address_tempfail_action: Str = "$reject_tempfail_action", min 1;

    /// What `reject_unknown_helo_hostname` does on a temporary DNS error.
    unknown_helo_hostname_tempfail_action: Str = "$reject_tempfail_action", min 1;
}
