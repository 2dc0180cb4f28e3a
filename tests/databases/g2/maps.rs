//! What the tables say.

use harness::{Package, scenario};

use super::{TABLES, server, table};

scenario! {
    fn g2_01_maps(system) {
        let Some(server) = server(system, "g2_01_maps", "") else { return };
        let ask = |key: &str, name: &str| {
            let output = system.run(&["postmap", "-q", key, &format!("mysql:/etc/postfix/mysql-virtual_{name}.cf")]);
            (output.code, output.stdout, output.stderr)
        };
        let found = |value: &str| (0, format!("{value}\n"), String::new());
        let missing = (1, String::new(), String::new());
        for (name, key, value) in [
            ("domains", "d3xt3r01.tk", "d3xt3r01.tk"),
            ("forwardings", "proba@d3xt3r01.tk", "dexter@d3xt3r01.tk"),
            ("forwardings", "info@d3xt3r01.tk", "sales@d3xt3r01.tk, billing@anotherdomain.tld"),
            ("forwardings", "@example.tk", "@anotherdomain.tld"),
            ("mailboxes", "dexter@d3xt3r01.tk", "d3xt3r01.tk/dexter/"),
            ("email2email", "Dexter@D3xt3r01.tk", "dexter@d3xt3r01.tk"),
            ("mailbox_limit_maps", "dexter@d3xt3r01.tk", "10485760"),
        ] {
            assert_eq!(ask(key, name), found(value), "{name} {key}");
        }
        for (name, _) in TABLES {
            assert_eq!(ask("nobody@elsewhere.tld", name), missing, "{name}");
            let mode = system.shell(&format!("stat -c '%a %U:%G' /etc/postfix/mysql-virtual_{name}.cf")).well();
            assert_eq!(mode.stdout, "640 root:postfix\n");
        }
        // "localhost" is a socket, and not the network.
        table(system, "domains", TABLES[0].1, "localhost", "");
        let (code, output, errors) = ask("d3xt3r01.tk", "domains");
        assert_eq!((code, output.as_str()), (1, ""));
        let why = "postmap: warning: connect to mysql server localhost: Can't connect to local server through socket '/run/mysqld/mysqld.sock' (2)";
        assert!(errors.contains(why), "{errors}");
        system.shell(&format!("mkdir -p /run/mysqld && ln -s {} /run/mysqld/mysqld.sock", server.socket().display())).well();
        assert_eq!(ask("d3xt3r01.tk", "domains"), found("d3xt3r01.tk"));
    }
}

scenario! {
    fn g2_01_a_socket_outside_of_the_jail(system) {
        let Some(server) = server(system, "g2_01_a_socket_outside_of_the_jail", "") else { return };
        system.shell(&format!("mkdir -p /run/mysqld && ln -s {} /run/mysqld/mysqld.sock", server.socket().display())).well();
        let places = |direct: &str| {
            for (name, query) in TABLES {
                table(system, name, query, if *name == "email2email" { direct } else { "localhost" }, "");
            }
        };
        let ask = || {
            let mut client = system.smtp_from("203.0.113.5");
            client.expect("EHLO client.example.org", 250);
            client.expect("MAIL FROM:<someone@example.org>", 250);
            client.command("RCPT TO:<ana@plain.tk>").text()
        };
        // What proxymap reads for others is not in a jail; what smtpd reads for itself is.
        places("localhost");
        system.start();
        assert_eq!(ask(), "451 4.3.0 <ana@plain.tk>: Temporary lookup failure");
        system.wait_for_log("smtpd.*: warning: connect to mysql server localhost: Can't connect to local server through socket");
        places("127.0.0.1");
        system.stop().start();
        assert_eq!(ask(), "250 2.1.5 Ok");
    }
}

scenario! {
    fn g2_15_tables_that_proxymap_may_read(system) {
        let Some(_server) = server(system, "g2_15_tables_that_proxymap_may_read", "") else { return };
        system.start();
        // The parameter of a patch that is not there names a table all the same; so it may be read.
        let limits = "proxy:mysql:/etc/postfix/mysql-virtual_mailbox_limit_maps.cf";
        assert_eq!(system.run(&["postmap", "-q", "dexter@d3xt3r01.tk", limits]).well().stdout, "10485760\n");
        let ask = |address: &str| {
            let mut client = system.smtp_from("203.0.113.5");
            client.expect("EHLO client.example.org", 250);
            client.expect("MAIL FROM:<someone@example.org>", 250);
            client.command(&format!("RCPT TO:<{address}>")).text()
        };
        assert_eq!(ask("ana@plain.tk"), "250 2.1.5 Ok");
        // Names that mean nothing are nothing; a table that is left out is not read.
        let main = system.read("/etc/postfix/main.cf");
        let left_out = main.replace(" $virtual_alias_maps ", " $no_such_parameter ");
        assert_ne!(main, left_out);
        system.whole_main_cf(&left_out).reload();
        let mark = system.mark();
        // Postfix's server ends with that, and so has no answer.
        let _client = std::net::TcpStream::connect("192.0.2.1:25").expect("a connection");
        if system.package() == Package::Ours {
            assert_eq!(ask("ana@plain.tk"), "451 4.3.0 <ana@plain.tk>: Temporary lookup failure");
        }
        let table = "mysql:/etc/postfix/mysql-virtual_forwardings.cf";
        system.wait_for_log_since(mark, &format!("proxymap.*: warning: request for unapproved table: \"{table}\"$"));
        system.wait_for_log_since(mark, &format!("smtpd.*: proxymap service is not configured for table \"{table}\""));
    }
}
