//! Milters: mail filters that speak the Sendmail protocol.

params! {
    /// Time limit for a command sent to a Milter and for its answer.
    milter_command_timeout: Time = "30s", min 1;

    /// Macros sent to a Milter with the connection event.
    milter_connect_macros: Str = "j {daemon_name} {daemon_addr} v _";

    /// Time limit for connecting to a Milter, and for agreeing on protocol options.
    milter_connect_timeout: Time = "30s", min 1;

    /// Time limit for sending content to a Milter and for its answer.
    milter_content_timeout: Time = "300s", min 1;

    /// Macros sent to a Milter with DATA.
    milter_data_macros: Str = "i";

    /// What to do when a Milter fails: `accept`, `reject`, `tempfail`, `quarantine`, or `shutdown`.
    milter_default_action: Str = "shutdown", min 1;

    /// Macros sent to a Milter at the end of the message.
    milter_end_of_data_macros: Str = "i";

    /// Macros sent to a Milter at the end of the header.
    milter_end_of_header_macros: Str = "i";

    /// `header_checks` for headers that a Milter has added.
    milter_header_checks: Str = "";

    /// Macros sent to a Milter with HELO or EHLO.
    milter_helo_macros: Str = "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}";

    /// Value of the macro `{daemon_name}`.
    milter_macro_daemon_name: Str = "$myhostname", min 1;

    /// `name=value` items for macros that have no value of their own.
    milter_macro_defaults: Str = "";

    /// Value of the macro `v`.
    milter_macro_v: Str = "$mail_name $mail_version", min 1;

    /// Macros sent to a Milter with MAIL FROM.
    milter_mail_macros: Str = "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}";

    /// Version of the Milter protocol to speak, with optional flags such as `no_header_reply`.
    milter_protocol: Str = "6", min 1;

    /// Macros sent to a Milter with RCPT TO.
    milter_rcpt_macros: Str = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}";

    /// Macros sent to a Milter with an unknown SMTP command.
    milter_unknown_command_macros: Str = "";

    /// Milters for mail that does not arrive by SMTP, such as mail from the `sendmail` command.
    non_smtpd_milters: Str = "";

    /// Tables from client address to Milters that take the place of `smtpd_milters`; `DISABLE` means none.
    smtpd_milter_maps: Str = "";

    /// Milters for mail that arrives by SMTP, in order, as `inet:host:port` or `unix:path`, with options in
    /// braces.
    smtpd_milters: Str = "";
}
