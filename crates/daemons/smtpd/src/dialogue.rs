//! Whole dialogues, byte for byte.

use crate::connection::{Conversation, Wire};
use crate::testing::{Rig, run};
use ipc::cleanup::{Reply, Status};
use ipc::verify::AddressStatus;
use queue::RecordType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const GREETING: &str = "220 mx.example.com ESMTP Postfix\r\n";

#[test]
fn a_message_from_greeting_to_goodbye() {
    run(async {
        let mut rig = Rig::new(&[("message_size_limit", "20480000")]).await;
        assert_eq!(rig.send(b"").await, GREETING);
        assert_eq!(
            rig.talk(&["EHLO client.example.net"]).await,
            "250-mx.example.com\r\n250-PIPELINING\r\n250-SIZE 20480000\r\n250-VRFY\r\n250-ETRN\r\n\
             250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n"
        );
        assert_eq!(
            rig.talk(&[
                "MAIL FROM:<a@example.net> SIZE=100 BODY=8BITMIME",
                "RCPT TO:<b@example.com>",
                "DATA"
            ])
            .await,
            "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n"
        );
        assert_eq!(
            rig.talk(&["Subject: x", "", "..dot", ".", "QUIT"]).await,
            "250 2.0.0 Ok: queued as 3Q2B7z0xyzz\r\n221 2.0.0 Bye\r\n<Close>"
        );
        rig.session.finish(&rig.input).await;
        let log = rig.log.take();
        assert_eq!(log[0], "3Q2B7z0xyzz: client=client.example.net[192.0.2.1]");
        assert_eq!(
            log[1],
            "disconnect from client.example.net[192.0.2.1] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"
        );
        let messages = rig.script.messages.borrow();
        let message = &messages[0];
        let attribute = |name: &str| {
            let prefix = format!("{name}=");
            message.iter().find_map(|(kind, text)| match kind {
                RecordType::Attr => text.strip_prefix(prefix.as_str()),
                _ => None,
            })
        };
        assert_eq!(attribute("log_ident"), Some("3Q2B7z0xyzz"));
        assert_eq!(attribute("rewrite_context"), Some("remote"));
        assert_eq!(attribute("encoding"), Some("8bit"));
        assert_eq!(attribute("log_message_origin"), Some("client.example.net[192.0.2.1]"));
        assert_eq!(attribute("dsn_orig_rcpt"), Some("rfc822;b@example.com"));
        let kinds: String = message.iter().map(|(kind, _)| char::from(kind.as_byte())).collect();
        assert_eq!(kinds, "fTAASAAAAAAAAAAAAAAAAARMNNNNNNXE");
        let lines: Vec<&str> = message
            .iter()
            .filter(|(kind, _)| *kind == RecordType::Norm)
            .map(|(_, text)| text.as_str())
            .collect();
        assert_eq!(lines[0], "Received: from client.example.net (client.example.net [192.0.2.1])");
        assert_eq!(lines[1], "\tby mx.example.com (Postfix) with ESMTP id 3Q2B7z0xyzz");
        assert!(lines[2].starts_with("\tfor <b@example.com>; "), "{}", lines[2]);
        assert_eq!(&lines[3..], ["Subject: x", "", ".dot"]);
    });
}

#[test]
fn pipelined_commands_get_their_replies_at_once() {
    run(async {
        let mut rig = Rig::new(&[]).await;
        rig.send(b"").await;
        rig.talk(&["EHLO x"]).await;
        let replies = rig
            .send(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<x@example.com>\r\nRCPT TO:<y@example.com>\r\nDATA\r\n")
            .await;
        assert_eq!(
            replies,
            "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n"
        );
        let replies = rig.send(b"a\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n").await;
        assert_eq!(
            replies,
            "250 2.0.0 Ok: queued as 3Q2B7z0xyzz\r\n250 2.1.0 Ok\r\n250 2.0.0 Ok\r\n221 2.0.0 Bye\r\n<Close>"
        );
        let messages = rig.script.messages.borrow();
        assert!(
            messages[0].iter().any(|(_, text)| text.ends_with("id 3Q2B7z0xyzz;")),
            "two recipients: no `for`"
        );
    });
}

#[test]
fn strangers_do_not_relay() {
    run(async {
        let mut rig = Rig::new(&[]).await;
        rig.send(b"").await;
        let replies = rig.talk(&["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<x@elsewhere.org>", "DATA"]).await;
        assert!(replies.ends_with(
            "554 5.7.1 <x@elsewhere.org>: Relay access denied\r\n554 5.5.1 Error: no valid recipients\r\n"
        ));
        assert_eq!(
            rig.log.take(),
            ["NOQUEUE: reject: RCPT from client.example.net[192.0.2.1]: 554 5.7.1 <x@elsewhere.org>: \
              Relay access denied; from=<a@b.c> to=<x@elsewhere.org> proto=ESMTP helo=<x>"]
        );
    });
}

#[test]
fn unknown_local_users() {
    run(async {
        let mut rig = Rig::new(&[("local_recipient_maps", "inline:{known=x}")]).await;
        rig.send(b"").await;
        let replies = rig
            .talk(&[
                "HELO x",
                "MAIL FROM:<>",
                "RCPT TO:<nobody@example.com>",
                "RCPT TO:<Postmaster>",
                "RCPT TO:<known@example.com>",
            ])
            .await;
        assert_eq!(
            replies,
            "250 mx.example.com\r\n250 2.1.0 Ok\r\n550 5.1.1 <nobody@example.com>: Recipient address rejected: \
             User unknown in local recipient table\r\n250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n"
        );
    });
}

#[test]
fn syntax_and_sequence() {
    run(async {
        let mut rig = Rig::new(&[("smtpd_helo_required", "yes"), ("strict_rfc821_envelopes", "yes")]).await;
        rig.send(b"").await;
        for (command, reply) in [
            ("MAIL FROM:<a@b.c>", "503 5.5.1 Error: send HELO/EHLO first"),
            ("HELO", "501 Syntax: HELO hostname"),
            ("HELO x", "250 mx.example.com"),
            ("MAIL FROM:a@b.c", "501 5.1.7 Bad sender address syntax"),
            ("MAIL <a@b.c>", "501 5.5.4 Syntax: MAIL FROM:<address>"),
            ("MAIL FROM:<a@b.c> FOO", "555 5.5.4 Unsupported option: FOO"),
            ("MAIL FROM:<a@b.c> SIZE=x", "501 5.5.4 Bad message size syntax"),
            ("MAIL FROM:<a@b.c> SIZE=20480001", "552 5.3.4 Message size exceeds fixed limit"),
            ("RCPT TO:<a@b.c>", "503 5.5.1 Error: need MAIL command"),
            ("DATA", "503 5.5.1 Error: need RCPT command"),
            ("MAIL FROM:<a@b.c>", "552 5.3.4 Message size exceeds fixed limit"),
            ("RSET", "250 2.0.0 Ok"),
            ("MAIL FROM:<a@b.c> RET=HDRS ENVID=a+2Bb", "250 2.1.0 Ok"),
            ("MAIL FROM:<a@b.c>", "503 5.5.1 Error: nested MAIL command"),
            ("RCPT TO:<>", "501 5.1.3 Bad recipient address syntax"),
            ("RCPT TO:<x@example.com> NOTIFY=NEVER,DELAY", "501 5.5.4 Error: Bad NOTIFY parameter syntax"),
            ("RCPT TO:<x@example.com> NOTIFY=delay ORCPT=rfc822;x", "250 2.1.5 Ok"),
            ("RSET now", "501 5.5.4 Syntax: RSET"),
            ("NOOP whatever", "250 2.0.0 Ok"),
        ] {
            assert_eq!(rig.talk(&[command]).await, format!("{reply}\r\n"), "{command}");
        }
    });
    run(async {
        let mut rig = Rig::new(&[]).await;
        rig.send(b"").await;
        for (command, reply) in [
            ("VRFY x@example.com", "252 2.0.0 x@example.com"),
            ("VRFY", "501 5.5.4 Syntax: VRFY address [SMTPUTF8]"),
            ("ETRN example.com", "250 Queuing started"),
            ("ETRN a b", "500 Syntax: ETRN domain"),
            ("AUTH PLAIN", "503 5.5.1 Error: authentication not enabled"),
            ("STARTTLS", "502 5.5.1 Error: command not implemented"),
            ("XFORWARD NAME=x", "550 5.7.0 Error: insufficient authorization"),
            ("FOO", "500 5.5.2 Error: command not recognized"),
            ("", "500 5.5.2 Error: bad syntax"),
            (
                "HELP",
                "214 2.0.0 Commands: AUTH BDAT DATA EHLO ETRN HELO HELP MAIL NOOP QUIT RCPT RSET STARTTLS VRFY \
                 XCLIENT XFORWARD",
            ),
            ("GET / HTTP/1.1", "221 2.7.0 Error: I can break rules, too. Goodbye."),
        ] {
            let got = rig.talk(&[command]).await;
            assert_eq!(got.strip_suffix("<Close>").unwrap_or(&got), format!("{reply}\r\n"), "{command}");
        }
        let log = rig.log.take();
        assert_eq!(
            log.last().unwrap(),
            "warning: non-SMTP command from client.example.net[192.0.2.1]: GET / HTTP/1.1"
        );
    });
}

#[test]
fn too_many_errors_end_the_session() {
    run(async {
        let mut rig = Rig::new(&[("smtpd_hard_error_limit", "2")]).await;
        rig.send(b"").await;
        let replies = rig.talk(&["FOO", "BAR"]).await;
        assert!(replies.ends_with("421 4.7.0 mx.example.com Error: too many errors\r\n<Close>"), "{replies}");
        rig.session.finish(&rig.input).await;
        let log = rig.log.take();
        assert_eq!(log[0], "NOQUEUE: too many errors after UNKNOWN from client.example.net[192.0.2.1]");
        assert_eq!(log[1], "disconnect from client.example.net[192.0.2.1] unknown=0/2 commands=0/2");
    });
}

#[test]
fn a_bare_newline_does_not_end_a_message() {
    run(async {
        let mut rig = Rig::new(&[]).await;
        rig.send(b"").await;
        rig.talk(&["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<x@example.com>", "DATA"]).await;
        assert_eq!(rig.send(b"one\n.\r\nMAIL FROM:<smuggled@b.c>\r\n").await, "");
        assert_eq!(rig.send(b"two\r\n.\r\n").await, "250 2.0.0 Ok: queued as 3Q2B7z0xyzz\r\n");
        let text: Vec<String> =
            rig.script.messages.borrow()[0].iter().map(|(_, text)| text.clone()).collect();
        assert!(text.contains(&"MAIL FROM:<smuggled@b.c>".to_owned()));
    });
    run(async {
        let mut rig = Rig::new(&[("smtpd_forbid_bare_newline", "reject")]).await;
        rig.send(b"").await;
        rig.talk(&["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<x@example.com>", "DATA"]).await;
        assert_eq!(
            rig.send(b"one\ntwo\r\n.\r\n").await,
            "550 5.5.2 mx.example.com Error: bare <LF> received\r\n"
        );
        assert_eq!(
            rig.send(b"NOOP\n").await,
            "550 5.5.2 mx.example.com Error: bare <LF> received\r\n<Close>"
        );
        assert!(rig.script.messages.borrow().is_empty());
    });
}

#[test]
fn chunks() {
    run(async {
        let mut rig = Rig::new(&[]).await;
        rig.send(b"").await;
        rig.talk(&["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<x@example.com>"]).await;
        assert_eq!(rig.send(b"BDAT 8\r\na: b\r\nc").await, "");
        assert_eq!(rig.send(b"d").await, "250 2.0.0 Ok: 8 bytes\r\n");
        assert_eq!(
            rig.send(b"BDAT 5 LAST\r\n\r\n.\r\nNOOP\r\n").await,
            "250 2.0.0 Ok: 13 bytes queued as 3Q2B7z0xyzz\r\n250 2.0.0 Ok\r\n"
        );
        let messages = rig.script.messages.borrow();
        let lines: Vec<&str> = messages[0]
            .iter()
            .filter(|(kind, _)| *kind == RecordType::Norm)
            .map(|(_, text)| text.as_str())
            .skip(3)
            .collect();
        assert_eq!(lines, ["a: b", "cd", "."]);
    });
    run(async {
        let mut rig = Rig::new(&[]).await;
        rig.send(b"").await;
        rig.talk(&["EHLO x"]).await;
        assert_eq!(
            rig.send(b"BDAT 3\r\nabcBDAT 2 LAST\r\nxyNOOP\r\n").await,
            "503 5.5.1 Error: need RCPT command\r\n551 5.0.0 Discarded 2 bytes after earlier error\r\n250 2.0.0 Ok\r\n"
        );
        assert_eq!(rig.send(b"BDAT x\r\n").await, "521 5.5.4 Syntax: BDAT count [LAST]\r\n<Close>");
    });
}

#[test]
fn what_cleanup_says_is_what_the_client_gets() {
    for (status, reason, want) in [
        (Status::SIZE, "", "552 5.3.4 Error: message file too big"),
        (Status::CONT, "5.7.1 no spam", "550 5.7.1 no spam"),
        (Status::CONT, "", "550 5.7.1 Error: message content rejected"),
        (Status::DEFER, "4.7.1 later", "451 4.7.1 later"),
        (Status::WRITE, "", "451 4.3.0 Error: queue file write error"),
        (Status::HOPS, "", "554 5.4.0 Error: too many hops"),
        (Status::BAD, "", "451 4.3.0 Error: internal error 1"),
        (Status::CONT, "554 5.7.1 own reply", "554 5.7.1 own reply"),
    ] {
        run(async {
            let mut rig = Rig::new(&[]).await;
            *rig.script.verdict.borrow_mut() = Reply { status, reason: reason.into() };
            rig.send(b"").await;
            rig.talk(&["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<x@example.com>", "DATA"]).await;
            assert_eq!(rig.send(b"x\r\n.\r\n").await, format!("{want}\r\n"));
        });
    }
}

#[test]
fn a_lost_connection_is_logged_with_the_stage() {
    run(async {
        let mut rig = Rig::new(&[]).await;
        rig.send(b"").await;
        rig.talk(&["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<x@example.com>", "DATA"]).await;
        rig.send(b"some\r\ncontent").await;
        rig.session.lost(crate::session::Loss::Connection).await;
        rig.session.finish(&rig.input).await;
        let log = rig.log.take();
        assert_eq!(
            log[1],
            "3Q2B7z0xyzz: lost connection after DATA (13 bytes) from client.example.net[192.0.2.1]"
        );
        assert!(rig.script.messages.borrow().is_empty());
    });
}

#[test]
fn forwarded_and_substituted_clients() {
    run(async {
        let mut rig = Rig::new(&[
            ("smtpd_authorized_xforward_hosts", "192.0.2.1"),
            ("smtpd_authorized_xclient_hosts", "192.0.2.1"),
        ])
        .await;
        rig.send(b"").await;
        assert!(rig.talk(&["EHLO x"]).await.contains(
            "250-XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT\r\n\
             250-XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT\r\n"
        ));
        assert_eq!(
            rig.talk(&["XFORWARD NAME=spike.example.org ADDR=168.100.189.2 IDENT=ABC SOURCE=LOCAL"]).await,
            "250 2.0.0 Ok\r\n"
        );
        rig.talk(&["MAIL FROM:<a@b.c>", "RCPT TO:<x@example.com>"]).await;
        assert_eq!(
            rig.log.take(),
            ["3Q2B7z0xyzz: client=client.example.net[192.0.2.1], orig_queue_id=ABC, \
              orig_client=spike.example.org[168.100.189.2]"]
        );
        rig.talk(&["RSET"]).await;
        assert_eq!(
            rig.talk(&["XCLIENT NAME=[UNAVAILABLE] ADDR=IPv6:2001:db8::1"]).await,
            "501 5.5.4 Bad ADDR syntax: IPv6:2001:db8::1\r\n"
        );
        assert_eq!(rig.talk(&["XCLIENT NAME=evil.example ADDR=203.0.113.9 LOGIN=me"]).await, GREETING);
        assert_eq!(rig.session.namaddr(), "evil.example[203.0.113.9]");
        assert_eq!(
            rig.talk(&["XCLIENT NAME=x.example"]).await,
            "550 5.7.0 Error: insufficient authorization\r\n"
        );
    });
}

#[test]
fn early_talkers_and_unauthorized_pipelining() {
    run(async {
        let mut rig = Rig::new(&[]).await;
        assert_eq!(
            rig.send(b"EHLO x\r\n").await,
            "554 5.5.0 Error: SMTP protocol synchronization\r\n<Close>"
        );
        assert_eq!(
            rig.log.take(),
            ["improper command pipelining after CONNECT from client.example.net[192.0.2.1]: EHLO x\\r\\n"]
        );
    });
}

#[test]
fn limits_of_the_client() {
    run(async {
        let mut rig = Rig::new(&[("smtpd_client_connection_count_limit", "1")]).await;
        rig.script.counts.set(ipc::anvil::Counts { connections: 2, ..Default::default() });
        assert_eq!(
            rig.send(b"").await,
            "421 4.7.0 mx.example.com Error: too many connections from 192.0.2.1\r\n<Close>"
        );
        assert_eq!(
            rig.log.take(),
            [
                "warning: Connection concurrency limit exceeded: 2 from client.example.net[192.0.2.1] for service smtp"
            ]
        );
    });
    run(async {
        let mut rig =
            Rig::new(&[("smtpd_recipient_limit", "1"), ("smtpd_client_message_rate_limit", "5")]).await;
        rig.send(b"").await;
        let replies = rig
            .talk(&["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<x@example.com>", "RCPT TO:<y@example.com>"])
            .await;
        assert!(replies.ends_with("452 4.5.3 Error: too many recipients\r\n"));
        rig.talk(&["RSET"]).await;
        rig.script.counts.set(ipc::anvil::Counts { messages: 6, ..Default::default() });
        assert_eq!(
            rig.talk(&["MAIL FROM:<a@b.c>"]).await,
            "450 4.7.1 Error: too much mail from 192.0.2.1\r\n"
        );
    });
}

#[test]
fn what_is_not_supported_defers_mail() {
    for (name, value) in [
        ("smtpd_recipient_restrictions", "check_policy_service unix"),
        ("smtpd_recipient_restrictions", "permit_nakid_ip_address"),
        ("smtpd_recipient_restrictions", "permit_naked_ip_address"),
    ] {
        run(async {
            let mut rig = Rig::new(&[(name, value)]).await;
            rig.send(b"").await;
            let replies = rig.talk(&["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<x@example.com>"]).await;
            assert!(replies.ends_with("451 4.3.5 Server configuration error\r\n"), "{value}: {replies}");
        });
    }
    run(async {
        let mut rig = Rig::new(&[("smtpd_milters", "inet:localhost:8891")]).await;
        rig.send(b"").await;
        let replies = rig.talk(&["EHLO x", "MAIL FROM:<a@b.c>"]).await;
        assert!(replies.ends_with("451 4.3.5 Server configuration error\r\n"));
    });
}

#[test]
fn policy_servers() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let asked = std::rc::Rc::new(std::cell::RefCell::new(String::new()));
        let heard = asked.clone();
        tokio::task::spawn_local(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            for action in ["DUNNO", "REJECT 5.7.2 not here"] {
                let mut request = Vec::new();
                while !request.ends_with(b"\n\n") {
                    socket.read_buf(&mut request).await.unwrap();
                }
                *heard.borrow_mut() = String::from_utf8(request).unwrap();
                socket.write_all(format!("action={action}\n\n").as_bytes()).await.unwrap();
            }
        });
        let list = format!("check_policy_service unix:{}", path.display());
        let mut rig = Rig::new(&[
            ("smtpd_recipient_restrictions", &list),
            ("smtpd_policy_service_retry_delay", "1"),
            ("smtpd_policy_service_try_limit", "1"),
        ])
        .await;
        rig.send(b"").await;
        let replies = rig
            .talk(&[
                "EHLO h",
                "MAIL FROM:<a@b.c>",
                "RCPT TO:<x@example.com>",
                "RCPT TO:<y@example.com>",
                "RCPT TO:<z@example.com>",
            ])
            .await;
        assert!(
            replies.ends_with(
                "250 2.1.5 Ok\r\n554 5.7.2 <y@example.com>: Recipient address rejected: not here\r\n\
                 451 4.3.5 <z@example.com>: Recipient address rejected: Server configuration problem\r\n"
            ),
            "{replies}"
        );
        let asked = asked.borrow();
        assert!(asked.starts_with(
            "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=192.0.2.1\n\
             client_name=client.example.net\nclient_port=4711\nreverse_client_name=client.example.net\n"
        ));
        assert!(asked.contains("\nhelo_name=h\nsender=a@b.c\nrecipient=y@example.com\nrecipient_count=0\n"));
    });
}

#[test]
fn unverified_addresses() {
    for (answer, want) in [
        (None, "450 4.1.1 <x@example.com>: Recipient address rejected: address verification problem\r\n"),
        (Some((AddressStatus::Ok, b"ok".to_vec())), "250 2.1.5 Ok\r\n"),
        (
            Some((AddressStatus::Bounce, b"no such user".to_vec())),
            "550 5.1.1 <x@example.com>: Recipient address rejected: undeliverable address: no such user\r\n",
        ),
        (
            Some((AddressStatus::Defer, b"later".to_vec())),
            "450 4.1.1 <x@example.com>: Recipient address rejected: unverified address: later\r\n",
        ),
    ] {
        run(async {
            let settings = [
                ("smtpd_recipient_restrictions", "reject_unverified_recipient"),
                ("unverified_recipient_reject_code", "550"),
            ];
            let mut rig = Rig::new(&settings).await;
            *rig.script.verified.borrow_mut() = answer;
            rig.send(b"").await;
            let replies = rig.talk(&["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<x@example.com>"]).await;
            assert!(replies.ends_with(want), "{replies}");
        });
    }
}

#[test]
fn the_postmaster_gets_a_transcript() {
    run(async {
        let mut rig = Rig::new(&[("notify_classes", "policy")]).await;
        rig.send(b"").await;
        rig.talk(&["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<x@elsewhere.org>", "QUIT"]).await;
        rig.session.finish(&rig.input).await;
        let messages = rig.script.messages.borrow();
        let has = |kind, text: &str| messages[0].contains(&(kind, text.to_owned()));
        assert!(has(RecordType::Sender, "double-bounce@mx.example.com"));
        assert!(has(RecordType::Recipient, "postmaster"));
        assert!(has(
            RecordType::Norm,
            "Subject: Postfix SMTP server: errors from client.example.net[192.0.2.1]"
        ));
        assert!(has(RecordType::Norm, " In:  RCPT TO:<x@elsewhere.org>"));
        assert!(has(RecordType::Norm, " Out: 554 5.7.1 <x@elsewhere.org>: Relay access denied"));
    });
}

#[test]
fn an_idle_session_is_small() {
    run(async {
        let rig = Rig::new(&[]).await;
        let server = rig.session.server.clone();
        let size = std::mem::size_of_val(&rig.session);
        assert!(size < 1600, "a session takes {size} bytes");
        let talk = Conversation::new(server, None, Wire::Closed, Box::new(rig.session)).run();
        let size = std::mem::size_of_val(&talk);
        assert!(size < 1200, "its task takes {size} bytes");
    });
}

#[test]
fn footers_filters_and_soft_bounce() {
    run(async {
        let mut rig = Rig::new(&[
            ("smtpd_reject_footer", "\\c. Contact $server_name,\\nclient $client_address"),
            ("soft_bounce", "yes"),
        ])
        .await;
        rig.send(b"").await;
        let replies = rig.talk(&["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<x@elsewhere.org>"]).await;
        assert!(
            replies.ends_with(
                "454-4.7.1 <x@elsewhere.org>: Relay access denied. Contact mx.example.com,\r\n\
                 454 4.7.1 client 192.0.2.1\r\n"
            ),
            "{replies}"
        );
    });
}

#[test]
fn table_actions_reach_cleanup() {
    run(async {
        let table =
            "inline:{{a@b.c=HOLD for review}, {d@b.c=FILTER smtp:[127.0.0.1]:10025}, {e@b.c=PREPEND X-A: b}}";
        let mut rig =
            Rig::new(&[("smtpd_sender_restrictions", &format!("check_sender_access {table}"))]).await;
        rig.send(b"").await;
        rig.talk(&["EHLO x"]).await;
        for sender in ["a@b.c", "d@b.c", "e@b.c"] {
            rig.talk(&[&format!("MAIL FROM:<{sender}>"), "RCPT TO:<x@example.com>", "DATA", "", "."]).await;
        }
        let messages = rig.script.messages.borrow();
        assert_eq!(messages.len(), 3, "{:?}", rig.log.take());
        assert!(messages[0].contains(&(RecordType::Flags, "4".to_owned())));
        assert!(messages[1].contains(&(RecordType::FILTER, "smtp:[127.0.0.1]:10025".to_owned())));
        assert!(messages[2].contains(&(RecordType::Norm, "X-A: b".to_owned())));
    });
}
