//! postscreen: tests of clients before they may speak to the SMTP server.

params! {
    /// Debugging aid: artificial pause before dnsblog answers.
    dnsblog_reply_delay: Time = "0s";

    /// First decision about a client: `permit_mynetworks`, or tables that answer `permit`, `reject` or `dunno`.
    postscreen_access_list: Str = "permit_mynetworks";

    /// Local addresses on which a client can get onto the temporary allow list; on others it only waits. For
    /// setups with a backup MX address.
    postscreen_allowlist_interfaces: Str = "${postscreen_whitelist_interfaces?{$postscreen_whitelist_interfaces}:{static:all}}";

    /// What to do with a client that sends lone line feeds: `ignore`, `enforce`, or `drop`.
    postscreen_bare_newline_action: Str = "ignore", min 1;

    /// Make the test for lone line feeds. It needs a full SMTP dialogue, so that the client has to come back.
    postscreen_bare_newline_enable: Bool = "no";

    /// How long a passed test for lone line feeds is valid.
    postscreen_bare_newline_ttl: Time = "30d", min 1;

    /// How often old entries are removed from the cache; zero for never.
    postscreen_cache_cleanup_interval: Time = "12h";

    /// Table with the results of tests, the temporary allow list.
    postscreen_cache_map: Str = "$default_cache_db_type:$data_directory/postscreen_cache";

    /// How long expired entries are kept, in order to know returning clients.
    postscreen_cache_retention_time: Time = "7d", min 1;

    /// As `smtpd_client_connection_count_limit`, for postscreen.
    postscreen_client_connection_count_limit: Nint = "$smtpd_client_connection_count_limit";

    /// How many commands a client may send in postscreen's own SMTP dialogue.
    postscreen_command_count_limit: Int = "20", min 1;

    /// Table that replaces a client's command line before postscreen interprets it.
    postscreen_command_filter: Str = "";

    /// Time limit for one command line in postscreen's own SMTP dialogue.
    postscreen_command_time_limit: Time = "${stress?{10}:{300}}s", min 1;

    /// What to do with a client that `postscreen_access_list` rejects: `ignore`, `enforce`, or `drop`.
    postscreen_denylist_action: Str = "${postscreen_blacklist_action?{$postscreen_blacklist_action}:{ignore}}", min 1;

    /// As `disable_vrfy_command`, for postscreen.
    postscreen_disable_vrfy_command: Nbool = "$disable_vrfy_command";

    /// As `smtpd_discard_ehlo_keyword_address_maps`, for postscreen.
    postscreen_discard_ehlo_keyword_address_maps: Str = "$smtpd_discard_ehlo_keyword_address_maps";

    /// As `smtpd_discard_ehlo_keywords`, for postscreen.
    postscreen_discard_ehlo_keywords: Str = "$smtpd_discard_ehlo_keywords";

    /// What to do with a client whose DNS score reaches the threshold: `ignore`, `enforce`, or `drop`.
    postscreen_dnsbl_action: Str = "ignore", min 1;

    /// DNS score (below zero) from which a client passes without further tests; zero turns this off.
    postscreen_dnsbl_allowlist_threshold: Nint = "${postscreen_dnsbl_whitelist_threshold?{$postscreen_dnsbl_whitelist_threshold}:{0}}";

    /// Longest time that a passed DNS list test is valid.
    postscreen_dnsbl_max_ttl: Time = "${postscreen_dnsbl_ttl?{$postscreen_dnsbl_ttl}:{1}}h", min 1;

    /// Shortest time that a passed DNS list test is valid.
    postscreen_dnsbl_min_ttl: Time = "60s", min 1;

    /// Table from a DNS list's name, which may contain a secret key, to the name shown in replies.
    postscreen_dnsbl_reply_map: Str = "";

    /// DNS lists with optional reply filter and weight: `name=127.0.0.[2;4]*3`.
    postscreen_dnsbl_sites: Str = "";

    /// DNS score from which `postscreen_dnsbl_action` applies.
    postscreen_dnsbl_threshold: Int = "1", min 1;

    /// Time limit for DNS list queries.
    postscreen_dnsbl_timeout: Time = "10s", min 1;

    /// As `smtpd_enforce_tls`, for postscreen.
    postscreen_enforce_tls: Nbool = "$smtpd_enforce_tls";

    /// As `smtpd_expansion_filter`, for postscreen.
    postscreen_expansion_filter: Raw = "$smtpd_expansion_filter", min 1;

    /// As `smtpd_forbidden_commands`, for the test of `postscreen_non_smtp_command_enable`.
    postscreen_forbidden_commands: Str = "$smtpd_forbidden_commands";

    /// What to do with a client that speaks before its turn: `ignore`, `enforce`, or `drop`.
    postscreen_greet_action: Str = "ignore", min 1;

    /// First part of the greeting, sent as a lure at the start of the wait; empty sends none.
    postscreen_greet_banner: Str = "$smtpd_banner";

    /// How long a passed greeting test is valid.
    postscreen_greet_ttl: Time = "1d", min 1;

    /// How long to wait for a client to speak before its turn.
    postscreen_greet_wait: Time = "${stress?{2}:{6}}s", min 1;

    /// As `smtpd_helo_required`, for postscreen.
    postscreen_helo_required: Nbool = "$smtpd_helo_required";

    /// What to do with a client that sends commands of other protocols: `ignore`, `enforce`, or `drop`.
    postscreen_non_smtp_command_action: Str = "drop", min 1;

    /// Make the test for commands of other protocols. It needs a full SMTP dialogue.
    postscreen_non_smtp_command_enable: Bool = "no";

    /// How long a passed test for commands of other protocols is valid.
    postscreen_non_smtp_command_ttl: Time = "30d", min 1;

    /// What to do with a client that sends several commands at once unasked: `ignore`, `enforce`, or `drop`.
    postscreen_pipelining_action: Str = "enforce", min 1;

    /// Make the test for unasked pipelining. It needs a full SMTP dialogue.
    postscreen_pipelining_enable: Bool = "no";

    /// How long a passed pipelining test is valid.
    postscreen_pipelining_ttl: Time = "30d", min 1;

    /// How many clients may wait for an SMTP server process.
    postscreen_post_queue_limit: Nint = "$default_process_limit", min 5;

    /// How many clients may be under test.
    postscreen_pre_queue_limit: Nint = "$default_process_limit", min 10;

    /// As `smtpd_reject_footer`, for postscreen.
    postscreen_reject_footer: Raw = "$smtpd_reject_footer";

    /// As `smtpd_reject_footer_maps`, for postscreen.
    postscreen_reject_footer_maps: Str = "$smtpd_reject_footer_maps";

    /// As `smtpd_tls_security_level`, for postscreen.
    postscreen_tls_security_level: Str = "$smtpd_tls_security_level";

    /// Protocol by which a proxy in front of postscreen tells about the client: `haproxy`.
    postscreen_upstream_proxy_protocol: Str = "";

    /// Time limit for the message from the proxy in front.
    postscreen_upstream_proxy_timeout: Time = "5s", min 1;

    /// As `smtpd_use_tls`, for postscreen.
    postscreen_use_tls: Nbool = "$smtpd_use_tls";

    /// How long one event may take before postscreen is terminated.
    postscreen_watchdog_timeout: Time = "10s", min 10;
}
