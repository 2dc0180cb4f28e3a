//! Address verification by probe messages.

params! {
    /// How often old entries are removed from the address verification cache.
    address_verify_cache_cleanup_interval: Time = "12h";

    /// `default_transport` for probes.
    address_verify_default_transport: Str = "$default_transport", min 1;

    /// `local_transport` for probes.
    address_verify_local_transport: Str = "$local_transport", min 1;

    /// Table in which probe results outlive a restart. Empty keeps them in memory only.
    address_verify_map: Str = "$default_cache_db_type:$data_directory/verify_cache";

    /// Whether to remember that a probe failed.
    address_verify_negative_cache: Bool = "yes";

    /// How long a failed probe stays in the cache.
    address_verify_negative_expire_time: Time = "3d", min 1;

    /// Age from which the result of a failed probe is checked again.
    address_verify_negative_refresh_time: Time = "3h", min 1;

    /// How many probes may be in the queue at once; more are not sent. A safety stop.
    address_verify_pending_request_limit: Int = "5000", min 1;

    /// How often the SMTP server asks for the result of a probe before it gives a temporary answer.
    address_verify_poll_count: Nint = "${stress?{1}:{3}}", min 1;

    /// Pause between two questions for a probe's result.
    address_verify_poll_delay: Time = "3s", min 1;

    /// How long a successful probe stays in the cache.
    address_verify_positive_expire_time: Time = "31d", min 1;

    /// Age from which the result of a successful probe is checked again.
    address_verify_positive_refresh_time: Time = "7d", min 1;

    /// `relay_transport` for probes.
    address_verify_relay_transport: Str = "$relay_transport", min 1;

    /// `relayhost` for probes.
    address_verify_relayhost: Str = "$relayhost";

    /// Sender of probes; empty or `<>` for the null sender. A name without domain is completed with `myorigin`.
    address_verify_sender: Str = "$double_bounce_sender";

    /// `sender_dependent_default_transport_maps` for probes.
    address_verify_sender_dependent_default_transport_maps: Str = "$sender_dependent_default_transport_maps";

    /// `sender_dependent_relayhost_maps` for probes.
    address_verify_sender_dependent_relayhost_maps: Str = "$sender_dependent_relayhost_maps";

    /// When not zero, the sender of probes contains a part that changes this often, so that it cannot be abused
    /// for long.
    address_verify_sender_ttl: Time = "0s";

    /// `transport_maps` for probes.
    address_verify_transport_maps: Str = "$transport_maps";

    /// `virtual_transport` for probes.
    address_verify_virtual_transport: Str = "$virtual_transport", min 1;

    /// At which command of the SMTP dialogue a probe ends: `rcpt` or `data`.
    smtp_address_verify_target: Str = "rcpt", min 1;

    /// SMTP reply code while a recipient probe has no result yet.
    unverified_recipient_defer_code: Int = "450", min 200, max 499;

    /// SMTP reply code for a recipient that a probe found undeliverable.
    unverified_recipient_reject_code: Int = "450", min 200, max 599;

    /// Text in place of the detailed reason when `reject_unverified_recipient` rejects.
    unverified_recipient_reject_reason: Str = "";

    /// What `reject_unverified_recipient` does when a probe failed temporarily.
    unverified_recipient_tempfail_action: Str = "$reject_tempfail_action", min 1;

    /// SMTP reply code while a sender probe has no result yet.
    unverified_sender_defer_code: Int = "450", min 200, max 499;

    /// SMTP reply code for a sender that a probe found undeliverable.
    unverified_sender_reject_code: Int = "450", min 200, max 599;

    /// Text in place of the detailed reason when `reject_unverified_sender` rejects.
    unverified_sender_reject_reason: Str = "";

    /// What `reject_unverified_sender` does when a probe failed temporarily.
    unverified_sender_tempfail_action: Str = "$reject_tempfail_action", min 1;
}
