//! body_checks against attachments: as the course has them, and as they work today.

use harness::{Reply, System, scenario};

use super::server;

/// As printed.
const RULES: &str = r#"/^(.*)name\=\"(.*)\.vbs\"$/ REJECT Mail contains banned attachment
/^(.*)name\=\"(.*)\.pif\"$/ REJECT Mail contains banned attachment
/^(.*)name\=\"(.*)\.scr\"$/ REJECT Mail contains banned attachment
/^(.*)name\=\"(.*)\.exe\"$/ REJECT Mail contains banned attachment
/^(.*)name\=\"(.*)\.com\"$/ REJECT
/^(.*)name\=\"(.*)\.lnk\"$/ REJECT Mail contains banned attachment
/^(.*)name\=\"(.*)\.dot\"$/ REJECT Mail contains banned attachment
/^(.*)name\=\"(.*)\.zip\"$/ HOLD
"#;

fn mail(name: &str) -> String {
    format!(
        "From: someone@example.org\nSubject: files\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b\"\n\n\
         --b\nContent-Type: text/plain\n\nHere it is.\n--b\nContent-Type: application/octet-stream; name=\"{name}\"\n\
         Content-Disposition: attachment;\n filename=\"{name}\"\n\nMZ\n--b--\n"
    )
}

fn send(system: &System, text: &str) -> Reply {
    let mut client = system.smtp_from("203.0.113.5");
    client.expect("EHLO client.example.org", 250);
    client.expect("MAIL FROM:<someone@example.org>", 250);
    client.expect("RCPT TO:<bob@domain.ork>", 250);
    client.expect("DATA", 354);
    let reply = client.message(text);
    client.command("QUIT");
    reply
}

scenario! {
    fn g5_06_part_headers_are_no_body(system) {
        server(system, "body_checks = pcre:/etc/postfix/body_checks");
        system.file("/etc/postfix/body_checks", RULES);
        system.start();
        assert_eq!(send(system, &mail("virus.exe")).code, 250);
        system.settle();
        assert!(!system.logged("cleanup.*reject"), "{:?}", system.log());
        assert!(system.mailbox("bob").contains("virus.exe"));
    }
}

scenario! {
    fn g5_06_mime_header_checks_see_them(system) {
        server(system, "mime_header_checks = pcre:/etc/postfix/body_checks");
        system.file("/etc/postfix/body_checks", RULES);
        system.start();
        let reply = send(system, &mail("virus.EXE"));
        assert_eq!(reply.text(), "550 5.7.1 Mail contains banned attachment");
        system.wait_for_log(
            r#"postfix/cleanup\[\d+\]: [0-9A-F]+: reject: (mime-)?header Content-Type: application/octet-stream; name="virus.EXE" from client.example.org\[203.0.113.5\]; from=<someone@example.org> to=<bob@domain.ork> proto=ESMTP helo=<client.example.org>: 5.7.1 Mail contains banned attachment$"#,
        );
    }
}

scenario! {
    fn g5_06_header_checks_see_them_too(system) {
        server(system, "header_checks = pcre:/etc/postfix/body_checks");
        system.file("/etc/postfix/body_checks", RULES);
        system.start();
        let reply = send(system, &mail("virus.exe"));
        assert_eq!(reply.text(), "550 5.7.1 Mail contains banned attachment");
    }
}

scenario! {
    fn g5_06_without_mime_processing_the_body_is_one(system) {
        server(system, "body_checks = pcre:/etc/postfix/body_checks\ndisable_mime_input_processing = yes");
        system.file("/etc/postfix/body_checks", RULES);
        system.start();
        let reply = send(system, &mail("virus.exe"));
        assert_eq!(reply.text(), "550 5.7.1 Mail contains banned attachment");
        system.wait_for_log(
            r#"postfix/cleanup\[\d+\]: [0-9A-F]+: reject: body Content-Type: application/octet-stream; name="virus.exe" from client.example.org\[203.0.113.5\]; from=<someone@example.org> to=<bob@domain.ork> proto=ESMTP helo=<client.example.org>: 5.7.1 Mail contains banned attachment$"#,
        );
    }
}

scenario! {
    fn g5_07_reject_without_a_reason(system) {
        server(system, "mime_header_checks = pcre:/etc/postfix/body_checks\nbody_checks = pcre:/etc/postfix/body_checks");
        system.file("/etc/postfix/body_checks", RULES);
        system.start();
        assert_eq!(send(system, &mail("a.com")).text(), "550 5.7.1 message content rejected");
        let reply = send(system, "Subject: x\n\nas text: name=\"b.com\"\n");
        assert_eq!(reply.text(), "550 5.7.1 message content rejected");
        system.wait_for_log(
            r#"cleanup\[\d+\]: [0-9A-F]+: reject: body as text: name="b.com" from client.example.org\[203.0.113.5\]; from=<someone@example.org> to=<bob@domain.ork> proto=ESMTP helo=<client.example.org>: 5.7.1 message content rejected$"#,
        );
        system.settle();
        assert_eq!(system.mailbox("bob"), "");
    }
}

scenario! {
    fn g5_07_hold_look_and_release(system) {
        server(system, "mime_header_checks = pcre:/etc/postfix/body_checks");
        system.file("/etc/postfix/body_checks", RULES);
        system.start();
        let reply = send(system, &mail("a.zip"));
        assert_eq!(reply.code, 250, "{}", reply.text());
        let id = reply.last().rsplit(' ').next().expect("a queue id").to_owned();
        system.wait_for_log(&format!(
            r#"postfix/cleanup\[\d+\]: {id}: hold: (mime-)?header Content-Type: application/octet-stream; name="a.zip" from client.example.org\[203.0.113.5\]; from=<someone@example.org> to=<bob@domain.ork> proto=ESMTP helo=<client.example.org>$"#,
        ));
        system.settle();
        assert_eq!(system.queue("hold"), [id.as_str()]);
        let listing = system.run(&["mailq"]).well().stdout;
        assert!(listing.contains(&format!("\n{id}!")), "{listing}");
        let text = system.run(&["postcat", "-q", &id]).well().stdout;
        assert!(text.starts_with(&format!("*** ENVELOPE RECORDS hold/{id} ***\n")), "{text}");
        assert!(text.contains(&format!("\n*** MESSAGE CONTENTS hold/{id} ***\n")), "{text}");
        assert!(text.contains("filename=\"a.zip\"\n"), "{text}");
        assert!(text.ends_with(&format!("*** HEADER EXTRACTED hold/{id} ***\n*** MESSAGE FILE END hold/{id} ***\n")), "{text}");
        // Requeued, it goes through cleanup again, and is held again.
        let mark = system.mark();
        let output = system.run(&["postsuper", "-r", &id]).well();
        assert_eq!(output.stderr, format!("postsuper: {id}: requeued\npostsuper: Requeued: 1 message\n"));
        system.run(&["postfix", "reload"]).well();
        system.wait_for_log_since(mark, r"cleanup\[\d+\]: [0-9A-F]+: hold: ");
        system.settle();
        let held = system.queue("hold");
        assert_eq!(held.len(), 1);
        // Released, it waits for the next look at the deferred ones.
        let output = system.run(&["postsuper", "-H", &held[0]]).well();
        assert_eq!(output.stderr, format!("postsuper: {}: released from hold\npostsuper: Released from hold: 1 message\n", held[0]));
        assert_eq!(system.queue("deferred"), held);
        system.run(&["postqueue", "-f"]).well();
        system.wait_for_log("to=<bob@domain.ork>, .*status=sent");
        // And one to delete.
        let reply = send(system, &mail("b.zip"));
        let id = reply.last().rsplit(' ').next().expect("a queue id").to_owned();
        system.settle();
        let output = system.run(&["postsuper", "-d", &id]).well();
        assert_eq!(output.stderr, format!("postsuper: {id}: removed\npostsuper: Deleted: 1 message\n"));
        assert!(system.queue("hold").is_empty());
    }
}
