//! A Romanian administrator's guide: virtual domains, mailboxes, aliases and transports in MySQL. The numbers in the tests'
//! names are those of the guide's criteria, in its order.
//!
//! The schema, the settings of the tables and main.cf are the guide's, and so are the services in a chroot. Where its text
//! is older than the software: `TYPE=MyISAM` is `ENGINE=MyISAM`, and columns say `default ''`, which the text lost. Left out of
//! main.cf: SASL (`smtpd_sasl_auth_enable`, `broken_sasl_auth_clients`), TLS (`smtpd_use_tls` and certificates), and the
//! paths of the distribution's commands and documents, which have nothing to do with tables; `inet_interfaces` leaves addresses for those who receive. In place of amavisd there is a
//! filter that gives back what it gets. Left out of the criteria: SASL, TLS and quotas.

mod aliases;
mod mailboxes;
mod maps;
mod outage;
mod transports;

use std::fs;

use harness::System;
use harness::isolation::workspace;

use crate::server::{self, Kind, Server};

/// Who reads and changes the database.
const USER: &str = "mail_admin";
const PASSWORD: &str = "P4r0la";
const DATABASE: &str = "vmail";

const SCHEMA: &[&str] = &[
    "CREATE DATABASE IF NOT EXISTS vmail;",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON vmail.* TO 'mail_admin'@'localhost' IDENTIFIED BY 'P4r0la';",
    "USE vmail;",
    "CREATE OR REPLACE TABLE domains (domain varchar(50) NOT NULL, PRIMARY KEY (domain)) ENGINE=MyISAM;",
    "CREATE OR REPLACE TABLE forwardings (source varchar(80) NOT NULL, destination TEXT NOT NULL, PRIMARY KEY (source)) ENGINE=MyISAM;",
    "CREATE OR REPLACE TABLE users (email varchar(80) NOT NULL, password varchar(20) NOT NULL, quota INT(10) DEFAULT '10485760', PRIMARY KEY (email)) ENGINE=MyISAM;",
    "CREATE OR REPLACE TABLE transport (domain varchar(128) NOT NULL default '', transport varchar(128) NOT NULL default '', UNIQUE KEY domain (domain)) ENGINE=MyISAM;",
];

/// The guide's rows, and such as it explains.
const ROWS: &[&str] = &[
    "INSERT INTO `domains` (`domain`) VALUES ('d3xt3r01.tk'), ('example.tk'), ('plain.tk');",
    "INSERT INTO `users` (`email`, `password`, `quota`) VALUES ('dexter@d3xt3r01.tk', ENCRYPT('parolamail'), 10485760);",
    "INSERT INTO `users` (`email`, `password`) VALUES ('sales@d3xt3r01.tk', 'x'), ('thomas@d3xt3r01.tk', 'x'), ('ana@plain.tk', 'x');",
    "INSERT INTO `forwardings` (`source`, `destination`) VALUES ('proba@d3xt3r01.tk', 'dexter@d3xt3r01.tk');",
    "INSERT INTO `forwardings` VALUES ('info@d3xt3r01.tk', 'sales@d3xt3r01.tk, billing@anotherdomain.tld');",
    "INSERT INTO `forwardings` VALUES ('@d3xt3r01.tk', 'thomas@d3xt3r01.tk'), ('@example.tk', '@anotherdomain.tld');",
];

/// Names and queries of the tables.
const TABLES: &[(&str, &str)] = &[
    ("domains", "SELECT domain AS virtual FROM domains WHERE domain='%s'"),
    ("forwardings", "SELECT destination FROM forwardings WHERE source='%s'"),
    (
        "mailboxes",
        "SELECT CONCAT(SUBSTRING_INDEX(email,'@',-1),'/',SUBSTRING_INDEX(email,'@',1),'/') FROM users WHERE email='%s'",
    ),
    ("email2email", "SELECT email FROM users WHERE email='%s'"),
    ("transports", "SELECT transport FROM transport WHERE domain='%s'"),
    ("mailbox_limit_maps", "SELECT quota FROM users WHERE email='%s'"),
];

const MAIN_CF: &str = r#"
smtpd_helo_required = yes
disable_vrfy_command = yes
setgid_group = postdrop
html_directory = no
inet_protocols = ipv4
inet_interfaces = 127.0.0.1, 192.0.2.1
myhostname = mail.d3xt3r01.tk
mynetworks = 127.0.0.0/8, 10.3.0.0/24
mailbox_size_limit = 1048576000
virtual_mailbox_limit = 1050576000
message_size_limit = 1048576000
virtual_alias_domains =
virtual_alias_maps = proxy:mysql:/etc/postfix/mysql-virtual_forwardings.cf, mysql:/etc/postfix/mysql-virtual_email2email.cf
virtual_mailbox_domains = proxy:mysql:/etc/postfix/mysql-virtual_domains.cf
virtual_mailbox_maps = proxy:mysql:/etc/postfix/mysql-virtual_mailboxes.cf
virtual_mailbox_base = /home/vmail
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_data_restrictions = reject_unauth_pipelining, permit
transport_maps = proxy:mysql:/etc/postfix/mysql-virtual_transports.cf
virtual_create_maildirsize = yes
virtual_mailbox_extended = yes
virtual_mailbox_limit_maps = proxy:mysql:/etc/postfix/mysql-virtual_mailbox_limit_maps.cf
virtual_mailbox_limit_override = yes
virtual_maildir_limit_message = "The user you are trying to reach is over quota."
virtual_overquota_bounce = yes
proxy_read_maps = $local_recipient_maps $mydestination $virtual_alias_maps $virtual_alias_domains $virtual_mailbox_maps $virtual_mailbox_domains $relay_recipient_maps $relay_domains $canonical_maps $sender_canonical_maps $recipient_canonical_maps $relocated_maps $transport_maps $mynetworks $virtual_mailbox_limit_maps
receive_override_options = no_address_mappings
smtp_bind_address = 10.3.0.125
"#;

/// Lays the guide's server out, with these settings in place of its own of the same name, and starts its database; or says
/// that it is missing.
fn server(system: &System, test: &str, settings: &str) -> Option<Server> {
    let contents: Vec<String> = SCHEMA.iter().chain(ROWS).map(|line| (*line).to_owned()).collect();
    let server = server::start_as_usual(test, Kind::MariaDb, &contents)?;
    for (name, query) in TABLES {
        table(system, name, query, "127.0.0.1", "");
    }
    let name = |line: &str| line.split_once('=').map(|(name, _)| name.trim().to_owned());
    let own: Vec<_> = settings.lines().filter_map(name).collect();
    let kept = MAIN_CF.lines().filter(|line| name(line).is_none_or(|name| !own.contains(&name)));
    system.whole_main_cf(&kept.chain(settings.lines()).map(|line| format!("{line}\n")).collect::<String>());
    let master = workspace().join("conf/master.cf").display().to_string();
    system.file("/etc/postfix/master.cf", &system.read(&master));
    // Nothing of the host is in the jail.
    fs::remove_dir_all("/var/spool/postfix/etc").ok();
    system.file("/etc/hosts", "127.0.0.1 localhost\n10.3.0.125 mail.d3xt3r01.tk\n");
    system.run(&["hostname", "mail.d3xt3r01.tk"]).well();
    system.run(&["ip", "address", "add", "10.3.0.125/32", "dev", "lo"]).well();
    system.dns("anotherdomain.tld MX 10 mail.anotherdomain.tld\nmail.anotherdomain.tld A 198.51.100.10\n");
    Some(server)
}

/// Writes the settings of a table as the guide does: for the mail system's eyes only.
fn table(system: &System, name: &str, query: &str, host: &str, more: &str) -> String {
    let file = format!("/etc/postfix/mysql-virtual_{name}.cf");
    let text = format!(
        "user = {USER}\npassword = {PASSWORD}\ndbname = {DATABASE}\nquery = {query}\nhosts = {host}\n{more}"
    );
    system.file(&file, &text);
    system.shell(&format!("chmod o= {file} && chgrp postfix {file}")).well();
    file
}

/// The Maildir of a user.
fn maildir(system: &System, user: &str) -> Vec<String> {
    system.maildir(&format!("/home/vmail/{user}"))
}
