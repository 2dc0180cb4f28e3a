//! Lookup tables as the running system uses them.

use harness::{Package, scenario};

scenario! {
    fn a_changed_table_is_seen_at_once(system) {
        system.main_cf("virtual_alias_maps = lmdb:/etc/postfix/virtual");
        system.table("virtual", "info@example.com alice\n").start();
        system.submit("a@example.org", &["info@example.com"], "Subject: first\n\n");
        system.wait_until("alice", || system.mailbox("alice").contains("first"));
        system.table("virtual", "info@example.com bob\n");
        system.submit("a@example.org", &["info@example.com"], "Subject: second\n\n");
        system.wait_until("bob", || system.mailbox("bob").contains("second"));
        assert!(!system.mailbox("alice").contains("second"));
    }
}

scenario! {
    fn hash_needs_no_index_of_ours(system) {
        if system.package() == Package::Reference {
            return;
        }
        // Only the text, and an index in a format of the past.
        system.file("/etc/postfix/virtual", "info@example.com alice\n");
        system.file("/etc/postfix/virtual.db", "not to be read");
        system.main_cf("virtual_alias_maps = hash:/etc/postfix/virtual").start();
        system.submit("a@example.org", &["info@example.com"], "Subject: first\n\n");
        system.wait_until("alice", || system.mailbox("alice").contains("first"));
    }
}

scenario! {
    fn an_unknown_type_is_an_error_not_a_miss(system) {
        system.main_cf("virtual_alias_maps = nosuch:/etc/postfix/virtual").start();
        let mut client = system.smtp();
        client.expect("EHLO localhost", 250);
        client.expect("MAIL FROM:<a@example.org>", 250);
        let reply = client.command("RCPT TO:<alice@example.com>");
        assert_eq!(reply.code, 451, "{}", reply.text());
        assert!(reply.last().starts_with("451 4.3.0 <alice@example.com>: Temporary lookup failure"), "{}", reply.last());
        system.wait_for_log("error: unsupported dictionary type: nosuch");
    }
}

scenario! {
    fn a_missing_table_defers(system) {
        system.main_cf("transport_maps = lmdb:/etc/postfix/nosuch").start();
        system.sendmail("bob", &["alice"], "Subject: x\n\n").well();
        system.wait_for_log("(error|warning|fatal): .*nosuch.*: No such file or directory");
        system.wait_for_log("status=deferred");
        assert!(system.mailbox("alice").is_empty());
    }
}

scenario! {
    fn proxied_tables_are_read_by_the_service(system) {
        system.main_cf("virtual_alias_maps = proxy:lmdb:/etc/postfix/virtual");
        system.table("virtual", "info@example.com alice\n").start();
        system.submit("a@example.org", &["info@example.com"], "Subject: by proxy\n\n");
        system.wait_until("alice", || system.mailbox("alice").contains("by proxy"));
        let found = system.run(&["postmap", "-q", "info@example.com", "proxy:lmdb:/etc/postfix/virtual"]).well();
        assert_eq!(found.stdout, "alice\n");
    }
}
