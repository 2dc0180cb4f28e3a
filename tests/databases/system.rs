//! The installed system with its tables in a database.

use std::time::{Duration, Instant};

use harness::System;

use crate::directory::{self, READER, entry};
use crate::ldap;
use crate::mysql;
use crate::outage;
use crate::promises::USER;
use crate::server::{self, End, Kind, Restart};

const ROWS: &[(&str, &str)] =
    &[("info@example.com", "alice@localhost"), ("slow@example.com", "alice@localhost")];

/// Settings of a table that is slow for one address.
fn table(system: &System, port: u16, name: &str) {
    let query = "query = SELECT goto FROM alias WHERE address = '%s' \
                 AND IF('%s' = 'slow@example.com', SLEEP(4) = 0, TRUE)\n";
    let text = format!("hosts = 127.0.0.1:{port}\nretry_interval = 1\n{}{query}", USER);
    system.file(&format!("/etc/postfix/{name}.cf"), &text);
}

harness::scenario! {
    fn mail_waits_for_a_database(system) {
        let test = "mail_waits_for_a_database";
        let Some(mut server) = server::start(test, Kind::MariaDb, &mysql::contents(ROWS)) else { return };
        for name in ["direct", "proxied"] {
            table(system, server.port, name);
        }
        for maps in ["mysql:/etc/postfix/direct.cf", "proxy:mysql:/etc/postfix/proxied.cf"] {
            system.main_cf(&format!(
                "virtual_alias_domains = example.com\nvirtual_alias_maps = {maps}\nmydestination = localhost\n\
                 smtpd_recipient_restrictions = reject_unauth_destination\nsmtpd_peername_lookup = no\n"
            ));
            system.start();
            let ask = |client: &mut harness::SmtpClient, address: &str| {
                client.command("MAIL FROM:<sender@example.net>");
                let reply = client.command(&format!("RCPT TO:<{address}>"));
                client.command("RSET");
                reply.code
            };
            let mut client = system.smtp();
            client.command("EHLO client.example.net");
            assert_eq!(ask(&mut client, "info@example.com"), 250, "{maps}");
            assert_eq!(ask(&mut client, "nobody@example.com"), 550, "{maps}");
            // Another client asks for what takes long; this one does not notice.
            let mut other = system.smtp();
            other.command("EHLO other.example.net");
            let slow = std::thread::spawn(move || {
                let begin = Instant::now();
                (ask(&mut other, "slow@example.com"), begin.elapsed())
            });
            std::thread::sleep(Duration::from_millis(500));
            let begin = Instant::now();
            assert_eq!(ask(&mut client, "info@example.com"), 250, "{maps}");
            assert!(begin.elapsed() < Duration::from_secs(2), "{maps}: {:?}", begin.elapsed());
            let (code, elapsed) = slow.join().expect("the other client");
            assert!(code == 250 && elapsed > Duration::from_secs(3), "{maps}: {code} {elapsed:?}");
            // Without the database nobody knows, and the client has to come again.
            server.end(End::Crash);
            let mark = system.mark();
            assert_eq!(ask(&mut client, "info@example.com"), 451, "{maps}");
            system.wait_for_log_since(mark, "connect to mysql server 127.0.0.1:[0-9]+: Can't connect to server");
            server.start_again();
            std::thread::sleep(Duration::from_millis(2100));
            assert_eq!(ask(&mut client, "info@example.com"), 250, "{maps}");
            let text = format!("Subject: by way of {maps}\n\ntext\n");
            system.submit("sender@example.net", &["info@example.com"], &text);
            let subject = format!("by way of {maps}");
            system.wait_until("the mail is there", || system.mailbox("alice").contains(&subject));
            system.stop();
        }
    }
}

harness::scenario! {
    fn mail_outlives_a_directory(system) {
        let people = ["ann", "joe", "eve"].map(|name| {
            let (address, alias) = (format!("{name}@shop.example"), format!("{name}.alias@shop.example"));
            let mailbox = format!("shop.example/{name}/");
            entry(name, &[
                ("mail", &address),
                ("mailbox", &mailbox),
                ("mailacceptinggeneralid", &alias),
                ("maildrop", &address),
            ])
        });
        let Some(mut server) = directory::start("mail_outlives_a_directory", &people.concat()) else { return };
        let settings = format!("{}{READER}", ldap::settings(&server.network()));
        system.file("/etc/postfix/aliases.cf", &settings);
        let mailboxes = "query_filter = (mail=%s)\nresult_attribute = mailbox\n";
        system.file("/etc/postfix/mailboxes.cf", &format!("{settings}{mailboxes}"));
        system.main_cf(&format!(
            "virtual_alias_maps = ldap:/etc/postfix/aliases.cf\nvirtual_mailbox_domains = shop.example\n\
             virtual_mailbox_maps = proxy:ldap:/etc/postfix/mailboxes.cf\nvirtual_mailbox_base = /home/vmail\n\
             virtual_uid_maps = static:5000\nvirtual_gid_maps = static:5000\n{}",
            outage::SETTINGS
        ));
        system.start();
        let recipient = |number: usize| {
            let name = ["ann", "joe", "eve"][number % 3];
            if number.is_multiple_of(2) { format!("{name}@shop.example") } else { format!("{name}.alias@shop.example") }
        };
        outage::outlive(system, &mut server, recipient, || outage::all_maildirs(system, "/home/vmail"));
    }
}
