//! Who we are: myorigin from a file, mydestination with an empty element.

use harness::scenario;

use super::server;

scenario! {
    fn g5_03_myorigin_is_the_first_line_of_the_file(system) {
        server(system, "");
        system.start();
        let output = system.run(&["postconf", "-h", "myorigin"]).well();
        assert_eq!(output.stdout, "/etc/mailname\n");
        system.file("/etc/mailname", "origin.domain.ork\nnot this line\n");
        system.reload();
        system.sendmail("bob", &["alice@localhost"], "Subject: x\n\nText.\n").well();
        system.wait_for_log(r"qmgr\[\d+\]: [0-9A-F]+: from=<bob@origin.domain.ork>, size=");
        system.settle();
        let mail = system.mailbox("alice");
        assert!(mail.contains("\nFrom: bob@origin.domain.ork\n"), "{mail}");
    }
}

scenario! {
    fn g5_04_an_empty_element_is_ignored(system) {
        server(system, "");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        for domain in ["mail.domain.ork", "domain.ork", "localhost", "DOMAIN.ORK"] {
            client.expect(&format!("RCPT TO:<bob@{domain}>"), 250);
        }
        client.expect("RCPT TO:<bob@trinkets.bis>", 554);
        assert!(!system.logged("warning"), "{:?}", system.log());
    }
}
