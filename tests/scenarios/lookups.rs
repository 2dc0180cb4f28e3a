//! Tables that servers answer, and constant ones, as the running system uses them.

use std::path::Path;
use std::time::{Duration, Instant};

use harness::{Package, answers, isolation, scenario};

const MASTER_IN_JAIL: &str = "
    smtp      inet  n       -       y       -       -       smtpd
    rewrite   unix  -       -       y       -       -       trivial-rewrite
    cleanup   unix  n       -       y       -       0       cleanup
";

/// Whether a program is there; the test is skipped otherwise.
fn has(program: &str) -> bool {
    let is_there = Path::new("/usr/bin").join(program).exists();
    if !is_there {
        isolation::skip_inside(&format!("{program} is not installed (scripts/test installs it)"));
    }
    is_there
}

scenario! {
    fn servers_are_asked_from_a_jail(system) {
        answers::tcp_table("127.0.0.1:1601", "info@example.com => 200 alice\nlater@example.com => 400 busy\n* => 500 no\n");
        answers::socketmap(
            "127.0.0.1:1602",
            "map team@example.com => OK bob\nmap broken@example.com => PERM no\n* => NOTFOUND \n",
        );
        system.main_cf(
            "virtual_alias_maps = tcp:localhost:1601, socketmap:inet:localhost:1602:map",
        );
        system.master_cf(MASTER_IN_JAIL);
        // The jail knows nothing of the host.
        system.shell("rm -rf /var/spool/postfix/etc").well();
        if system.package() == Package::Reference {
            system.shell("mkdir -p /var/spool/postfix/etc; cp /etc/hosts /etc/nsswitch.conf /var/spool/postfix/etc").well();
        }
        system.start();
        system.submit("a@example.org", &["info@example.com"], "Subject: by tcp\n\n");
        system.wait_until("alice", || system.mailbox("alice").contains("by tcp"));
        system.submit("a@example.org", &["team@example.com"], "Subject: by socketmap\n\n");
        system.wait_until("bob", || system.mailbox("bob").contains("by socketmap"));
        let mut client = system.smtp();
        client.expect("EHLO localhost", 250);
        client.expect("MAIL FROM:<a@example.org>", 250);
        for address in ["later", "broken"] {
            let reply = client.command(&format!("RCPT TO:<{address}@example.com>"));
            assert_eq!(reply.code, 451, "{}", reply.text());
        }
        system.wait_for_log("socketmap server permanent error: no");
    }
}

scenario! {
    fn a_server_that_hangs_holds_up_its_own_client_only(system) {
        if system.package() == Package::Reference {
            return;
        }
        // It accepts, and says nothing; and another that is well.
        let silent = std::net::TcpListener::bind("127.0.0.1:1603").expect("bind");
        answers::tcp_table("127.0.0.1:1601", "* => 500 no\n");
        system.main_cf(
            "smtpd_recipient_restrictions = check_recipient_access tcp:127.0.0.1:1601,\n  \
             check_sender_access tcp:127.0.0.1:1601, check_client_access inline:{198.51.100.1=hang}, reject_unauth_destination\n\
             smtpd_restriction_classes = hang\nhang = check_helo_access tcp:127.0.0.1:1603\n",
        );
        system.start();
        let mut stuck = system.smtp_from("198.51.100.1");
        stuck.expect("EHLO stuck.example.org", 250);
        stuck.expect("MAIL FROM:<a@example.org>", 250);
        stuck.send_line("RCPT TO:<alice@example.com>");
        std::thread::sleep(Duration::from_millis(300));
        let begin = Instant::now();
        for _ in 0..20 {
            let mut client = system.smtp();
            client.expect("EHLO localhost", 250);
            client.expect("MAIL FROM:<a@example.org>", 250);
            client.expect("RCPT TO:<alice@example.com>", 250);
            client.expect("QUIT", 221);
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
        drop(silent);
    }
}

scenario! {
    fn a_constant_table_is_replaced_under_a_running_system(system) {
        system.main_cf("virtual_alias_maps = cdb:/etc/postfix/virtual");
        let write = |text: &str| {
            system.file("/etc/postfix/virtual", text);
            system.run(&["postmap", "cdb:/etc/postfix/virtual"]).well();
        };
        write("info@example.com alice\n");
        system.start();
        system.submit("a@example.org", &["info@example.com"], "Subject: first\n\n");
        system.wait_until("alice", || system.mailbox("alice").contains("first"));
        // Times of files are compared in seconds.
        std::thread::sleep(Duration::from_millis(1100));
        write("info@example.com bob\n");
        system.wait_until("bob", || {
            system.submit("a@example.org", &["info@example.com"], "Subject: later\n\n");
            system.settle();
            system.mailbox("bob").contains("later")
        });
        system.wait_for_log("table cdb:/etc/postfix/virtual.* has changed -- restarting");
    }
}

/// Asks twice for a recipient who has to be probed. The second answer comes from the cache.
fn probe(system: &harness::System, address: &str) -> String {
    let mut code = 0;
    system.wait_until("the probe's result", || {
        let mut client = system.smtp();
        client.expect("EHLO localhost", 250);
        client.expect("MAIL FROM:<a@example.org>", 250);
        code = client.command(&format!("RCPT TO:<{address}>")).code;
        client.command("QUIT");
        code != 450
    });
    code.to_string()
}

scenario! {
    fn verify_keeps_its_results_on_a_redis_server(system) {
        if system.package() == Package::Reference || !has("redis-server") {
            return;
        }
        system.file(
            "/etc/postfix/verify.cf",
            "redis = inet:127.0.0.1:6379\nkey_format = verify:%s\npassword = secret\n",
        );
        system.shell(
            "redis-server --port 6379 --bind 127.0.0.1 --save '' --appendonly no --requirepass secret --daemonize yes --dir /tmp",
        ).well();
        system.main_cf(
            "address_verify_map = redis:/etc/postfix/verify.cf\nunverified_recipient_reject_code = 550\n\
             smtpd_recipient_restrictions = reject_unauth_destination, reject_unverified_recipient\n\
             local_recipient_maps =\n",
        );
        system.start();
        assert_eq!(probe(system, "alice@example.com"), "250");
        assert_eq!(probe(system, "nobody-here@example.com"), "550");
        let keys = system.shell("redis-cli -a secret --no-auth-warning keys '*' | sort").well().stdout;
        assert!(keys.contains("verify:alice@example.com\n"), "{keys}");
        assert!(keys.contains("verify:nobody-here@example.com\n"), "{keys}");
        // What another mail server knows is known here.
        system.shell("redis-cli -a secret --no-auth-warning rename verify:alice@example.com verify:shared@example.com").well();
        assert_eq!(probe(system, "shared@example.com"), "250");
        let listed = system.run(&["postmap", "-s", "redis:/etc/postfix/verify.cf"]).well().stdout;
        assert!(listed.contains("shared@example.com\t0:0:"), "{listed}");
        assert!(!system.logged("secret"));
    }
}

scenario! {
    fn verify_keeps_its_results_on_memcached_and_in_a_file(system) {
        if !has("memcached") {
            return;
        }
        system.file(
            "/etc/postfix/verify.cf",
            "memcache = inet:127.0.0.1:11211\nbackup = proxy:lmdb:/var/lib/postfix/verify_cache\nkey_format = verify:%s\n",
        );
        system.shell("memcached -d -u root -U 0 -l 127.0.0.1 -p 11211 -P /tmp/memcached.pid").well();
        system.main_cf(
            "address_verify_map = memcache:/etc/postfix/verify.cf\nunverified_recipient_reject_code = 550\n\
             proxy_write_maps = proxy:lmdb:/var/lib/postfix/verify_cache\nproxy_read_maps = $proxy_write_maps\n\
             smtpd_recipient_restrictions = reject_unauth_destination, reject_unverified_recipient\n\
             local_recipient_maps =\n",
        );
        system.start();
        assert_eq!(probe(system, "alice@example.com"), "250");
        let entry = system.run(&["postmap", "-q", "alice@example.com", "lmdb:/var/lib/postfix/verify_cache"]).well();
        assert!(entry.stdout.starts_with("0:0:"), "{}", entry.stdout);
        let cached = system.run(&["postmap", "-q", "alice@example.com", "memcache:/etc/postfix/verify.cf"]).well();
        assert_eq!(cached.stdout, entry.stdout);
        // Without the server the file answers.
        system.shell("kill -9 $(cat /tmp/memcached.pid); sleep 0.2").well();
        assert_eq!(probe(system, "alice@example.com"), "250");
        system.wait_for_log("warning: connect to 127.0.0.1:11211: Connection refused");
    }
}
