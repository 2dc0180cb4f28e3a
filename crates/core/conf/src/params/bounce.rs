//! Notifications: bounces, delays, reports to the postmaster, VERP.

params! {
    /// Who gets undeliverable mail that cannot be returned to its sender.
    double_bounce_notice_recipient ("2bounce_notice_recipient"): Str = "postmaster", min 1;

    /// Who gets copies of bounces when `notify_classes` asks for them.
    bounce_notice_recipient: Str = "postmaster", min 1;

    /// How much of the original message a notification may contain, in bytes.
    bounce_size_limit: Int = "50000", min 1;

    /// File with the texts of bounces, delay warnings and delivery reports.
    bounce_template_file: Str = "";

    /// The two characters that VERP puts between the parts of a sender address.
    default_verp_delimiters: Str = "+=", min 2, max 2;

    /// Who gets copies of delay warnings when `notify_classes` asks for them.
    delay_notice_recipient: Str = "postmaster", min 1;

    /// Time after which the sender is told that a message is still queued; zero for never.
    delay_warning_time: Time = "0h";

    /// Send one bounce for all recipients, without VERP, when several recipients fail.
    disable_verp_bounces: Bool = "no";

    /// Refer to the original Message-ID in notifications, so that mail readers show both in one thread.
    enable_threaded_bounces: Nbool = "no";

    /// Who gets reports about other problems when `notify_classes` asks for them.
    error_notice_recipient: Str = "postmaster", min 1;

    /// Kinds of problems that are reported to the postmaster: `bounce`, `2bounce`, `data`, `delay`, `policy`,
    /// `protocol`, `resource`, `software`.
    notify_classes: Str = "resource, software";

    /// Characters that are allowed as VERP delimiters on the command line and in SMTP.
    verp_delimiter_filter: Str = "-=+", min 1;
}
