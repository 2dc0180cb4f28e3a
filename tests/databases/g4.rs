//! Additions to Gentoo's guide to virtual mail servers: a backup mail exchanger whose domains and users are in PostgreSQL. The
//! numbers in the tests' names are those of the guide's criteria, in its order.
//!
//! The tables are PostfixAdmin's, of which the guide reads; the settings are the guide's, on top of a usual main.cf, and
//! `$password` is a password. Left out: SASL on the submission port, quotas (a patch of Postfix), and what has nothing to do
//! with tables.

use harness::{Package, Sink, System, scenario};

use crate::outage;
use crate::server::{self, End, Kind, Restart, Server};

const CONTENTS: &[&str] = &[
    "CREATE DATABASE postfix;",
    "CREATE ROLE postfix LOGIN;",
    "CREATE TABLE domain (domain varchar(255) NOT NULL PRIMARY KEY, description varchar(255) NOT NULL default '', aliases integer NOT NULL default 0, mailboxes integer NOT NULL default 0, maxquota integer NOT NULL default 0, quota integer NOT NULL default 0, transport varchar(255) default NULL, backupmx boolean NOT NULL default false, created timestamp with time zone default now(), modified timestamp with time zone default now(), active boolean NOT NULL default true);",
    "CREATE TABLE alias (address varchar(255) NOT NULL PRIMARY KEY, goto text NOT NULL, domain varchar(255) NOT NULL REFERENCES domain (domain), created timestamp with time zone default now(), modified timestamp with time zone default now(), active boolean NOT NULL default true);",
    "GRANT SELECT ON domain, alias TO postfix;",
    "ALTER ROLE postfix PASSWORD 'geheim';",
    "INSERT INTO domain (domain, description, backupmx) VALUES ('primary.example', 'A customer', true), ('all.example', 'Another', true), ('empty.example', '', true), ('own.example', 'Our own', false);",
    "INSERT INTO domain (domain, description, backupmx, active) VALUES ('gone.example', 'A customer', true, false);",
    "INSERT INTO alias (address, goto, domain) VALUES ('user@primary.example', 'user@primary.example', 'primary.example'), ('user@empty.example', 'user@empty.example', 'empty.example'), ('@all.example', '@all.example', 'all.example');",
    "INSERT INTO alias (address, goto, domain, active) VALUES ('former@primary.example', 'user@primary.example', 'primary.example', false);",
];

const DOMAINS: &str = "SELECT description FROM domain WHERE domain='%s' AND backupmx='1' AND active='1';";
const RECIPIENTS: &str = "SELECT goto FROM alias WHERE address='%s' AND active='1';";

const MAIN_CF: &str = "relay_domains = pgsql:/etc/postfix/pgsql/relay_domains.cf\n\
     relay_recipient_maps = pgsql:/etc/postfix/pgsql/relay_recipient_maps.cf\n\
     smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n";

/// Lays the guide's server out and starts its database; or says that it is missing.
fn server(system: &System, test: &str, more: &str, settings: &str) -> Option<Server> {
    let contents: Vec<String> = CONTENTS.iter().map(|line| (*line).to_owned()).collect();
    let server = server::start_as_usual(test, Kind::PostgreSql, &contents)?;
    for (name, query) in [("relay_domains", DOMAINS), ("relay_recipient_maps", RECIPIENTS)] {
        let text = format!(
            "# {name}.cf\nuser            = postfix\npassword        = geheim\ndbname          = postfix\n\
             #hosts          = localhost\nquery           = {query}\n{more}"
        );
        system.file(&format!("/etc/postfix/pgsql/{name}.cf"), &text);
    }
    system.main_cf(&format!("{MAIN_CF}{settings}"));
    system.dns(
        "primary.example MX 10 mx.example.net\nprimary.example MX 20 mail.example.com\n\
         all.example MX 10 mx.example.net\nall.example MX 20 mail.example.com\n",
    );
    Some(server)
}

scenario! {
    fn g4_02_03_backup_mx(system) {
        let Some(mut server) = server(system, "g4_02_03_backup_mx", "", "") else { return };
        let primary = Sink::smtp("198.51.100.10:25");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        let unknown = |address: &str| {
            format!("550 5.1.1 <{address}>: Recipient address rejected: User unknown in relay recipient table")
        };
        let denied = |address: &str| format!("554 5.7.1 <{address}>: Relay access denied");
        for (address, reply) in [
            ("user@primary.example", "250 2.1.5 Ok".to_owned()),
            ("nobody@primary.example", unknown("nobody@primary.example")),
            ("former@primary.example", unknown("former@primary.example")),
            ("anybody@all.example", "250 2.1.5 Ok".to_owned()),
            // A domain without a description is no domain.
            ("user@empty.example", denied("user@empty.example")),
            ("user@own.example", denied("user@own.example")),
            ("user@gone.example", denied("user@gone.example")),
            ("user@elsewhere.example", denied("user@elsewhere.example")),
        ] {
            assert_eq!(client.command(&format!("RCPT TO:<{address}>")).text(), reply);
        }
        system.wait_for_log(
            "warning: table \"pgsql:/etc/postfix/pgsql/relay_domains.cf\": empty lookup result for: \"empty.example\" -- ignored$",
        );
        client.expect("DATA", 354);
        assert_eq!(client.message("Subject: to the primary\n\nText.\n").code, 250);
        let mut recipients: Vec<String> = Vec::new();
        system.wait_until("mail at the primary", || {
            recipients = primary.messages().into_iter().flat_map(|message| message.recipients).collect();
            recipients.len() >= 2
        });
        recipients.sort();
        assert!(recipients[0].starts_with("<anybody@all.example>"), "{recipients:?}");
        assert!(recipients[1].starts_with("<user@primary.example>"), "{recipients:?}");
        system.settle();
        assert!(system.logged("to=<user@primary.example>, relay=mx.example.net\\[198.51.100.10\\]:25, .*status=sent"));
        // Nobody knows any more what is relayed.
        server.end(End::Stop);
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<other@example.org>", 250);
        for address in ["other@primary.example", "nobody@elsewhere.example"] {
            let reply = client.command(&format!("RCPT TO:<{address}>"));
            assert_eq!(reply.text(), format!("451 4.3.0 <{address}>: Temporary lookup failure"));
        }
    }
}

scenario! {
    fn g4_04_the_default_host(system) {
        let Some(mut server) = server(system, "g4_04_the_default_host", "", "") else { return };
        let ask = |key: &str, name: &str| {
            let output = system.run(&["postmap", "-q", key, &format!("pgsql:/etc/postfix/pgsql/{name}.cf")]);
            (output.code, output.stdout, output.stderr)
        };
        for (name, key, value) in [
            ("relay_domains", "primary.example", "A customer"),
            ("relay_recipient_maps", "user@primary.example", "user@primary.example"),
            ("relay_recipient_maps", "@all.example", "@all.example"),
        ] {
            assert_eq!(ask(key, name), (0, format!("{value}\n"), String::new()), "{name} {key}");
        }
        for (name, key) in [("relay_domains", "own.example"), ("relay_recipient_maps", "nobody@primary.example")] {
            assert_eq!(ask(key, name), (1, String::new(), String::new()), "{name} {key}");
        }
        server.end(End::Stop);
        let (code, output, errors) = ask("primary.example", "relay_domains");
        assert_eq!((code, output.as_str()), (1, ""));
        assert!(errors.contains("connect to pgsql server localhost: "), "{errors}");
    }
}

scenario! {
    fn g4_mail_outlives_the_database(system) {
        let test = "g4_mail_outlives_the_database";
        if system.package() == Package::Reference {
            // It is too old to know the setting, and waits for a minute.
            return;
        }
        let Some(mut server) = server(system, test, outage::RETRY, outage::SETTINGS) else { return };
        let primary = Sink::smtp("198.51.100.10:25");
        system.start();
        let recipient = |number: usize| match number % 2 {
            0 => "user@primary.example".to_owned(),
            _ => format!("anybody{number}@all.example"),
        };
        outage::outlive(system, &mut server, recipient, || {
            primary.messages().iter().map(harness::Received::text).collect()
        });
    }
}
