//! Addresses: special ones, their form, and what is added to them.

params! {
    /// Local part of the sender of probes and of mail that must not bounce; what is sent to it is discarded.
    double_bounce_sender: Str = "double-bounce", min 1;

    /// Key that stands for the null sender in `sender_dependent_default_transport_maps`.
    empty_address_default_transport_maps_lookup_key: Str = "<>", min 1;

    /// Local recipient of mail for the null address.
    empty_address_recipient: Str = "MAILER-DAEMON", min 1;

    /// Key that stands for the null sender in `sender_dependent_relayhost_maps`.
    empty_address_relayhost_maps_lookup_key: Str = "<>", min 1;

    /// Convert international domain names by the older IDNA2003 rules instead of IDNA2008.
    enable_idna2003_compatibility: Nbool = "no";

    /// Keep the address a recipient had before rewriting, for X-Original-To: headers and notifications.
    enable_original_recipient: Bool = "yes";

    /// Give `owner-list` and `list-request` addresses special treatment: no extension is split off there.
    owner_request_special: Bool = "yes";

    /// Tables whose results get the address extension that was left over in the lookup: `canonical`, `virtual`,
    /// `alias`, `forward`, `include`, `generic`.
    propagate_unmatched_extensions: Str = "canonical, virtual";

    /// Look for `@`, `%` and `!` inside a quoted local part too when resolving an address.
    resolve_dequoted_address: Bool = "yes";

    /// Resolve `user@`, with nothing after the `@`, as an address of this host instead of rejecting it.
    resolve_null_domain: Bool = "no";

    /// Resolve `user@1.2.3.4` as `user@[1.2.3.4]` instead of rejecting it.
    resolve_numeric_domain: Bool = "no";

    /// Sources of mail for which the need for SMTPUTF8 is found out from headers and addresses: `sendmail`,
    /// `smtpd`, `verify`, `all`, and more.
    smtputf8_autodetect_classes: Str = "sendmail, verify", min 1;

    /// Support internationalised addresses (RFC 6531 to 6533), in tables and in the SMTP dialogue.
    smtputf8_enable: Nbool = "${{$compatibility_level} <level {1} ? {no} : {yes}}";

    /// Refuse 8-bit addresses and headers from clients that did not ask for SMTPUTF8.
    strict_smtputf8: Bool = "no";
}
