//! The SMTP server: the session and its protocol.

params! {
    /// Refuse VRFY, by which addresses can be collected.
    disable_vrfy_command: Bool = "no";

    /// Clients that may ask for VERP-style bounces with XVERP.
    smtpd_authorized_verp_clients: Str = "$authorized_verp_clients";

    /// Clients that may pose as another client with XCLIENT.
    smtpd_authorized_xclient_hosts: Str = "";

    /// Clients that may tell about the original client with XFORWARD.
    smtpd_authorized_xforward_hosts: Str = "";

    /// Text after the code 220 of the greeting. It has to begin with this system's name.
    smtpd_banner: Str = "$myhostname ESMTP $mail_name", min 1;

    /// Table that replaces a client's command line before it is interpreted.
    smtpd_command_filter: Str = "";

    /// Tables by client address of EHLO keywords not to offer.
    smtpd_discard_ehlo_keyword_address_maps: Str = "";

    /// EHLO keywords not to offer to any client.
    smtpd_discard_ehlo_keywords: Str = "";

    /// Table that changes or drops DNS answers before the server uses them.
    smtpd_dns_reply_filter: Str = "";

    /// What to do with line feeds that lack a carriage return: `no` (accept), `normalize`, `note`, or `reject`. A
    /// defence against smuggled messages.
    smtpd_forbid_bare_newline: Str = "normalize", min 1;

    /// Clients that `smtpd_forbid_bare_newline` does not apply to.
    smtpd_forbid_bare_newline_exclusions: Str = "$mynetworks";

    /// Reply code with which `smtpd_forbid_bare_newline` rejects.
    smtpd_forbid_bare_newline_reject_code: Int = "550", min 500, max 599;

    /// Disconnect clients that send commands ahead of time, before they may.
    smtpd_forbid_unauth_pipelining: Bool = "yes";

    /// Commands that end a session at once, since they come from other protocols than SMTP.
    smtpd_forbidden_commands: Str = "CONNECT GET POST regexp:{{/^[^A-Z]/ Bogus}}";

    /// Leave the client, TLS and login details out of the Received: header. For submission services only.
    smtpd_hide_client_session: Nbool = "no";

    /// Commands that are answered like NOOP, without any effect.
    smtpd_noop_commands: Str = "";

    /// Look up the name of a client; without, every client is `unknown`.
    smtpd_peername_lookup: Bool = "yes";

    /// Make time limits apply to a whole command and answer, and not to each read or write.
    smtpd_per_request_deadline: Nbool = "${smtpd_per_record_deadline?{$smtpd_per_record_deadline}:{${stress?{yes}:{no}}}}";

    /// Name to give to the filter behind `smtpd_proxy_filter`.
    smtpd_proxy_ehlo: Str = "$myhostname";

    /// Host and port of a filter that sees mail before it is queued, and whose answers the client gets.
    smtpd_proxy_filter: Str = "";

    /// Options of the before-queue filter: `speed_adjust` receives a whole message before the filter is called.
    smtpd_proxy_options: Str = "";

    /// Time limit for connecting to the before-queue filter and for each exchange with it.
    smtpd_proxy_timeout: Time = "100s", min 1;

    /// Tables that replace the text of a reject reply before footers are added; the class of reply stays.
    smtpd_reject_filter_maps: Str = "";

    /// Text added to every 4xx or 5xx reply, with `$name` values such as the client's address and the local time.
    smtpd_reject_footer: Raw = "";

    /// Tables by reply text that give a footer in place of `smtpd_reject_footer`.
    smtpd_reject_footer_maps: Str = "";

    /// Time limit for the TLS handshake, and for shutting TLS down.
    smtpd_starttls_timeout: Time = "${stress?{10}:{300}}s", min 1;

    /// Time limit for sending a reply and for receiving a command.
    smtpd_timeout: Time = "${stress?{10}:{300}}s", min 1;

    /// Protocol by which a proxy in front of the server tells about the client: `haproxy`.
    smtpd_upstream_proxy_protocol: Str = "";

    /// Time limit for the message from the proxy in front.
    smtpd_upstream_proxy_timeout: Time = "5s", min 1;

    /// Set by the master to `yes` while all processes of a service are busy. For use in other values.
    stress: Str = "";
}
