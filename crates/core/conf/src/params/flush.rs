//! The per-destination flush logs of flush(8).

params! {
    /// Destinations that are eligible for a log file of deferred mail, and with it for fast flushing.
    fast_flush_domains: Str = "$relay_domains";

    /// How long an unused flush log is kept before it is removed.
    fast_flush_purge_time: Time = "7d", min 1;

    /// How long a flush log may stay unread before its mail is tried again and the log is emptied.
    fast_flush_refresh_time: Time = "12h", min 1;
}
