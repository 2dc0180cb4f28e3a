//! Names of the services in master.cf, as one program knows another.

params! {
    /// Name of the service that keeps the results of address verification probes.
    address_verify_service_name: Str = "verify", min 1;

    /// Name of the service that records undeliverable recipients and returns the mail to its sender.
    bounce_service_name: Str = "bounce", min 1;

    /// Name of the service that puts new mail into canonical form and into the incoming queue.
    cleanup_service_name: Str = "cleanup", min 1;

    /// Name of the service that keeps open SMTP connections for reuse.
    connection_cache_service_name: Str = "scache", min 1;

    /// Name of the service that records delayed recipients; the bounce daemon under another name.
    defer_service_name: Str = "defer", min 1;

    /// Name of the service that makes DNS allow and deny list queries for postscreen.
    dnsblog_service_name: Str = "dnsblog", min 1;

    /// Name of the transport that makes every delivery fail with a given text.
    error_service_name: Str = "error", min 1;

    /// Name of the service that keeps lists of queued mail by destination, for ETRN and `sendmail -qR`.
    flush_service_name: Str = "flush", min 1;

    /// Name of the service that collects mail dropped by the `sendmail` command.
    pickup_service_name: Str = "pickup", min 1;

    /// Name of the service that writes the log file when `maillog_file` is in use.
    postlog_service_name: Str = "postlog", min 1;

    /// Name of the service that looks up tables on behalf of processes that cannot open them.
    proxymap_service_name: Str = "proxymap", min 1;

    /// Name of the single-process proxymap service through which shared tables are updated.
    proxywrite_service_name: Str = "proxywrite", min 1;

    /// Name of the queue manager's service.
    queue_service_name: Str = "qmgr", min 1;

    /// Name of the service that puts addresses into standard form and finds the way for recipients.
    rewrite_service_name: Str = "rewrite", min 1;

    /// Name of the service that lists the queue.
    showq_service_name: Str = "showq", min 1;

    /// Socket on which postscreen hands over clients that passed its tests.
    smtpd_service_name: Str = "smtpd", min 1;

    /// Name of the service that keeps TLS session caches and random seeds.
    tlsmgr_service_name: Str = "tlsmgr", min 1;

    /// Name of the service that does TLS on behalf of postscreen and for reused client connections.
    tlsproxy_service_name: Str = "tlsproxy", min 1;

    /// Name of the service that records delivery reports the sender asked for; the bounce daemon under another
    /// name.
    trace_service_name: Str = "trace", min 1;
}
