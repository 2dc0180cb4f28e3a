//! A Greek administrator's guide: Debian, hash tables, a primary and a backup mail exchanger, measures against abuse. The
//! numbers in the tests' names are those of the guide's criteria, in its order.
//!
//! Without a test here: 16 (the login in Received: needs SASL), the second half of 18 (STARTTLS itself), and of 21 policyd, POP and IMAP.

mod analysers;
mod backup;
mod blocked;
mod bounced;
mod compatible;
mod limits;
mod maildir;
mod queue;
mod relay_domains;
mod rewriting;
mod size;
mod usage;
mod verbose;

use harness::System;

use crate::guides;

/// The guide's settings on top of what Debian's installer writes. No compatibility level: level 0.
const MAIN_CF: &str = "
    smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
    biff = no
    append_dot_mydomain = no
    readme_directory = no
    myhostname = s1.mydomain.gr
    alias_maps = hash:/etc/aliases
    alias_database = hash:/etc/aliases
    myorigin = /etc/mailname
    mydestination = mydomain.gr, s1.mydomain.gr, localhost.mydomain.gr, localhost
    mynetworks = 127.0.0.0/8
    mailbox_size_limit = 0
    recipient_delimiter = +
    inet_interfaces = 127.0.0.1, 192.0.2.1
    message_size_limit = 20480000
    #virtual domains
    virtual_alias_maps = hash:/etc/postfix/virtual
    sender_canonical_maps = hash:/etc/postfix/senders
    home_mailbox = Maildir/
    relay_domains = $mydestination, hash:/etc/postfix/relay-domains
    relayhost =
    relay_recipient_maps =
    smtpd_client_recipient_rate_limit = 20
    smtpd_recipient_restrictions = permit_sasl_authenticated, permit_mynetworks, reject_unauth_destination, check_sender_access hash:/etc/postfix/sender_access, reject_rbl_client bl.spamcop.net, reject_rbl_client sbl.spamhaus.org, reject_rbl_client dnsbl.sorbs.net, permit
    smtpd_sasl_authenticated_header = yes
    smtpd_hard_error_limit = 10
    smtpd_error_sleep_time = 1s
    smtpd_soft_error_limit = 3
";

const ZONE: &str = "
    mydomain.gr MX 10 s1.mydomain.gr
    s1.mydomain.gr A 192.0.2.1
    s2.mydomain.gr A 198.51.100.20
    friend.example.org A 203.0.113.7
    7.113.0.203.in-addr.arpa PTR friend.example.org
";

/// Lays the guide's server out, with these settings in place of its own.
fn server(system: &System, settings: &str) {
    system.file("/etc/mailname", "mydomain.gr\n");
    system.run(&["hostname", "s1.mydomain.gr"]).well();
    system.dns(ZONE);
    guides::configure(system, MAIN_CF, settings);
    guides::postmap(system, "virtual", "info@mydomain.gr alice\nsales@mydomain.gr bob, carol\n");
    guides::postmap(system, "senders", "root root@s1.mydomain.gr\n");
    guides::postmap(system, "relay-domains", "customer.gr OK\nmyotherdomain.com OK\n");
    guides::postmap(system, "sender_access", "bad@badaddress.com REJECT\n");
    system.file("/etc/aliases", "mailer-daemon: postmaster\npostmaster: root\nwww-data: root\nroot: carol\n");
    let output = system.run(&["newaliases"]).well();
    assert_eq!(output.stdout, "");
}
