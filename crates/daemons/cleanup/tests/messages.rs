//! Whole messages through the state machine.

mod common;

use common::{Rig, content};
use ipc::cleanup::{Status, flags};

#[test]
fn queue_file_layout() {
    let rig = Rig::new(&[]);
    let (reply, records) = rig.run(
        flags::MASK_EXTERNAL,
        &[
            ('T', "1000000000 5"),
            ('A', "rewrite_context=remote"),
            ('A', "log_client_name=client.example"),
            ('S', "sender"),
            ('A', "log_message_origin=client.example[192.0.2.1]"),
            ('A', "notify_flags=4"),
            ('A', "dsn_orig_rcpt=rfc822;x@example.org"),
            ('O', "user"),
            ('R', "user"),
            ('M', ""),
            ('N', "Received: from test"),
            ('N', "Message-ID: <1@example>"),
            ('N', ""),
            ('N', "body"),
            ('X', ""),
            ('E', ""),
        ],
    );
    assert_eq!(reply.status, Status::OK);
    let mut records = records.unwrap();
    let created = records.iter().position(|record| record.starts_with("Acreate_time=")).unwrap();
    records.remove(created);
    assert_eq!(
        records,
        [
            "C             54             335               1               8              54               0",
            "T1000000000 5",
            "Arewrite_context=remote",
            "Alog_client_name=client.example",
            "Ssender@example.com",
            "Alog_message_origin=client.example[192.0.2.1]",
            "Anotify_flags=4",
            "Adsn_orig_rcpt=rfc822;x@example.org",
            "Ouser",
            "Ruser@example.com",
            "M",
            "NReceived: from test",
            "NMessage-ID: <1@example>",
            "N",
            "Nbody",
            "X",
            "Amessage_id=<1@example>",
            "E",
        ]
    );
}

#[test]
fn missing_headers_are_added() {
    let rig = Rig::new(&[("undisclosed_recipients_header", "To: undisclosed-recipients:;")]);
    let records = [
        ('T', "1000000000 5"),
        ('F', "Joe (X) User"),
        ('S', "joe"),
        ('R', "user@example.org"),
        ('M', ""),
        ('N', "Received: by test"),
        ('N', "Bcc: secret@example.org"),
        ('N', ""),
        ('X', ""),
        ('E', ""),
    ];
    let (reply, file) = rig.run(flags::MASK_EXTERNAL, &records);
    assert_eq!(reply.status, Status::OK);
    let file = file.unwrap();
    let lines = content(&file);
    assert_eq!(lines[0], "Received: by test");
    assert!(
        lines[1].starts_with("Message-Id: <") && lines[1].ends_with(".QID@mail.example.com>"),
        "{}",
        lines[1]
    );
    assert!(lines[2].starts_with("Date: Sun,  9 Sep 2001 01:46:40 +0000 ("), "{}", lines[2]);
    assert_eq!(lines[3..], ["From: \"Joe (X) User\" <joe@example.com>", "To: undisclosed-recipients:;", ""]);

    let rig = Rig::new(&[("header_from_format", "obsolete")]);
    let (_, file) = rig.run(flags::MASK_EXTERNAL, &records);
    assert!(content(&file.unwrap()).contains(&"From: joe@example.com (Joe (X) User)"));
}

#[test]
fn resent_headers() {
    let rig = Rig::new(&[]);
    let (_, file) = rig.mail(&["Resent-To: x@example.org", "From: a@example.org", "To: b@example.org", ""]);
    let file = file.unwrap();
    let lines = content(&file);
    assert!(lines.iter().any(|line| line.starts_with("Resent-Message-Id: <")));
    assert!(lines.iter().any(|line| line.starts_with("Resent-Date: ")));
    assert!(lines.contains(&"Resent-From: sender@example.net"));
    assert!(!lines.iter().any(|line| line.starts_with("Message-Id: ")));
}

#[test]
fn remote_headers_are_left_alone() {
    let rig = Rig::new(&[]);
    let run = |rig: &Rig, lines: &[&str]| {
        let mut records =
            vec![('T', "1 1"), ('A', "rewrite_context=remote"), ('S', "s@x"), ('R', "r@x"), ('M', "")];
        records.push(('N', "Received: x"));
        records.extend(lines.iter().map(|line| ('N', *line)));
        records.extend([('X', ""), ('E', "")]);
        let (_, file) = rig.run(flags::MASK_EXTERNAL, &records);
        content(&file.unwrap()).iter().map(|&line| line.to_owned()).collect::<Vec<_>>()
    };
    let lines = ["From: joe", "Return-Path: <x>", "To : a,", "  b", "", "text"];
    assert_eq!(run(&rig, &lines), ["Received: x", "From: joe", "To: a,", "  b", "", "text"]);
    let rig = Rig::new(&[("remote_header_rewrite_domain", "remote.invalid")]);
    let got = run(&rig, &lines);
    assert_eq!(
        got[..3],
        ["Received: x", "From: joe@remote.invalid", "To: a@remote.invalid, b@remote.invalid"]
    );
    assert!(got[3].starts_with("Message-Id: <"));
}

#[test]
fn address_headers_are_folded() {
    let rig = Rig::new(&[]);
    let to: Vec<String> = (0..6).map(|n| format!("\"User Nr. {n}\" <user{n}>")).collect();
    let (_, file) = rig.mail(&[&format!("To: {}", to.join(",")), ""]);
    let file = file.unwrap();
    let lines = content(&file);
    assert_eq!(
        lines[1..4],
        [
            "To: \"User Nr. 0\" <user0@example.com>,",
            "\t\"User Nr. 1\" <user1@example.com>, \"User Nr. 2\" <user2@example.com>,",
            "\t\"User Nr. 3\" <user3@example.com>, \"User Nr. 4\" <user4@example.com>,",
        ]
    );
}

#[test]
fn canonical_maps_and_masquerading() {
    let rig = Rig::new(&[
        ("canonical_maps", "inline:{ joe=joe.user@example.com, { x@example.org = x@y.example.net } }"),
        ("sender_canonical_maps", "inline:{ { sender@example.net = boss } }"),
        ("masquerade_domains", "example.net"),
        ("recipient_delimiter", "+"),
    ]);
    let (_, file) = rig.run(
        flags::MASK_EXTERNAL,
        &[
            ('T', "1 1"),
            ('S', "sender@example.net"),
            ('R', "joe+ext"),
            ('R', "x@example.org"),
            ('M', ""),
            ('N', "Received: x"),
            ('N', "From: x@example.org"),
            ('N', ""),
            ('X', ""),
            ('E', ""),
        ],
    );
    let file = file.unwrap();
    assert!(file.contains(&"Sboss@example.com".to_owned()), "{file:#?}");
    assert!(file.contains(&"Rjoe.user+ext@example.com".to_owned()));
    // Envelope recipients are not masqueraded by default.
    assert!(file.contains(&"Rx@y.example.net".to_owned()));
    assert!(file.contains(&"NFrom: x@example.net".to_owned()));
}

#[test]
fn virtual_aliases() {
    let rig = Rig::new(&[
        (
            "virtual_alias_maps",
            "inline:{ { all@example.com = a, b@example.org, all@example.com }, { a@example.com = c } }",
        ),
        ("duplicate_filter_limit", "10"),
    ]);
    let (_, file) = rig.run(
        flags::MASK_EXTERNAL,
        &[
            ('T', "1 1"),
            ('S', "s@x"),
            ('A', "notify_flags=2"),
            ('O', "all"),
            ('R', "all"),
            ('O', "all"),
            ('R', "ALL"),
            ('M', ""),
            ('N', "Received: x"),
            ('N', ""),
            ('X', ""),
            ('E', ""),
        ],
    );
    let file = file.unwrap();
    let recipients: Vec<&str> =
        file.iter().filter(|record| "ORA".contains(&record[..1])).map(String::as_str).collect();
    let recipients: Vec<&str> =
        recipients.into_iter().filter(|text| !text.starts_with("Acreate_time")).collect();
    assert_eq!(
        recipients[..9],
        [
            "Anotify_flags=1",
            "Adsn_orig_rcpt=rfc822;all@example.com",
            "Oall",
            "Rc@example.com",
            "Anotify_flags=1",
            "Adsn_orig_rcpt=rfc822;all@example.com",
            "Oall",
            "Rb@example.org",
            "Anotify_flags=1",
        ]
    );
    assert_eq!(*rig.peers.log.borrow(), ["Trace all@example.com expanded"]);
}

#[test]
fn virtual_alias_limits() {
    for (name, value, map) in [
        ("virtual_alias_expansion_limit", "3", "inline:{ { r@x = a@x, b@x, c@x, d@x } }"),
        ("virtual_alias_recursion_limit", "5", "pcre:/dev/null inline:{ { r@x = s@x }, { s@x = r@x } }"),
        ("virtual_alias_address_length_limit", "10", "inline:{ { r@x = longer-than-ten@x } }"),
    ] {
        let rig = Rig::new(&[("virtual_alias_maps", map), (name, value)]);
        let records =
            [('T', "1 1"), ('S', "s@y"), ('R', "r@x"), ('M', ""), ('N', "Received: x"), ('X', ""), ('E', "")];
        let (reply, file) = rig.run(flags::MASK_EXTERNAL, &records);
        assert_eq!(reply.status, Status::DEFER, "{name}");
        assert_eq!(reply.reason, b"4.6.0 Alias expansion error");
        assert!(file.is_none());
    }
    let rig = Rig::new(&[("virtual_alias_maps", "fail:x")]);
    let records =
        [('T', "1 1"), ('S', "s@y"), ('R', "r@x"), ('M', ""), ('N', "Received: x"), ('X', ""), ('E', "")];
    assert_eq!(rig.run(flags::MASK_EXTERNAL, &records).0.status, Status::WRITE);
}

#[test]
fn automatic_copies() {
    let rig = Rig::new(&[
        ("always_bcc", "archive"),
        ("sender_bcc_maps", "static:boss"),
        ("recipient_bcc_maps", "inline:{ user@example.org=copy }"),
        ("header_checks", "pcre:{ { /^Subject: x/ BCC spy@example.org } }"),
    ]);
    let (_, file) = rig.mail(&["Subject: x", ""]);
    let file = file.unwrap();
    let recipients: Vec<&str> = file.iter().filter_map(|record| record.strip_prefix('R')).collect();
    assert_eq!(
        recipients,
        [
            "boss@example.com",
            "user@example.org",
            "copy@example.com",
            "archive@example.com",
            "spy@example.org"
        ]
    );
    assert!(file.contains(&"Anotify_flags=1".to_owned()));
}

#[test]
fn content_actions() {
    let check = |answer: &str| {
        let rig = Rig::new(&[("header_checks", &format!("pcre:{{ {{ /^Subject: x/ {answer} }} }}"))]);
        let (reply, file) = rig.mail(&["Subject: x", "To: a@b", "", "text"]);
        (reply, file, rig)
    };
    let (reply, file, _) = check("REJECT");
    assert_eq!(
        (reply.status, reply.reason.as_slice()),
        (Status::CONT, &b"5.7.1 message content rejected"[..])
    );
    assert!(file.is_none());
    let (reply, ..) = check("reject 4.2.1 later");
    assert_eq!((reply.status, reply.reason.as_slice()), (Status::DEFER, &b"4.2.1 later"[..]));
    let (reply, file, _) = check("DISCARD");
    assert!(reply.status.is_ok() && file.is_none());
    let (reply, file, rig) = check("HOLD");
    assert!(reply.status.is_ok() && file.is_some());
    assert_eq!(std::fs::read_dir(rig.root.path().join("hold")).unwrap().count(), 1);
    let (_, file, _) = check("FILTER smtp:[127.0.0.1]:10025");
    assert!(file.unwrap().contains(&"Lsmtp:[127.0.0.1]:10025".to_owned()));
    let (_, file, _) = check("REDIRECT postmaster@example.com");
    assert!(file.unwrap().contains(&">postmaster@example.com".to_owned()));
    let lines =
        |answer| content(&check(answer).1.unwrap())[1..3].iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
    assert_eq!(lines("PREPEND X-A: 1"), ["X-A: 1", "Subject: x"]);
    assert_eq!(lines("REPLACE Subject: y"), ["Subject: y", "To: a@b"]);
    assert_eq!(lines("IGNORE")[0], "To: a@b");
    assert_eq!(lines("STRIP")[0], "To: a@b");
    assert_eq!(lines("WARN hm"), ["Subject: x", "To: a@b"]);
    assert_eq!(lines("NONSENSE"), ["Subject: x", "To: a@b"]);
}

#[test]
fn body_checks() {
    let rig = Rig::new(&[
        ("body_checks", "inline:{ { one = REPLACE eins }, { two = IGNORE }, { three = PREPEND drei } }"),
        ("body_checks_size_limit", "21"),
    ]);
    let (_, file) = rig.mail(&["Subject: x", "", "one", "two", "three", "four", "one", "one"]);
    let file = file.unwrap();
    let lines = content(&file);
    let body = lines.iter().position(|line| line.is_empty()).unwrap();
    assert_eq!(lines[body..], ["", "eins", "drei", "three", "four", "eins", "one"]);
    let rig = Rig::new(&[("body_checks", "fail:x")]);
    assert_eq!(rig.mail(&["Subject: x", "", "one"]).0.status, Status::WRITE);
}

#[test]
fn bytes_that_are_stripped_or_rejected() {
    let rig = Rig::new(&[("message_strip_characters", r"\0")]);
    let (_, file) = rig.mail(&["Subject: a\0b", "", "c\0d\re"]);
    let file = file.unwrap();
    assert!(content(&file).contains(&"Subject: ab") && content(&file).contains(&"cd e"));
    let rig = Rig::new(&[("message_reject_characters", r"\0")]);
    let (reply, _) = rig.mail(&["Subject: x", "", "c\0d"]);
    assert_eq!((reply.status, reply.reason.as_slice()), (Status::CONT, &b"5.7.1 disallowed character"[..]));
}

#[test]
fn limits() {
    let rig = Rig::new(&[("message_size_limit", "2000")]);
    let long = "x".repeat(500);
    assert!(rig.mail(&["Subject: x", "", &long]).0.status.is_ok());
    assert_eq!(rig.mail(&["Subject: x", "", &long, &long, &long, &long]).0.status, Status::SIZE);
    let rig = Rig::new(&[("hopcount_limit", "2")]);
    let (reply, _) = rig.mail(&["Received: two", "Subject: x", ""]);
    assert_eq!(reply.status, Status::HOPS);
    let rig = Rig::new(&[("line_length_limit", "512"), ("header_size_limit", "100")]);
    let (_, file) = rig.mail(&["Subject: x", "", &"y".repeat(1100)]);
    let file = file.unwrap();
    let start = file.iter().position(|record| record == "N").unwrap();
    let lengths: Vec<_> =
        file[start + 1..start + 4].iter().map(|record| (&record[..1], record.len() - 1)).collect();
    assert_eq!(lengths, [("L", 512), ("L", 512), ("N", 76)]);
}

#[test]
fn malformed_submissions() {
    let rig = Rig::new(&[]);
    let status = |records: &[(char, &str)]| rig.run(flags::MASK_EXTERNAL, records).0.status;
    assert_eq!(status(&[]), Status::RCPT | Status::BAD);
    assert_eq!(status(&[('T', "1 1"), ('R', "a@b")]), Status::BAD);
    assert_eq!(status(&[('S', "a@b"), ('R', "a@b")]), Status::BAD);
    assert_eq!(status(&[('p', "              0")]), Status::BAD);
    assert_eq!(status(&[('N', "text")]), Status::BAD);
    assert_eq!(status(&[('T', "1 1"), ('S', "a@b"), ('S', "a@b")]), Status::BAD);
    assert_eq!(status(&[('A', "no value")]), Status::BAD);
    let no_received =
        [('T', "1 1"), ('S', "a@b"), ('R', "a@b"), ('M', ""), ('N', "Subject: x"), ('X', ""), ('E', "")];
    assert_eq!(status(&no_received), Status::BAD);
    let no_recipient = [('T', "1 1"), ('S', "a@b"), ('M', ""), ('N', "Received: x"), ('X', ""), ('E', "")];
    assert_eq!(status(&no_recipient), Status::RCPT);
    assert_eq!(std::fs::read_dir(rig.root.path().join("incoming")).unwrap().count(), 0);
}

#[test]
fn bad_mail_goes_back() {
    let rig = Rig::new(&[("header_checks", "pcre:{ { /^Subject: x/ REJECT no } }")]);
    let records = [
        ('T', "1000000000 5"),
        ('S', "sender@example.net"),
        ('R', "a@example.org"),
        ('R', "b@example.org"),
        ('M', ""),
        ('N', "Received: x"),
        ('N', "Subject: x"),
        ('N', ""),
        ('X', ""),
        ('E', ""),
    ];
    let (reply, file) = rig.run(flags::MASK_EXTERNAL | flags::BOUNCE, &records);
    assert!(reply.status.is_ok() && file.is_none());
    assert_eq!(
        *rig.peers.log.borrow(),
        [
            "bounced a@example.org 5.7.1 no",
            "bounced b@example.org 5.7.1 no",
            "Bounce flush incoming sender@example.net",
        ]
    );
    assert_eq!(std::fs::read_dir(rig.root.path().join("incoming")).unwrap().count(), 0);
}

#[test]
fn milters_are_never_skipped() {
    let rig = Rig::new(&[("non_smtpd_milters", "inet:127.0.0.1:1")]);
    assert_eq!(rig.mail(&["Subject: x", ""]).0.status, Status::DEFER);
    // Mail that milters do not see leaves room for them all the same.
    let records = [
        ('T', "1 1"),
        ('S', "s@x"),
        ('R', "r@x"),
        ('M', ""),
        ('N', "Received: x"),
        ('N', ""),
        ('X', ""),
        ('E', ""),
    ];
    let (reply, file) = rig.run(flags::MASK_INTERNAL, &records);
    assert!(reply.status.is_ok());
    let kinds: String = file.unwrap().iter().map(|record| &record[..1]).collect();
    assert_eq!(kinds, "CTASpAORpMNwNNNwpNpXApE");
    let rig = Rig::new(&[]);
    let mut with_milters = vec![('m', "1")];
    with_milters.extend(records);
    assert_eq!(rig.run(flags::MASK_EXTERNAL, &with_milters).0.status, Status::DEFER);
}

#[test]
fn probes_of_aliases_are_answered_here() {
    let rig = Rig::new(&[("virtual_alias_maps", "inline:{ { r@x = a@x, b@x } }")]);
    let records = [
        ('T', "1 1"),
        ('A', "trace_flags=256"),
        ('S', "s@x"),
        ('R', "r@x"),
        ('M', ""),
        ('N', "Received: x"),
        ('N', ""),
        ('X', ""),
        ('E', ""),
    ];
    let (reply, file) = rig.run(flags::MASK_INTERNAL, &records);
    assert!(reply.status.is_ok());
    assert!(!file.unwrap().iter().any(|record| record.starts_with('R')));
    assert_eq!(*rig.peers.log.borrow(), ["verified r@x aliased to multiple recipients"]);
}
