//! Requests to the three services, and what comes of them.

use std::fs;

use crate::harness::{Done, System};
use dsn::{Dsn, Status, notify, ret};
use ipc::Recipient;
use ipc::bounce::{FLAG_CLEAN, FLAG_DELETE_RECIPIENT, Message, Request};

fn about(sender: &str) -> Message {
    Message {
        queue: "active".into(),
        queue_id: "ABCDEF".into(),
        encoding: "7bit".into(),
        sender: sender.into(),
        ..Message::default()
    }
}

fn recipient(address: &str, dsn_notify: u32) -> Recipient {
    Recipient {
        address: address.into(),
        original: b"alias@rcpt.example".to_vec(),
        dsn_notify,
        ..Recipient::default()
    }
}

fn append(system: &System, service: &str, recipient: Recipient, dsn: Dsn) -> Done {
    let request = Request::Append { flags: 0, queue_id: "ABCDEF".into(), recipient, dsn };
    let done = system.request(service, &request);
    assert_eq!(done.status, Some(0), "{done:?}");
    done
}

fn failure() -> Dsn {
    Dsn::new(
        Status::new("5.1.1"),
        "host mx.rcpt.example[192.0.2.1] said: 550 5.1.1 no such user here (in reply to RCPT TO command)",
    )
    .action("failed")
    .diagnostic("smtp", "550 5.1.1 no such user here")
    .remote("dns", "mx.rcpt.example")
}

#[test]
fn the_log_is_postfixs() {
    let system = System::new("");
    append(&system, "bounce", recipient("odd name@rcpt.example", 0), failure());
    let second = Recipient { original: Vec::new(), offset: 123, ..recipient("two@rcpt.example", 4) };
    append(&system, "bounce", second, Dsn::new(Status::new("5.0.0"), "a\tb").action("failed"));
    let log = fs::read_to_string(system.path("bounce/ABCDEF")).unwrap();
    let said =
        "host mx.rcpt.example[192.0.2.1] said: 550 5.1.1 no such user here (in reply to RCPT TO command)";
    assert_eq!(
        log,
        format!(
            "\n<\"odd name\"@rcpt.example>: {said}\nrecipient=\"odd name\"@rcpt.example\n\
             original_recipient=alias@rcpt.example\nstatus=5.1.1\naction=failed\ndiag_type=smtp\n\
             diag_text=550 5.1.1 no such user here\nmta_type=dns\nmta_mname=mx.rcpt.example\nreason={said}\n\n\
             \n<two@rcpt.example>: a?b\nrecipient=two@rcpt.example\noffset=123\nnotify_flags=4\nstatus=5.0.0\n\
             action=failed\nreason=a?b\n\n"
        )
    );
}

#[test]
fn a_bounce_and_its_copy() {
    let system = System::new("notify_classes = bounce\nenable_threaded_bounces = yes").with_cleanup(&[]);
    system.message("ABCDEF", "me@sender.example", "body");
    append(&system, "bounce", recipient("one@rcpt.example", 0), failure());
    append(&system, "bounce", recipient("quiet@rcpt.example", notify::DELAY), failure());
    let message = Message { dsn_envid: b"env".to_vec(), ..about("me@sender.example") };
    let done = system.request("bounce", &Request::Flush { flags: 0, message });
    assert_eq!(done.status, Some(0));
    assert_eq!(
        done.log,
        [
            "ABCDEF: sender non-delivery notification: NEW000",
            "ABCDEF: postmaster non-delivery notification: NEW001"
        ]
    );
    let [bounce, copy] = &done.posted[..] else { panic!("{done:?}") };
    assert_eq!((bounce.sender.as_str(), bounce.recipient.as_str()), ("", "me@sender.example"));
    assert_eq!((copy.sender.as_str(), copy.recipient.as_str()), ("double-bounce@mail.example", "postmaster"));
    assert!(bounce.text.starts_with("Received: by mail.example (Postfix)\n\tid NEW000; "), "{}", bounce.text);
    for part in [
        "\nFrom: Mail Delivery System <MAILER-DAEMON>\nSubject: Undelivered Mail Returned to Sender\n\
         To: me@sender.example\nReferences: <one@sender.example>\nIn-Reply-To: <one@sender.example>\n\
         Auto-Submitted: auto-replied\nMIME-Version: 1.0\n",
        "\nThis is the mail system at host mail.example.\n",
        "                   The mail system\n\n<one@rcpt.example> (expanded from <alias@rcpt.example>): host\n    \
         mx.rcpt.example[192.0.2.1] said: 550 5.1.1 no such user here (in reply to\n    RCPT TO command)\n\n--ABCDEF.",
        "\nReporting-MTA: dns; mail.example\nOriginal-Envelope-Id: env\nX-Postfix-Queue-ID: ABCDEF\n\
         X-Postfix-Sender: rfc822; me@sender.example\nArrival-Date: Tue, 14 Nov 2023 17:13:20 -0500 (EST)\n\n\
         Final-Recipient: rfc822; one@rcpt.example\nOriginal-Recipient: rfc822; alias@rcpt.example\n\
         Action: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.rcpt.example\n\
         Diagnostic-Code: smtp; 550 5.1.1 no such user here\n\n--ABCDEF.",
        "\nContent-Description: Undelivered Message\nContent-Type: message/rfc822\n\n\
         Return-Path: <me@sender.example>\nFrom: me@sender.example\nSubject: hi\n\nbody\n\n--ABCDEF.",
    ] {
        assert!(bounce.text.contains(part), "{part}\n--- not in ---\n{}", bounce.text);
    }
    assert!(bounce.text.ends_with("/mail.example--\n") && !bounce.text.contains("quiet@"));
    for part in [
        "\nSubject: Postmaster Copy: Undelivered Mail\nTo: postmaster\n",
        "\nAuto-Submitted: auto-generated\n",
        "\nContent-Type: text/plain; charset=us-ascii\n\n\n<one@rcpt.example> ",
        "\n<quiet@rcpt.example> ",
        "\nContent-Description: Undelivered Message Headers\nContent-Type: text/rfc822-headers\n\n\
         Return-Path: <me@sender.example>\nFrom: me@sender.example\nSubject: hi\n\n--ABCDEF.",
    ] {
        assert!(copy.text.contains(part), "{part}\n--- not in ---\n{}", copy.text);
    }
    assert!(!system.path("bounce/ABCDEF").exists());
}

#[test]
fn nobody_is_told_in_circles() {
    let system = System::new("").with_cleanup(&[]);
    system.message("ABCDEF", "", "body");
    append(&system, "bounce", recipient("one@rcpt.example", 0), failure());
    let done = system.request("bounce", &Request::Flush { flags: 0, message: about("") });
    assert!(done.status == Some(0) && done.posted.is_empty() && done.log.is_empty(), "{done:?}");
    assert!(!system.path("bounce/ABCDEF").exists());

    append(&system, "bounce", recipient("one@rcpt.example", 0), failure());
    let message = about("Double-Bounce@mail.example");
    let done = system.request("bounce", &Request::Flush { flags: 0, message });
    assert_eq!(done.log, ["warning: ABCDEF: undeliverable postmaster notification discarded"]);
    assert!(done.status == Some(0) && done.posted.is_empty());
    assert!(!system.path("bounce/ABCDEF").exists());

    let system = System::new("notify_classes = 2bounce").with_cleanup(&[]);
    system.message("ABCDEF", "", "body");
    append(&system, "bounce", recipient("one@rcpt.example", notify::NEVER), failure());
    let done = system.request("bounce", &Request::Flush { flags: 0, message: about("") });
    assert_eq!(done.log, ["ABCDEF: postmaster non-delivery notification: NEW000"]);
    assert_eq!(done.posted[0].sender, "double-bounce@mail.example");
    assert!(done.posted[0].text.contains("\nX-Postfix-Sender: rfc822; MAILER-DAEMON@mail.example\n"));
    assert!(done.posted[0].text.contains("\nContent-Type: message/rfc822\n"));
}

#[test]
fn the_log_stays_until_the_report_is_in_the_queue() {
    let system = System::new("").with_cleanup(&[2]);
    system.message("ABCDEF", "me@sender.example", "body");
    append(&system, "bounce", recipient("one@rcpt.example", 0), failure());
    let flush = |flags| Request::Flush { flags, message: about("me@sender.example") };
    let done = system.request("bounce", &flush(0));
    assert_eq!(done.status, Some(2));
    assert_eq!(
        done.log,
        [
            "ABCDEF: sender non-delivery notification: NEW000",
            "warning: ABCDEF: sender notification failed to me@sender.example: queue file write error"
        ]
    );
    assert!(system.path("bounce/ABCDEF").exists());
    assert_eq!(system.request("bounce", &flush(0)).status, Some(0));
    assert!(!system.path("bounce/ABCDEF").exists());

    // No cleanup service at all.
    let system = System::new("");
    system.message("ABCDEF", "me@sender.example", "body");
    append(&system, "bounce", recipient("one@rcpt.example", 0), failure());
    let done = system.request("bounce", &flush(0));
    assert_eq!(done.status, Some(1));
    assert_eq!(
        done.log,
        [
            "warning: connect to public/cleanup: No such file or directory",
            "warning: ABCDEF: sender notification failed to me@sender.example"
        ]
    );
    assert!(system.path("bounce/ABCDEF").exists());
    // Who asked for it has the log removed.
    assert_eq!(system.request("bounce", &flush(FLAG_CLEAN)).status, Some(1));
    assert!(!system.path("bounce/ABCDEF").exists());
}

#[test]
fn a_message_that_has_gone() {
    let system = System::new("").with_cleanup(&[]);
    let done = system.request("bounce", &Request::Flush { flags: 0, message: about("me@sender.example") });
    assert_eq!(done.status, Some(0));
    let text = &done.posted[0].text;
    assert!(text.contains("\n\n\t--- Delivery report unavailable ---\n\n--ABCDEF."), "{text}");
    assert!(text.contains("\nX-Postfix-Queue-ID: ABCDEF\n\n--ABCDEF."), "{text}");
    assert!(text.ends_with("\nContent-Type: message/rfc822\n\n\t--- Undelivered message unavailable ---\n"));
}

#[test]
fn delays() {
    let system = System::new("delay_warning_time = 4h\nmaximal_queue_lifetime = 5d\nnotify_classes = delay")
        .with_cleanup(&[]);
    system.message("ABCDEF", "me@sender.example", "body");
    let late = Dsn::new(Status::new("4.4.1"), "connect to mx: Connection refused").action("delayed");
    append(&system, "defer", recipient("one@rcpt.example", notify::FAILURE), late.clone());
    let warn = Request::Warn { flags: 0, message: about("me@sender.example") };
    let done = system.request("defer", &warn);
    // Nobody wants to hear of it but the postmaster.
    assert_eq!(
        done.log,
        ["ABCDEF: sender delay notification: NEW000", "ABCDEF: postmaster delay notification: NEW001"]
    );
    assert!(!done.posted[0].is_complete && done.posted[1].is_complete);
    append(&system, "defer", recipient("two@rcpt.example", 0), late);
    let done = system.request("defer", &warn);
    let text = &done.posted[0].text;
    for part in [
        "\nSubject: Delayed Mail (still being retried)\n",
        "\nYour message could not be delivered for more than 4 hour(s).\nIt will be retried until it is 5 day(s) old.\n",
        "\nAction: delayed\nStatus: 4.4.1\nDiagnostic-Code: X-Postfix; connect to mx: Connection refused\n\
         Will-Retry-Until: Sun, 19 Nov 2023 17:13:20 -0500 (EST)\n",
        "\nContent-Description: Undelivered Message Headers\n",
    ] {
        assert!(text.contains(part), "{part}\n--- not in ---\n{text}");
    }
    assert!(!text.contains("one@rcpt.example"));
    assert!(done.posted[1].text.contains("\nSubject: Postmaster Warning: Delayed Mail\n"));
    assert!(system.path("defer/ABCDEF").exists());
}

#[test]
fn deliveries() {
    let system = System::new("").with_cleanup(&[]);
    system.message("ABCDEF", "me@sender.example", "body");
    let trace = |flags| Request::Trace { flags, message: about("me@sender.example") };
    let done = system.request("trace", &trace(0));
    assert!(done.status == Some(0) && done.posted.is_empty() && done.log.is_empty());
    for (flags, subject) in [(0, "Successful Mail Delivery Report"), (1 << 9, "Mail Delivery Status Report")]
    {
        let sent = Dsn::new(Status::new("2.0.0"), "delivered to mailbox").action("delivered");
        append(&system, "trace", recipient("one@rcpt.example", notify::SUCCESS), sent);
        let done = system.request("trace", &trace(flags));
        assert_eq!(done.status, Some(0));
        assert!(done.log[0].starts_with("ABCDEF: sender delivery status notification: NEW"), "{done:?}");
        let text = &done.posted[0].text;
        assert!(text.contains(&format!("\nSubject: {subject}\n")), "{text}");
        assert!(text.contains("\nAction: delivered\nStatus: 2.0.0\n"));
        assert!(text.contains("\nContent-Description: Message Headers\n"));
        assert!(!system.path("trace/ABCDEF").exists());
    }
    append(&system, "trace", recipient("one@rcpt.example", 0), Dsn::new(Status::new("2.0.0"), "ok"));
    let done = system.request("trace", &Request::Trace { flags: 0, message: about("") });
    assert_eq!(done.log, ["ABCDEF: not sending trace/success notification for single-bounce message"]);
    assert!(!system.path("trace/ABCDEF").exists());
}

#[test]
fn verp() {
    let system = System::new("").with_cleanup(&[]);
    system.message("ABCDEF", "list@sender.example", "body");
    let verp = |sender: &str| Request::Verp { flags: 0, message: about(sender), delimiters: b"+=".to_vec() };
    for address in ["one@rcpt.example", "two@rcpt.example"] {
        let recipient = Recipient { original: Vec::new(), ..recipient(address, 0) };
        append(&system, "bounce", recipient, failure());
    }
    let done = system.request("bounce", &verp("list@sender.example"));
    let recipients: Vec<&str> = done.posted.iter().map(|posted| posted.recipient.as_str()).collect();
    assert_eq!(recipients, ["list+one=rcpt.example@sender.example", "list+two=rcpt.example@sender.example"]);
    assert!(done.posted[0].text.contains("\nTo: list+one=rcpt.example@sender.example\n"));
    assert!(!done.posted[0].text.contains("two@"));
    assert!(!system.path("bounce/ABCDEF").exists());
    // Without a log there is still a report.
    let done = system.request("bounce", &verp("list@sender.example"));
    assert_eq!(done.posted[0].recipient, "list@sender.example");
    assert!(
        done.posted[0].text.contains("\n<(recipient address unavailable)>: (error report unavailable)\n")
    );
    let done = system.request("bounce", &verp(""));
    assert_eq!(done.log, ["warning: request to send VERP-style notification of bounced mail"]);
}

#[test]
fn one_recipient_and_its_mark() {
    let system = System::new("bounce_size_limit = 10").with_cleanup(&[]);
    system.message("ABCDEF", "me@sender.example", "body");
    let file = fs::read(system.path("active/ABCDEF")).unwrap();
    let offset = file.windows(18).position(|part| part == b"R\x10one@rcpt.example").unwrap();
    let recipient = Recipient { offset: offset as i64, ..recipient("one@rcpt.example", 0) };
    let message = Message { sendopts: 1 | 32, dsn_ret: ret::FULL, ..about("me@sender.example") };
    let request = |flags| Request::One {
        flags,
        message: message.clone(),
        recipient: Box::new(recipient.clone()),
        dsn: Box::new(failure()),
    };
    let done = system.request("bounce", &request(FLAG_DELETE_RECIPIENT));
    assert_eq!(done.status, Some(0), "{done:?}");
    let text = &done.posted[0].text;
    // The message is too large to return, asked for SMTPUTF8, and for a TLS protection that its report does without.
    assert!(text.contains("\nContent-Type: message/global-delivery-status\n"), "{text}");
    assert!(text.contains("\nContent-Type: message/global-headers\n"), "{text}");
    assert_eq!(done.posted[0].flags & (256 | 1024), 256);
    assert_eq!(fs::read(system.path("active/ABCDEF")).unwrap()[offset], b'D');
    let done = system.request("defer", &request(0));
    assert_eq!(done.status, Some(-1));
    assert_eq!(done.log, ["warning: wrong service name \"defer\" for one-recipient bouncing"]);
}

#[test]
fn hopeless_requests() {
    let system = System::new("notify_classes = everything");
    let message = Message { queue_id: "../x".into(), ..about("me@sender.example") };
    let done = system.request("bounce", &Request::Flush { flags: 0, message });
    assert_eq!((done.status, done.log), (Some(-1), vec!["warning: malformed queue id: ../x".to_owned()]));
    let message = Message { queue: "nowhere".into(), ..about("me@sender.example") };
    let done = system.request("bounce", &Request::Flush { flags: 0, message });
    assert_eq!(
        (done.status, done.log),
        (Some(-1), vec!["warning: malformed queue name: nowhere".to_owned()])
    );
    // No answer: the client will come again.
    let done = system.request("bounce", &Request::Flush { flags: 0, message: about("me@sender.example") });
    let fatal = "fatal: unknown notify_classes value \"everything\" in \"everything\"";
    assert_eq!((done.status, done.log), (None, vec![fatal.to_owned()]));
}

#[test]
fn templates_that_say_other_things() {
    let system = System::new("header_from_format = obsolete").with_cleanup(&[]);
    let template = "failure_template = <<END\nCharset: iso-8859-1\nSubject: Nope\n\n\
                    Sorry, $mail_name at ${myhostname}: ${maximal_queue_lifetime_hours}h $$5\nEND\n";
    fs::write(system.path("templates"), template).unwrap();
    let main = system.path("main.cf");
    let settings = fs::read_to_string(&main).unwrap();
    fs::write(&main, format!("{settings}bounce_template_file = {}\n", system.path("templates").display()))
        .unwrap();
    system.message("ABCDEF", "me@sender.example", "body");
    let done = system.request("bounce", &Request::Flush { flags: 0, message: about("me@sender.example") });
    let text = &done.posted[0].text;
    for part in [
        "\nFrom: MAILER-DAEMON (Mail Delivery System)\nSubject: Nope\n",
        "\nContent-Type: text/plain; charset=iso-8859-1\n\nSorry, Postfix at mail.example: 120h $5\n",
    ] {
        assert!(text.contains(part), "{part}\n--- not in ---\n{text}");
    }
    fs::write(system.path("templates"), "failure_template = $no_such_name\n").unwrap();
    let done = system.request("bounce", &Request::Flush { flags: 0, message: about("me@sender.example") });
    let file = system.path("templates");
    assert_eq!(done.status, None);
    assert_eq!(
        done.log.last().unwrap(),
        &format!("fatal: {}: undefined $name in failure template: $no_such_name", file.display())
    );
}

#[test]
fn utf8_addresses() {
    let settings = "smtputf8_enable = yes\nmyhostname = xn--mller-kva.example";
    let system = System::new(settings).with_cleanup(&[]);
    system.message("ABCDEF", "jörg@sender.example", "body");
    append(&system, "bounce", recipient("añejo@rcpt.example", 0), failure());
    let message = Message { sendopts: 1, ..about("jörg@sender.example") };
    let done = system.request("bounce", &Request::Flush { flags: 0, message });
    let text = &done.posted[0].text;
    for part in [
        "\nContent-Transfer-Encoding: 8bit\n\nThis is a MIME-encapsulated message.\n",
        "\nContent-Description: Notification\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: 8bit\n\nThis is the mail system at host müller.example.\n",
        "\n<añejo@rcpt.example> (expanded from",
        "\nContent-Type: message/global-delivery-status\nContent-Transfer-Encoding: 8bit\n\n\
         Reporting-MTA: dns; xn--mller-kva.example\nX-Postfix-Queue-ID: ABCDEF\n\
         X-Postfix-Sender: utf-8; jörg@sender.example\n",
        "\nFinal-Recipient: utf-8; añejo@rcpt.example\nOriginal-Recipient: rfc822; alias@rcpt.example\n",
        "\nContent-Type: message/global\nContent-Transfer-Encoding: 8bit\n\nReturn-Path: <jörg@sender.example>\n",
    ] {
        assert!(text.contains(part), "{part}\n--- not in ---\n{text}");
    }
    assert_eq!(done.posted[0].flags & 256, 256);
}
