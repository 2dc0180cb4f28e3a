//! Mail by destination on request (ETRN, `sendmail -qR`), and who may use the queue.

params! {
    /// Users who may flush the queue.
    authorized_flush_users: Str = "static:anyone";

    /// Users who may list the queue.
    authorized_mailq_users: Str = "static:anyone";

    /// Destinations for which lists of queued mail are kept, so that ETRN works for them.
    fast_flush_domains: Str = "$relay_domains";

    /// Age from which an empty list of queued mail for a destination is removed.
    fast_flush_purge_time: Time = "7d", min 1;

    /// Age from which a list of queued mail for a destination is flushed, should nobody ask for it.
    fast_flush_refresh_time: Time = "12h", min 1;
}
