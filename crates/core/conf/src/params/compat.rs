//! Compatibility with older configurations, and behaviour kept for history's sake.

params! {
    /// Also write bounce and defer logfile records in the form that releases before 2.0 read.
    backwards_bounce_logfile_compatibility: Bool = "yes";

    /// Which generation of defaults this configuration was written for. A lower level keeps the older defaults
    /// alive and logs where they matter.
    compatibility_level: Str = "0";

    /// Log warnings about problematic configuration settings and give hints what to do about them.
    helpful_warnings: Bool = "yes";

    /// Parameters in whose lists a name `example.com` also matches everything below it; elsewhere `.example.com`
    /// has to be written.
    parent_domain_matches_subdomains: Str = "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,qmqpd_authorized_clients,relay_domains,smtpd_access_maps";

    /// Safety net for experiments: mail that would bounce stays queued, and SMTP rejections become temporary.
    soft_bounce: Bool = "no";

    /// Has no function any more; `mailbox_delivery_lock` chooses how mailboxes are locked.
    sun_mailtool_compatibility: Bool = "no";
}
