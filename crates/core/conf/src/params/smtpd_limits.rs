//! Limits on what SMTP clients may do.

params! {
    /// Highest number of AUTH commands from one client in `anvil_rate_time_unit`; zero for no limit.
    smtpd_client_auth_rate_limit: Int = "0";

    /// Highest number of simultaneous connections from one client; zero for no limit.
    smtpd_client_connection_count_limit: Int = "50";

    /// Highest number of connections from one client in `anvil_rate_time_unit`; zero for no limit.
    smtpd_client_connection_rate_limit: Int = "0";

    /// Clients without such limits: networks, names, or tables.
    smtpd_client_event_limit_exceptions: Str = "${smtpd_client_connection_limit_exceptions:$mynetworks}";

    /// How many leading bits of an IPv4 address make one client for counting.
    smtpd_client_ipv4_prefix_length: Int = "32", max 32;

    /// How many leading bits of an IPv6 address make one client for counting.
    smtpd_client_ipv6_prefix_length: Int = "84", max 128;

    /// Highest number of messages from one client in `anvil_rate_time_unit`; zero for no limit.
    smtpd_client_message_rate_limit: Int = "0";

    /// Highest number of new TLS sessions (not resumed ones) from one client in `anvil_rate_time_unit`; zero for
    /// no limit.
    smtpd_client_new_tls_session_rate_limit: Int = "0";

    /// Highest number of recipients from one client in `anvil_rate_time_unit`; zero for no limit.
    smtpd_client_recipient_rate_limit: Int = "0";

    /// Pause before a reply once a client has made `smtpd_soft_error_limit` errors.
    smtpd_error_sleep_time: Time = "1s";

    /// Number of errors, without a delivered message, at which a client is disconnected.
    smtpd_hard_error_limit: Nint = "${stress?{1}:{20}}", min 1;

    /// How many lines of the conversation are kept for a report to the postmaster.
    smtpd_history_flush_threshold: Int = "100", min 1;

    /// Number of commands without use (NOOP, RSET, VRFY, ETRN) that a client may send for free.
    smtpd_junk_command_limit: Nint = "${stress?{1}:{100}}", min 1;

    /// Lowest rate, in bytes per second, that `smtpd_per_request_deadline` expects.
    smtpd_min_data_rate: Int = "500", min 1;

    /// Highest number of recipients in one message.
    smtpd_recipient_limit: Int = "1000", min 1;

    /// How many recipients beyond the limit are answered before they count as errors.
    smtpd_recipient_overshoot_limit: Int = "1000", min 1;

    /// Number of errors from which replies to a client are slowed down.
    smtpd_soft_error_limit: Nint = "10", min 1;
}
