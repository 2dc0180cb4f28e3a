//! cleanup: canonical form, masquerading, virtual aliases, copies, headers.

params! {
    /// Add From:, To:, Date: and Message-ID: where they lack to remote mail too, not only to local mail.
    always_add_missing_headers: Bool = "no";

    /// Address that gets a copy of every message received.
    always_bcc: Str = "";

    /// Where `canonical_maps` applies: `envelope_sender`, `envelope_recipient`, `header_sender`,
    /// `header_recipient`.
    canonical_classes: Str = "envelope_sender, envelope_recipient, header_sender, header_recipient", min 1;

    /// Tables that replace addresses, in headers and in the envelope, by their canonical form.
    canonical_maps: Str = "";

    /// Tell a sender who was warned about a delay when the mail has been delivered after all.
    confirm_delay_cleared: Bool = "no";

    /// Character set named in the encoded form of a full name that is put into a From: header.
    full_name_encoding_charset: Str = "utf-8", min 1;

    /// Form of a generated From: header: `standard` (`name <address>`) or `obsolete` (`address (name)`).
    header_from_format: Str = "standard", min 1;

    /// Highest number of Received: headers before mail counts as looping and is returned.
    hopcount_limit: Int = "50", min 1;

    /// Where masquerading applies: `envelope_sender`, `envelope_recipient`, `header_sender`, `header_recipient`.
    masquerade_classes: Str = "envelope_sender, header_sender, header_recipient";

    /// Domains whose subdomain structure is removed from addresses; `!` before a name makes an exception.
    masquerade_domains: Str = "";

    /// User names whose addresses are not masqueraded.
    masquerade_exceptions: Str = "";

    /// Header names that are removed from every message after its content was read, before Milters see it.
    message_drop_headers: Str = "bcc, content-length, resent-bcc, return-path";

    /// Tables of additional recipients by recipient address.
    recipient_bcc_maps: Str = "";

    /// Where `recipient_canonical_maps` applies.
    recipient_canonical_classes: Str = "envelope_recipient, header_recipient", min 1;

    /// Canonical tables for recipient addresses only; searched before `canonical_maps`.
    recipient_canonical_maps: Str = "";

    /// Tables of additional recipients by sender address.
    sender_bcc_maps: Str = "";

    /// Where `sender_canonical_maps` applies.
    sender_canonical_classes: Str = "envelope_sender, header_sender", min 1;

    /// Canonical tables for sender addresses only; searched before `canonical_maps`.
    sender_canonical_maps: Str = "";

    /// Header text for messages that have no To:, Cc: or Bcc: header of their own; empty to add none.
    undisclosed_recipients_header: Str = "";

    /// Longest address that virtual alias expansion may produce; a longer one makes the mail wait.
    virtual_alias_address_length_limit: Int = "1000", min 1;

    /// Domains in which every address is an alias for addresses elsewhere.
    virtual_alias_domains: Str = "$virtual_alias_maps";

    /// Highest number of recipients that virtual alias expansion may make of one.
    virtual_alias_expansion_limit: Int = "1000", min 1;

    /// Tables of virtual aliases: address, or whole domain, to one or more addresses anywhere.
    virtual_alias_maps: Str = "$virtual_maps";

    /// How deep virtual aliases may be nested.
    virtual_alias_recursion_limit: Int = "1000", min 1;
}
