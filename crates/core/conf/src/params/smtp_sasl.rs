//! Logging in to servers: SASL in the SMTP client.

params! {
    /// Table that remembers logins which failed, so that they are not repeated; `proxy:` with a writable type.
    smtp_sasl_auth_cache_name: Str = "";

    /// How long a failed login is remembered.
    smtp_sasl_auth_cache_time: Time = "90d";

    /// Log in to servers that offer AUTH.
    smtp_sasl_auth_enable: Bool = "no";

    /// Wait with mail when a login fails permanently, instead of returning it.
    smtp_sasl_auth_soft_bounce: Bool = "yes";

    /// Mechanisms to accept from servers, as a list of names or tables.
    smtp_sasl_mechanism_filter: Str = "";

    /// Tables of `user:password` by server, destination, or sender.
    smtp_sasl_password_maps: Str = "";

    /// Character between user name and password in results of `smtp_sasl_password_maps`.
    smtp_sasl_password_result_delimiter: Str = ":", min 1, max 1;

    /// Detail for the SASL implementation, such as a configuration file.
    smtp_sasl_path: Str = "";

    /// What mechanisms must provide in sessions without TLS: `noplaintext`, `noanonymous`, and so on.
    smtp_sasl_security_options: Str = "noplaintext, noanonymous";

    /// `smtp_sasl_security_options` for sessions with TLS.
    smtp_sasl_tls_security_options: Str = "$smtp_sasl_security_options";

    /// `smtp_sasl_security_options` for sessions with TLS to a verified server.
    smtp_sasl_tls_verified_security_options: Str = "$smtp_sasl_tls_security_options";

    /// SASL implementation of the client.
    smtp_sasl_type: Str = "cyrus", min 1;

    /// Look up passwords by sender too; then a connection is not shared between senders.
    smtp_sender_dependent_authentication: Bool = "no";
}
