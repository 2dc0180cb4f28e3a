//! A Linux course: the classic Debian main.cf, checks with PCRE, aliases and the queue. The numbers in the tests' names are
//! those of the course's criteria, in its order. All of them are here.

mod attachments;
mod blocked;
mod delivery;
mod domains;
mod headers;
mod names;
mod queue;
mod sample;
mod senders;

use harness::System;

use crate::guides;

/// The sample main.cf as printed.
const MAIN_CF: &str = "
    # Do not change these directory settings - they are critical to Postfix
    # operation.
    command_directory = /usr/sbin
    daemon_directory = /usr/lib/postfix
    program_directory = /usr/lib/postfix
    smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
    setgid_group = postdrop
    biff = no
    # appending .domain is the MUA's job.
    append_dot_mydomain = no
    mydomain = domain.ork
    myhostname = mail.domain.ork
    alias_maps = hash:/etc/aliases
    myorigin = /etc/mailname
    mydestination = $myhostname, $mydomain, ,localhost
    relayhost =
    mynetworks = 192.168.0.0/16, 127.0.0.0/8
    #mailbox_command = procmail -a \"$EXTENSION\"
    mailbox_size_limit = 0
    recipient_delimiter = +
";

/// What today's Postfix wants before it serves a client, and the addresses that leave the world its own.
const WORKING: &str = "
    smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
    inet_interfaces = 127.0.0.1, 192.0.2.1
";

/// Lays out the sample's server, with these settings in place of its own; as printed but for what no longer works.
fn server(system: &System, settings: &str) {
    printed(system, &format!("{WORKING}\n{settings}"));
}

/// Lays out the sample's server as printed, with these settings.
fn printed(system: &System, settings: &str) {
    system.run(&["hostname", "mail.domain.ork"]).well();
    system.file("/etc/mailname", "domain.ork\nnot this line\n");
    // The course's Debian had the daemons in /usr/lib/postfix itself.
    system
        .shell(
            "mkdir /run/programs && mount --bind /usr/lib/postfix /run/programs &&
             mount -t tmpfs -o mode=755 tmpfs /usr/lib/postfix &&
             for file in /run/programs/*.so /run/programs/sbin/*; do
                 [ -e $file ] || continue
                 : >/usr/lib/postfix/${file##*/} && mount --bind $file /usr/lib/postfix/${file##*/}
             done",
        )
        .well();
    guides::configure(system, MAIN_CF, settings);
    system.file("/etc/aliases", "postmaster: root\nroot: carol\ntaxes: bob\n");
    let output = system.run(&["postalias", "/etc/aliases"]).well();
    assert_eq!(output.stdout, "");
}
