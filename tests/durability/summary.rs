//! pflogsumm on the logs of both systems: the same traffic, the same totals.

use std::path::Path;

use harness::{Package, Sink, System, isolation, scenario};
use regex::Regex;

use crate::exchange;

const MAIN: &str = "
    transport_maps = inline:{example.net=smtp:[198.51.100.10], {bounce.test=error:5.1.1 nobody}}
    virtual_alias_maps = inline:{forward@example.com=someone@example.net}
    smtpd_sender_restrictions = check_sender_access inline:{bad@example.org=REJECT}
    header_checks = regexp:/etc/postfix/checks
    message_size_limit = 50000
    enable_long_queue_ids = yes
    minimal_backoff_time = 1000s
    smtpd_error_sleep_time = 0
    ";

scenario! {
    fn pflogsumm_totals(system) {
        if let Some(why) = exchange::obstacle() {
            return isolation::skip_inside(&why);
        }
        if !Path::new("/usr/sbin/pflogsumm").exists() {
            return isolation::skip_inside("pflogsumm is missing");
        }
        let sink = Sink::smtp("198.51.100.10:25");
        // Long ids have as many digits as the inode numbers need: let them all be three.
        system.shell("cd /var/spool/postfix && seq 3000 | xargs touch && seq 3000 | xargs rm").well();
        let ours = summary(system, Package::Ours, &sink);
        let reference = summary(system, Package::Reference, &sink);
        println!("{reference}");
        assert!(ours == reference, "ours:\n{ours}\nthe reference's:\n{reference}");
        for total in [r"(?m)^ +[1-9]\d* +received$", r"(?m)^ +[1-9]\d* +delivered$", r"(?m)^ +[1-9]\d* +deferred ", r"(?m)^ +[1-9]\d* +bounced$", r"(?m)^ +[1-9]\d* +rejected "] {
            assert!(Regex::new(total).expect("a pattern").is_match(&reference), "nothing like {total} in\n{reference}");
        }
    }
}

/// What pflogsumm says of the traffic on this system.
fn summary(system: &mut System, package: Package, sink: &Sink) -> String {
    exchange::install(system, package);
    system.main_cf(MAIN);
    system.file("/etc/postfix/checks", "/^Subject: hold/ HOLD\n/^Subject: drop/ DISCARD\n/^Subject: no/ REJECT not this\n/^Subject: warn/ WARN look\n");
    system.aliases("postmaster: root\nteam: bob, carol, someone@example.net\n");
    sink.obey();
    sink.on("RCPT TO:<LATER", "450 4.2.0 later");
    sink.on("RCPT TO:<NEVER", "550 5.1.1 never");
    let mark = system.mark();
    system.start();
    traffic(system);
    system.settle();
    system.run(&["postqueue", "-f"]).well();
    std::thread::sleep(std::time::Duration::from_secs(1));
    system.settle();
    sink.obey();
    system.run(&["postqueue", "-f"]).well();
    std::thread::sleep(std::time::Duration::from_secs(1));
    system.settle();
    system.stop();
    let log: String =
        system.log_since(mark).iter().map(|line| format!("Nov 20 12:00:00 mail {line}\n")).collect();
    system.run(&["postsuper", "-d", "ALL"]).well();
    system.file("/tmp/log", &log);
    let text = system.run(&["pflogsumm", "/tmp/log"]).well().stdout;
    // What the programs warn of is another matter, and so is their version.
    let (totals, rest) = text.split_once("\nWarnings\n").expect("the part with warnings");
    let (_, bad) = rest.split_once("\nFatal Errors").expect("the part with errors");
    let (bad, _) = bad.split_once("\nMaster daemon messages").expect("the last part");
    let text = format!("{totals}\nFatal Errors{bad}");
    // How long it took is not the same.
    Regex::new(r"\d+\.\d [smhd]\b").expect("a pattern").replace_all(&text, "TIME").into_owned()
}

fn traffic(system: &System) {
    let text = |subject: &str, size: usize| format!("Subject: {subject}\n\n{}", "Text of it.\n".repeat(size));
    for number in 0..12 {
        system.submit("alice@example.com", &["someone@example.net"], &text("plain", number * 100));
        // One after another: a second delivery to a mailbox may find the first one's lock.
        system.settle();
    }
    system.submit(
        "alice@example.com",
        &["later1@example.net", "later2@example.net", "now@example.net"],
        &text("x", 5),
    );
    system.submit("alice@example.com", &["never@example.net", "now@example.net"], &text("x", 5));
    system.submit("client@example.org", &["alice@example.com", "bob@example.com"], &text("local", 9));
    system.submit("client@example.org", &["team@example.com"], &text("alias", 3));
    system.submit("client@example.org", &["forward@example.com"], &text("forward", 3));
    system.submit("", &["bob@example.com"], &text("null", 3));
    system.submit("client@example.org", &["bob@example.com"], &text("hold this", 3));
    system.submit("client@example.org", &["bob@example.com"], &text("drop this", 3));
    system.submit("client@example.org", &["bob@example.com"], &text("warn of this", 3));
    system.sendmail("alice", &["bob", "later3@example.net"], &text("sendmail", 2)).well();
    system.sendmail("bob", &["nosuchuser@example.com"], &text("sendmail", 2)).well();
    let mut client = system.smtp_from("203.0.113.5");
    client.command("HELO client.example.org");
    client.expect("MAIL FROM:<client@example.org>", 250);
    client.command("RCPT TO:<someone@else.test>");
    client.command("RCPT TO:<nosuchuser@example.com>");
    client.command("RCPT TO:<a@bounce.test>");
    client.expect("RSET", 250);
    client.command("MAIL FROM:<bad@example.org>");
    client.command("RCPT TO:<alice@example.com>");
    client.expect("RSET", 250);
    client.command("MAIL FROM:<client@example.org> SIZE=900000");
    client.expect("RSET", 250);
    client.expect("MAIL FROM:<client@example.org>", 250);
    client.expect("RCPT TO:<alice@example.com>", 250);
    client.expect("DATA", 354);
    client.message(&text("no", 2));
    client.expect("MAIL FROM:<client@example.org>", 250);
    client.expect("RCPT TO:<alice@example.com>", 250);
    client.expect("DATA", 354);
    client.message(&text("large", 9000));
    client.command("MAIL FROM:<client@example.org>");
    client.command("RCPT TO:<alice@example.com>");
    client.command("DATA");
    // Lost in the middle.
    drop(client);
    system.wait_for_log("disconnect from client.example.org");
}
