//! The course's log line of 2004, as it is today.

use harness::scenario;

use super::server;

scenario! {
    fn g5_13_name_service_error(system) {
        server(system, "");
        system.dns("hotnail.com SERVFAIL");
        system.start();
        system.submit("alice@domain.ork", &["jimsmith@hotnail.com"], "Subject: x\n\nText.\n");
        system.wait_for_log(
            r"^postfix/smtp\[\d+\]: [0-9A-F]+: to=<jimsmith@hotnail.com>, relay=none, delay=[\d.]+, delays=[\d.]+/[\d.]+/[\d.]+/[\d.]+, dsn=4.4.3, status=deferred \(Host or domain name not found. Name service error for name=hotnail.com type=MX: Host not found, try again\)$",
        );
        system.submit("alice@domain.ork", &["jimsmith@notnail.com"], "Subject: x\n\nText.\n");
        system.wait_for_log(
            r"^postfix/smtp\[\d+\]: [0-9A-F]+: to=<jimsmith@notnail.com>, relay=none, .*dsn=5.4.4, status=bounced \(Host or domain name not found. Name service error for name=notnail.com type=(A|AAAA): Host not found\)$",
        );
    }
}
