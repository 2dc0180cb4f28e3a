//! Where mail goes from here, as the transport table says; and that a change is seen without a word to the mail system.

use std::time::Duration;

use harness::{Sink, scenario};

use super::{DATABASE, PASSWORD, USER, maildir, server};

/// Rows in the guide's words, the most general first, with addresses of our own in place of the guide's.
const ROWS: &str = "INSERT INTO transport (domain, transport) VALUES
    ('*', 'smtp:[198.51.100.12]'), ('.parent.tld', 'smtp:[198.51.100.14]:2025'), ('d3xt3r01.tk', ':'),
    ('host.tld', 'smtp:mail.anotherdomain.tld'), ('port.tld', 'smtp:mail.anotherdomain.tld:2025'),
    ('ip.tld', 'smtp:[198.51.100.13]'), ('joe@host.tld', 'smtp:[198.51.100.15]'),
    ('joe+list@host.tld', 'smtp:[198.51.100.16]');";

scenario! {
    fn g2_13_14_transports(system) {
        let settings = "recipient_delimiter = +\n";
        let Some(server) = server(system, "g2_13_14_transports", settings) else { return };
        server.execute(USER, PASSWORD, DATABASE, ROWS);
        let sinks = [
            "198.51.100.10:25", "198.51.100.10:2025", "198.51.100.12:25", "198.51.100.13:25", "198.51.100.14:2025",
            "198.51.100.15:25", "198.51.100.16:25",
        ].map(|address| (address, Sink::smtp(address)));
        system.start();
        let goes_to = |recipient: &str, address: &str| {
            for (_, sink) in &sinks {
                sink.clear();
            }
            system.submit("sender@d3xt3r01.tk", &[recipient], "Subject: x\n\nText.\n");
            let (_, sink) = sinks.iter().find(|sink| sink.0 == address).expect("a sink");
            let message = sink.wait_for(1, Duration::from_secs(10)).remove(0);
            assert!(message.recipients[0].starts_with(&format!("<{recipient}>")), "{recipient}: {message:?}");
        };
        for (recipient, address) in [
            ("ann@host.tld", "198.51.100.10:25"),
            ("ann@port.tld", "198.51.100.10:2025"),
            ("ann@ip.tld", "198.51.100.13:25"),
            ("ann@sub.parent.tld", "198.51.100.14:2025"),
            ("ann@a.b.parent.tld", "198.51.100.14:2025"),
            ("joe@host.tld", "198.51.100.15:25"),
            ("joe+other@host.tld", "198.51.100.15:25"),
            ("joe+list@host.tld", "198.51.100.16:25"),
            ("ann@parent.tld", "198.51.100.12:25"),
            ("ann@elsewhere.tld", "198.51.100.12:25"),
        ] {
            goes_to(recipient, address);
        }
        // Nothing in particular: as if there were no row.
        system.submit("sender@d3xt3r01.tk", &["dexter@d3xt3r01.tk"], "Subject: x\n\nText.\n");
        system.wait_until("dexter's mail", || maildir(system, "d3xt3r01.tk/dexter").len() == 1);
        // The next address of the domain goes where the table says by then.
        let change = "UPDATE transport SET transport = 'smtp:[198.51.100.15]' WHERE domain = 'ip.tld'; \
                      INSERT INTO transport VALUES ('new.tld', 'smtp:[198.51.100.16]');";
        server.execute(USER, PASSWORD, DATABASE, change);
        goes_to("bob@ip.tld", "198.51.100.15:25");
        goes_to("bob@new.tld", "198.51.100.16:25");
        assert!(!system.logged("status=(bounced|deferred)"));
    }
}
