//! The SMTP client: destinations, sessions, timeouts.

params! {
    /// Go on with MX or address records when no SRV record was found.
    allow_srv_lookup_fallback: Bool = "no";

    /// Transport for mail when this host turns out to be the best MX for a destination. Empty calls that a loop.
    best_mx_transport: Str = "";

    /// Go on with MX or address records when looking up SRV records failed.
    ignore_srv_lookup_error: Bool = "no";

    /// Which addresses of equal MX preference to try first: `any`, `ipv4`, or `ipv6`.
    smtp_address_preference: Str = "any", min 1;

    /// Say EHLO even when the server's greeting does not mention ESMTP.
    smtp_always_send_ehlo: Bool = "yes";

    /// See that IPv4 and IPv6 addresses are both among those tried, in spite of `smtp_mx_address_limit`.
    smtp_balance_inet_protocols: Bool = "yes";

    /// Local IPv4 address from which to connect.
    smtp_bind_address: Str = "";

    /// Local IPv6 address from which to connect.
    smtp_bind_address6: Str = "";

    /// Wait with mail when `smtp_bind_address` or `smtp_bind_address6` cannot be used, rather than use another
    /// one.
    smtp_bind_address_enforce: Bool = "no";

    /// `body_checks` of the SMTP client, with a smaller set of actions.
    smtp_body_checks: Str = "";

    /// Use the name that a CNAME record points to for logging, SASL password and TLS policy lookups.
    smtp_cname_overrides_servername: Bool = "no";

    /// Time limit for making a connection; zero leaves it to the system.
    smtp_connect_timeout: Time = "30s";

    /// Destinations for which open connections are always kept for reuse.
    smtp_connection_cache_destinations: Str = "";

    /// Keep open connections for reuse while there is much mail for a destination.
    smtp_connection_cache_on_demand: Bool = "yes";

    /// How long an unused connection is kept open for reuse.
    smtp_connection_cache_time_limit: Time = "2s", min 1;

    /// How often a connection is reused; zero for no limit.
    smtp_connection_reuse_count_limit: Int = "0";

    /// How long a connection is used, counted from its making.
    smtp_connection_reuse_time_limit: Time = "300s", min 1;

    /// Time limit for sending the final dot and for the server's answer.
    smtp_data_done_timeout: Time = "600s", min 1;

    /// Time limit for sending DATA and for the server's answer.
    smtp_data_init_timeout: Time = "120s", min 1;

    /// Time limit for sending a piece of message content.
    smtp_data_xfer_timeout: Time = "180s", min 1;

    /// Wait with mail when none of a domain's MX names has an address; otherwise it is returned.
    smtp_defer_if_no_mx_address_found: Bool = "no";

    /// Tables by server address of EHLO keywords to ignore in its answer.
    smtp_discard_ehlo_keyword_address_maps: Str = "";

    /// EHLO keywords to ignore in every server's answer.
    smtp_discard_ehlo_keywords: Str = "";

    /// Table that changes or drops DNS answers before the client uses them.
    smtp_dns_reply_filter: Str = "";

    /// Resolver options: `res_defnames`, `res_dnsrch`.
    smtp_dns_resolver_options: Str = "";

    /// Use of the DNS: `disabled`, `enabled`, or `dnssec`. Empty follows `disable_dns_lookups`.
    smtp_dns_support_level: Str = "";

    /// Hosts to try when a destination cannot be found or reached.
    smtp_fallback_relay: Str = "$fallback_relay";

    /// Tables that replace local addresses by valid Internet addresses when mail leaves by SMTP.
    smtp_generic_maps: Str = "";

    /// `header_checks` of the SMTP client, with a smaller set of actions.
    smtp_header_checks: Str = "";

    /// Name to give in HELO or EHLO.
    smtp_helo_name: Str = "$myhostname", min 1;

    /// Time limit for sending HELO or EHLO and for the server's answer, and for its greeting.
    smtp_helo_timeout: Time = "300s", min 1;

    /// How addresses of host names are found: `dns`, `native`, or both in that order.
    smtp_host_lookup: Str = "dns", min 1;

    /// Longest line to send, in bytes; longer ones are broken. Zero for no limit.
    smtp_line_length_limit: Int = "998";

    /// Show in delivery log lines how TLS and related features were used (`tls=...`).
    smtp_log_tls_feature_status: Nbool = "${{$compatibility_level} <level {3.11} ? {no} : {yes}}";

    /// Time limit for sending MAIL FROM and for the server's answer.
    smtp_mail_timeout: Time = "300s", min 1;

    /// `mime_header_checks` of the SMTP client.
    smtp_mime_header_checks: Str = "";

    /// Lowest rate, in bytes per second, that `smtp_per_request_deadline` expects.
    smtp_min_data_rate: Int = "500", min 1;

    /// How many addresses of MX hosts are tried in one delivery; zero for no limit.
    smtp_mx_address_limit: Int = "5";

    /// How many SMTP sessions one delivery may make before it waits; zero for no limit.
    smtp_mx_session_limit: Int = "2";

    /// `nested_header_checks` of the SMTP client.
    smtp_nested_header_checks: Str = "";

    /// Always say HELO.
    smtp_never_send_ehlo: Bool = "no";

    /// Make time limits apply to a whole command and answer, and not to each read or write.
    smtp_per_request_deadline: Nbool = "${smtp_per_record_deadline?{$smtp_per_record_deadline}:{no}}";

    /// Pause before the final dot for servers behind an old PIX firewall.
    smtp_pix_workaround_delay_time: Time = "10s", min 1;

    /// Tables by server address of workarounds for PIX firewalls.
    smtp_pix_workaround_maps: Str = "";

    /// Age of a message from which workarounds for PIX firewalls are used.
    smtp_pix_workaround_threshold_time: Time = "500s";

    /// Workarounds for PIX firewalls: `disable_esmtp`, `delay_dotcrlf`.
    smtp_pix_workarounds: Str = "disable_esmtp,delay_dotcrlf";

    /// Time limit for sending QUIT and for the server's answer.
    smtp_quit_timeout: Time = "300s", min 1;

    /// Quote envelope addresses as the standards require.
    smtp_quote_rfc821_envelope: Bool = "yes";

    /// Try addresses of equal preference in random order.
    smtp_randomize_addresses: Bool = "yes";

    /// Time limit for sending RCPT TO and for the server's answer.
    smtp_rcpt_timeout: Time = "300s", min 1;

    /// Table that replaces a server's reply line before it is interpreted.
    smtp_reply_filter: Str = "";

    /// How REQUIRETLS is enforced by destination: a list of actions and tables, of which the first that answers
    /// counts.
    smtp_requiretls_policy: Str = "inline:{{${domain_to_ascii{$mydomain}}=opportunistic}, \
        {.${domain_to_ascii{$mydomain}}=opportunistic}, {localhost=opportunistic}}, cidr:{{0.0.0.0/0 opportunistic}, \
        {::/0 opportunistic}}, enforce";

    /// Time limit for sending RSET and for the server's answer.
    smtp_rset_timeout: Time = "20s", min 1;

    /// Send `AUTH=<>` with MAIL FROM when logged in.
    smtp_send_dummy_mail_auth: Bool = "no";

    /// Tell a server that offers XFORWARD about the original client.
    smtp_send_xforward_command: Bool = "no";

    /// Try the next server when one greets with a 5xx code; otherwise mail is returned.
    smtp_skip_5xx_greeting: Bool = "yes";

    /// Do not wait for the answer to QUIT.
    smtp_skip_quit_response: Bool = "yes";

    /// Port to connect to by default.
    smtp_tcp_port: Str = "smtp";

    /// Time limit for sending XFORWARD and for the server's answer.
    smtp_xforward_timeout: Time = "300s", min 1;

    /// Services, such as `submission`, for which SRV records are looked up.
    use_srv_lookup: Str = "";
}
