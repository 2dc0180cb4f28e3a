//! Reply codes of the SMTP server's rejections.

params! {
    /// Reply code for the access table action `DEFER`.
    access_map_defer_code: Int = "450";

    /// Reply code for the access table action `REJECT`.
    access_map_reject_code: Int = "554";

    /// Reply code for the restriction `defer`.
    defer_code: Int = "450";

    /// Reply code for `reject_invalid_helo_hostname`.
    invalid_hostname_reject_code: Int = "501";

    /// Reply code for `reject_rbl_client` and the other DNS list restrictions.
    maps_rbl_reject_code: Int = "554";

    /// Reply code for `reject_multi_recipient_bounce`.
    multi_recipient_bounce_reject_code: Int = "550";

    /// Reply code for `reject_non_fqdn_helo_hostname`, `..._sender` and `..._recipient`.
    non_fqdn_reject_code: Int = "504";

    /// Reply code for `reject_plaintext_session`.
    plaintext_reject_code: Int = "450";

    /// Reply code for the restriction `reject`.
    reject_code: Int = "554";

    /// Reply code for `reject_unauth_destination`.
    relay_domains_reject_code: Int = "554";

    /// Reply code for `reject_unknown_sender_domain` and `reject_unknown_recipient_domain`.
    unknown_address_reject_code: Int = "450";

    /// Reply code for `reject_unknown_client_hostname`.
    unknown_client_reject_code: Int = "450";

    /// Reply code for `reject_unknown_helo_hostname`.
    unknown_hostname_reject_code: Int = "450";

    /// Reply code for recipients missing from `local_recipient_maps`.
    unknown_local_recipient_reject_code: Int = "550";

    /// Reply code for recipients missing from `relay_recipient_maps`.
    unknown_relay_recipient_reject_code: Int = "550";

    /// Reply code for recipients missing from `virtual_alias_maps`.
    unknown_virtual_alias_reject_code: Int = "550";

    /// Reply code for recipients missing from `virtual_mailbox_maps`.
    unknown_virtual_mailbox_reject_code: Int = "550";
}
