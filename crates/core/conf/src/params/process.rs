//! Processes: their number, their lives, and how they speak to each other.

params! {
    /// How long `postkick` waits before it exits, so that a request for the master gets out of its buffers.
    application_event_drain_time: Time = "100s", min 1;

    /// Whether a daemon gives up when a table cannot be opened. Otherwise it goes on, and each use of that table
    /// fails with a temporary error.
    daemon_table_open_error_is_fatal: Bool = "no";

    /// Watchdog: a daemon that spends longer than this on one request is terminated.
    daemon_timeout: Time = "18000s", min 1;

    /// How much a daemon's verbosity goes up for a peer that matches `debug_peer_list`.
    debug_peer_level: Int = "2", min 1;

    /// Remote names, networks or addresses whose SMTP conversations are logged in detail.
    debug_peer_list: Str = "";

    /// Highest number of simultaneous clients or deliveries of a service whose master.cf entry gives no number of
    /// its own.
    default_process_limit: Int = "100", min 1;

    /// Debugging aid: when not zero, finished queue files are moved to the `saved` queue instead of being
    /// removed.
    dont_remove: Int = "0";

    /// Environment variables that are passed on to programs outside the mail system. `name=value` sets a value.
    export_environment: Str = "TZ MAIL_CONFIG LANG";

    /// Forces internal error tests to fail, for exercising code that is otherwise hard to reach.
    fault_injection_code: Int = "0";

    /// How often to try to create a process before giving up.
    fork_attempts: Int = "5", min 1;

    /// Pause between two attempts to create a process.
    fork_delay: Time = "1s", min 1;

    /// Environment variables that the mail system accepts from those that start it. `name=value` sets a value.
    import_environment: Str = "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY DISPLAY LANG=C POSTLOG_SERVICE \
        POSTLOG_HOSTNAME XDG_RUNTIME_DIR";

    /// How long an idle connection to another internal service is kept open.
    ipc_idle: Time = "5s", min 1;

    /// Time limit for one read or write between processes of the mail system.
    ipc_timeout: Time = "3600s", min 1;

    /// How long a connection to another internal service may be used before it is closed.
    ipc_ttl: Time = "1000s", min 1;

    /// Port numbers of services that are known without asking services(5), as `name=name=number` items.
    known_tcp_ports: Str = "lmtp=24, smtp=25, smtps=submissions=465, submission=587";

    /// Services of master.cf that are not to be listened for, as `type`, `name.type`, or a list of those.
    master_service_disable: Str = "";

    /// How long an idle daemon waits for another client before it exits.
    max_idle: Time = "100s", min 1;

    /// How many clients or requests a daemon serves before it exits and is replaced.
    max_use: Int = "100", min 1;

    /// Pause before the master restarts a service that failed soon after it was started.
    service_throttle_time: Time = "60s", min 1;

    /// TCP window size for network connections, or zero to leave the choice to the system.
    tcp_windowsize: Int = "0";

    /// Time limit for waking another daemon by its trigger socket.
    trigger_timeout: Time = "10s", min 1;
}
