//! Logging in by clients: SASL in the SMTP server.

params! {
    /// Also offer AUTH in the form `AUTH=...` that some old clients expect.
    broken_sasl_auth_clients: Bool = "no";

    /// Directories of Cyrus SASL application configuration files.
    cyrus_sasl_config_path: Str = "";

    /// Send the authorization id too where a mechanism would send none.
    send_cyrus_sasl_authzid: Bool = "no";

    /// Let clients log in.
    smtpd_sasl_auth_enable: Bool = "no";

    /// Show the login name in the Received: header.
    smtpd_sasl_authenticated_header: Bool = "no";

    /// Clients to whom AUTH is not offered.
    smtpd_sasl_exceptions_networks: Str = "";

    /// Realm for logins.
    smtpd_sasl_local_domain: Str = "";

    /// Mechanisms to offer, as a list of names or tables; `!` before a name leaves it out.
    smtpd_sasl_mechanism_filter: Str = "!external, static:rest";

    /// Detail for the SASL implementation: Cyrus application name, or Dovecot's socket.
    smtpd_sasl_path: Str = "smtpd", min 1;

    /// Longest response of a client in a login, in bytes.
    smtpd_sasl_response_limit: Int = "12288", min 12288;

    /// What mechanisms must provide: `noplaintext`, `noanonymous`, and so on.
    smtpd_sasl_security_options: Str = "noanonymous";

    /// Service name that the SASL implementation is given.
    smtpd_sasl_service: Str = "smtp", min 1;

    /// `smtpd_sasl_security_options` for sessions with TLS.
    smtpd_sasl_tls_security_options: Str = "$smtpd_sasl_security_options";

    /// SASL implementation of the server: `dovecot` or `cyrus`.
    smtpd_sasl_type: Str = "cyrus", min 1;
}
