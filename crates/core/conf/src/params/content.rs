//! Inspection and form of message content: header and body checks, MIME, filters.

params! {
    /// Tables of patterns for lines of the body, with actions as for `header_checks`.
    body_checks: Str = "";

    /// How much of each body part is searched by `body_checks`, in bytes.
    body_checks_size_limit: Int = "51200";

    /// Turn each lone carriage return or line feed inside a line into a space before the content is stored.
    cleanup_replace_stray_cr_lf: Bool = "yes";

    /// Transport and nexthop of a filter to which all mail goes after queueing, before its real delivery.
    content_filter: Str = "";

    /// Nexthop of a `content_filter` or FILTER action that names none. Empty means the recipient's domain.
    default_filter_nexthop: Str = "";

    /// Take a `Content-Transfer-Encoding: 8bit` header as a sign of 8-bit content when the envelope did not say
    /// so.
    detect_8bit_encoding_header: Bool = "yes";

    /// Treat received mail as plain headers and body, without a look at its MIME structure.
    disable_mime_input_processing: Bool = "no";

    /// Never convert 8-bit content to 7-bit for a server without 8BITMIME.
    disable_mime_output_conversion: Bool = "no";

    /// Convert 8-bit content to quoted-printable on arrival, before any inspection or signing.
    force_mime_input_conversion: Bool = "no";

    /// How many address tokens of one header are rewritten; the rest of it is lost.
    header_address_token_limit: Int = "10240", min 1;

    /// Tables of patterns for headers, with actions such as REJECT, DISCARD, FILTER, HOLD, PREPEND and REDIRECT.
    header_checks: Str = "";

    /// Longest message header in bytes; what exceeds it is cut off.
    header_size_limit: Int = "102400", min 1;

    /// Kinds of mail made by the mail system itself that content inspection applies to: `bounce`, `notify`.
    internal_mail_filter_classes: Str = "";

    /// Length at which long lines are broken into pieces inside the mail system; they are joined again at
    /// delivery.
    line_length_limit: Int = "2048", min 512;

    /// Characters that make a message unacceptable, with C escapes such as `\0`.
    message_reject_characters: Str = "";

    /// Characters that are removed from message content, with C escapes.
    message_strip_characters: Str = "";

    /// How much of a MIME boundary string is compared.
    mime_boundary_length_limit: Int = "2048", min 1;

    /// `header_checks` for the headers of MIME parts.
    mime_header_checks: Str = "$header_checks";

    /// How deep MIME parts may be nested before mail is refused.
    mime_nesting_limit: Int = "100", min 1;

    /// `header_checks` for the headers of attached messages.
    nested_header_checks: Str = "$header_checks";

    /// What to do when text follows the header without an empty line: `fix_quietly`, `add_header`, or `reject`.
    non_empty_end_of_header_action: Str = "fix_quietly", min 1;

    /// Steps that a receiving service leaves out: `no_unknown_recipient_checks`, `no_address_mappings`,
    /// `no_header_body_checks`, `no_milters`.
    receive_override_options: Str = "";

    /// Refuse mail with 8-bit characters in a header.
    strict_7bit_headers: Bool = "no";

    /// Both `strict_7bit_headers` and `strict_8bitmime_body`.
    strict_8bitmime: Bool = "no";

    /// Refuse 8-bit content that is not declared as such.
    strict_8bitmime_body: Bool = "no";

    /// Refuse mail whose multipart or message parts claim an encoding that changes their content.
    strict_mime_encoding_domain: Bool = "no";
}
