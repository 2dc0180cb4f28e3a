//! What is logged, where, and in which form.

params! {
    /// Highest number of digits after the decimal point in logged delays.
    delay_logging_resolution_limit: Int = "2", max 6;

    /// Use queue ids that contain the time of arrival and never repeat, instead of short ones made from the file
    /// number.
    enable_long_queue_ids: Bool = "no";

    /// Form of addresses in log lines that are not problem reports: `external` (quoted as in a header) or
    /// `internal`.
    info_log_address_format: Str = "external", min 1;

    /// Log file written by the logging daemon in place of syslog; empty means syslog. `/dev/stdout` suits
    /// containers.
    maillog_file: Str = "";

    /// Command that compresses a log file after it was set aside by `postfix logrotate`.
    maillog_file_compressor: Str = "gzip", min 1;

    /// Access mode of a new log file: 0600, 0640, or 0644.
    maillog_file_permissions: Str = "0600", min 1;

    /// Leading parts of file names that `maillog_file` may have.
    maillog_file_prefixes: Str = "/var, /dev/stdout", min 1;

    /// strftime(3) format of the suffix that a log file gets when it is set aside.
    maillog_file_rotate_suffix: Str = "%Y%m%d-%H%M%S", min 1;

    /// How long the logging daemon may take for one request before it is terminated.
    postlogd_watchdog_timeout: Time = "10s", min 10;

    /// Also log the remote port of a QMQP client.
    qmqpd_client_port_logging: Bool = "no";

    /// Use "allowlist" and "denylist" in log lines; otherwise the words that older log readers expect.
    respectful_logging: Nbool = "${{$compatibility_level} <level {3.6} ? {no} : {yes}}";

    /// Also log the remote port of an SMTP client.
    smtpd_client_port_logging: Bool = "no";

    /// Facility under which to log to syslog, such as `mail` or `local1`.
    syslog_facility: Str = "mail", min 1;

    /// Name put before the process name in each log line.
    syslog_name: Str = "${multi_instance_name?{$multi_instance_name}:{postfix}}", min 1;
}
