//! Whole deliveries: a request from the queue manager, a server that plays a script, and what became of both.

mod support;

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use ferrofix_smtp_client::Client;
use support::*;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixListener};

#[test]
fn a_message_is_delivered() {
    run(async {
        let (nexthop, seen) = server(&[]).await;
        let client = client("smtp", &[]);
        let outcome = deliver(&client, &message("A1", &nexthop, BODY, 2)).await;
        assert!(outcome.is_final && outcome.hop_status.is_none());
        assert_eq!(done("A1"), 2);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let size = message("A1x", "x", BODY, 2).data_size;
        assert_eq!(
            seen.borrow().lines,
            [
                "EHLO me.example".to_owned(),
                format!("MAIL FROM:<sender@example.org> SIZE={size} BODY=7BIT"),
                "RCPT TO:<r0@example.com>".into(),
                "RCPT TO:<r1@example.com>".into(),
                "DATA".into(),
                "Subject: test".into(),
                String::new(),
                "hello".into(),
                "..dot".into(),
                ".".into(),
                "QUIT".into(),
            ]
        );
    });
}

#[test]
fn some_recipients_are_refused() {
    run(async {
        let (nexthop, _) = server(&[("RCPT TO:<r0", "450 4.2.1 later")]).await;
        let client = client("smtp", &[]);
        let outcome = deliver(&client, &message("A2", &nexthop, BODY, 2)).await;
        assert!(!outcome.is_final && outcome.hop_status.is_none());
        assert_eq!(done("A2"), 1);
    });
}

#[test]
fn a_dead_destination_is_reported() {
    run(async {
        let client = client("smtp", &[]);
        let outcome = deliver(&client, &message("A3", "[127.0.0.1]:1", BODY, 1)).await;
        assert!(!outcome.is_final);
        let why = outcome.hop_status.unwrap();
        assert_eq!(why.status.as_str(), "4.4.1");
        assert_eq!(
            String::from_utf8(why.reason).unwrap(),
            "connect to 127.0.0.1[127.0.0.1]:1: Connection refused"
        );
    });
}

#[test]
fn soft_errors_go_to_the_fallback_relay() {
    run(async {
        let (bad, _) = server(&[("MAIL", "451 4.3.0 not now")]).await;
        let (good, seen) = server(&[]).await;
        let client = client("smtp", &[("smtp_fallback_relay", &good)]);
        let outcome = deliver(&client, &message("A4", &bad, BODY, 1)).await;
        assert!(outcome.is_final);
        assert_eq!((done("A4"), seen.borrow().sessions), (1, 1));
    });
}

#[test]
fn a_lost_connection_after_the_dot_is_deferred() {
    run(async {
        let (nexthop, _) = server(&[(".", "HANGUP")]).await;
        let client = client("smtp", &[]);
        let outcome = deliver(&client, &message("A5", &nexthop, BODY, 1)).await;
        assert!(!outcome.is_final);
        let why = outcome.hop_status.unwrap();
        assert_eq!(
            String::from_utf8(why.reason).unwrap(),
            "lost connection with 127.0.0.1[127.0.0.1] while sending end of data -- message may be sent more than once"
        );
    });
}

#[test]
fn refused_greeting() {
    run(async {
        let (nexthop, _) = server(&[("", "554 5.7.1 no")]).await;
        let client = client("smtp", &[]);
        let outcome = deliver(&client, &message("A6", &nexthop, BODY, 1)).await;
        let why = outcome.hop_status.unwrap();
        assert_eq!(why.status.as_str(), "4.7.1");
        assert_eq!(
            String::from_utf8(why.reason).unwrap(),
            "host 127.0.0.1[127.0.0.1] refused to talk to me: 554 5.7.1 no"
        );
    });
}

#[test]
fn eight_bit_content_is_converted() {
    run(async {
        let (nexthop, seen) = server(&[("EHLO", "250 mx.example")]).await;
        let client = client("smtp", &[]);
        let body: &[&[u8]] = &[
            b"MIME-Version: 1.0",
            b"Content-Type: text/plain",
            b"Content-Transfer-Encoding: 8bit",
            b"",
            b"h\xc3\xa9",
        ];
        let mut request = message("A7", &nexthop, body, 1);
        request.encoding = "8bit".into();
        assert!(deliver(&client, &request).await.is_final);
        let seen = seen.borrow();
        assert!(seen.lines.contains(&"h=C3=A9".to_owned()), "{:?}", seen.lines);
        assert!(seen.lines.contains(&"Content-Transfer-Encoding: quoted-printable".to_owned()));
        assert!(seen.lines.contains(&"MAIL FROM:<sender@example.org>".to_owned()));
    });
}

#[test]
fn nothing_is_lost_after_a_nul() {
    run(async {
        let (nexthop, seen) = server(&[]).await;
        let client = client("smtp", &[]);
        let body: &[&[u8]] = &[b"Subject: nul", b"", b"before\0after", b"end"];
        assert!(deliver(&client, &message("A13", &nexthop, body, 1)).await.is_final);
        let seen = seen.borrow();
        assert!(seen.lines.contains(&"before\0after".to_owned()), "{:?}", seen.lines);
    });
}

#[test]
fn connections_are_kept_and_used_again() {
    run(async {
        let (nexthop, seen) = server(&[]).await;
        let client = client("smtp", &[]);
        for queue_id in ["A8", "A9", "AA"] {
            let mut request = message(queue_id, &nexthop, BODY, 1);
            request.flags |= ipc::deliver::FLAG_CONN_LOAD | ipc::deliver::FLAG_CONN_STORE;
            assert!(deliver(&client, &request).await.is_final);
        }
        let seen = seen.borrow();
        assert_eq!(seen.sessions, 1);
        assert_eq!(seen.lines.iter().filter(|line| *line == "RSET").count(), 2);
        assert_eq!(seen.lines.iter().filter(|line| line.starts_with("EHLO")).count(), 1);
        assert_eq!(seen.lines.iter().filter(|line| *line == ".").count(), 3);
    });
}

/// With pipelining the message is on its way before the server has said that the session is over.
#[test]
fn a_dead_connection_costs_no_delivery() {
    const PLAIN: &str = "250-mx.example\r\n250 8BITMIME";
    const PIPELINING: &str = "250-mx.example\r\n250 PIPELINING";
    let scripts: [Script; 4] = [
        &[("EHLO", PIPELINING), ("RSET", "HANGUP")],
        &[("EHLO", PIPELINING), ("RSET", "421 4.4.2 too long")],
        &[("EHLO", PLAIN), ("RSET", "HANGUP")],
        &[("EHLO", PLAIN), ("RSET", "421 4.4.2 too long")],
    ];
    run(async {
        for (number, script) in scripts.into_iter().enumerate() {
            let (nexthop, seen) = server(script).await;
            let client = client("smtp", &[]);
            for message_number in 0..3 {
                let mut request = message(&format!("F{number}{message_number}"), &nexthop, BODY, 1);
                request.flags |= ipc::deliver::FLAG_CONN_LOAD | ipc::deliver::FLAG_CONN_STORE;
                let outcome = deliver(&client, &request).await;
                assert!(outcome.is_final && outcome.hop_status.is_none(), "{number}");
            }
            let seen = seen.borrow();
            assert_eq!(seen.sessions, 3, "{number}");
            assert_eq!(seen.lines.iter().filter(|line| *line == ".").count(), 3, "{number}");
        }
    });
}

#[test]
fn idle_connections_end() {
    run(async {
        let (nexthop, seen) = server(&[]).await;
        let client = client("smtp", &[("smtp_connection_cache_time_limit", "1s")]);
        for queue_id in ["AB", "AC"] {
            let mut request = message(queue_id, &nexthop, BODY, 1);
            request.flags |= ipc::deliver::FLAG_CONN_LOAD | ipc::deliver::FLAG_CONN_STORE;
            assert!(deliver(&client, &request).await.is_final);
            tokio::time::sleep(Duration::from_millis(1200)).await;
        }
        assert_eq!(seen.borrow().sessions, 2);
    });
}

#[test]
fn tls_is_required_but_not_offered() {
    run(async {
        let (nexthop, seen) = server(&[]).await;
        let client = client("smtp", &[("smtp_tls_security_level", "encrypt")]);
        let outcome = deliver(&client, &message("AD", &nexthop, BODY, 1)).await;
        let why = outcome.hop_status.unwrap();
        assert_eq!(why.status.as_str(), "4.7.4");
        assert_eq!(
            String::from_utf8(why.reason).unwrap(),
            "TLS is required, but was not offered by host 127.0.0.1[127.0.0.1]"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(seen.borrow().lines, ["EHLO me.example", "QUIT"]);
    });
}

#[test]
fn lmtp_over_a_local_socket() {
    run(async {
        let path = spool().join("private/store");
        let listener = UnixListener::bind(&path).unwrap();
        let seen: Rc<RefCell<Seen>> = Rc::default();
        let shared = Rc::clone(&seen);
        tokio::task::spawn_local(async move {
            let (stream, _) = listener.accept().await.unwrap();
            // The second reply to the end of the message is for the second recipient.
            talk(stream, &[(".", "250 2.0.0 one\r\n452 4.2.2 two")], &shared).await;
        });
        let client = client("lmtp", &[]);
        let outcome = deliver(&client, &message("AE", "unix:private/store", BODY, 2)).await;
        assert!(!outcome.is_final);
        assert_eq!(done("AE"), 1);
        assert_eq!(seen.borrow().lines[0], "LHLO me.example");
    });
}

#[test]
fn probes_deliver_nothing() {
    run(async {
        let (nexthop, seen) = server(&[]).await;
        let client = client("smtp", &[]);
        let mut request = message("AF", &nexthop, BODY, 1);
        request.flags |= ipc::deliver::FLAG_MTA_VERIFY;
        deliver(&client, &request).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let seen = seen.borrow();
        assert_eq!(seen.lines.last().unwrap(), "QUIT");
        assert!(!seen.lines.contains(&"DATA".to_owned()) && seen.lines.contains(&"RSET".to_owned()));
    });
}

#[test]
fn too_large_for_the_server() {
    run(async {
        let (nexthop, seen) = server(&[("EHLO", "250-mx.example\r\n250 SIZE 10")]).await;
        let client = client("smtp", &[]);
        deliver(&client, &message("B0", &nexthop, BODY, 1)).await;
        assert_eq!(seen.borrow().lines.len(), 1);
    });
}

/// A name service that knows `d.example` and its mail exchangers, all on this host.
async fn name_service(mx: &'static [(u16, &'static str)]) -> dns::Resolver {
    use hickory_proto::op::{Message, ResponseCode};
    use hickory_proto::rr::rdata::{A, MX};
    use hickory_proto::rr::{Name, RData, Record, RecordType};

    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::task::spawn_local(async move {
        let mut buffer = [0; 1024];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let query = Message::from_vec(&buffer[..length]).unwrap();
            let question = query.queries[0].clone();
            let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
            let name = question.name.to_ascii();
            match (name.as_str(), question.query_type) {
                ("d.example.", RecordType::MX) => {
                    for (preference, host) in mx {
                        let data = RData::MX(MX::new(*preference, Name::from_ascii(host).unwrap()));
                        reply.add_answer(Record::from_rdata(question.name.clone(), 60, data));
                    }
                }
                ("dead.example." | "live.example.", RecordType::A) => {
                    // Nobody listens at the first.
                    let host = if name.starts_with("dead") {
                        Ipv4Addr::new(127, 0, 0, 77)
                    } else {
                        Ipv4Addr::LOCALHOST
                    };
                    reply.add_answer(Record::from_rdata(question.name.clone(), 60, RData::A(A(host))));
                }
                _ => reply.metadata.response_code = ResponseCode::NXDomain,
            }
            reply.add_query(question);
            socket.send_to(&reply.to_vec().unwrap(), peer).await.unwrap();
        }
    });
    dns::Resolver::with(dns::ResolvConf {
        servers: vec![Ipv4Addr::LOCALHOST.into()],
        port,
        ..dns::ResolvConf::default()
    })
}

async fn client_with_names(mx: &'static [(u16, &'static str)], settings: &[(&str, &str)]) -> Rc<Client> {
    let mut client = Rc::into_inner(client("smtp", settings)).unwrap();
    client.use_resolver(name_service(mx).await);
    Rc::new(client)
}

#[test]
fn the_next_mail_exchanger_is_tried() {
    run(async {
        let (server, seen) = server(&[]).await;
        let port = server.rsplit_once(':').unwrap().1;
        let client = client_with_names(&[(10, "dead.example."), (20, "live.example.")], &[]).await;
        let outcome = deliver(&client, &message("C1", &format!("d.example:{port}"), BODY, 1)).await;
        assert!(outcome.is_final);
        assert_eq!((done("C1"), seen.borrow().sessions), (1, 1));
    });
}

#[test]
fn domains_without_mail() {
    run(async {
        let client = client_with_names(&[(0, ".")], &[]).await;
        // Without bounce service a bounce is a deferral; the reason is what counts here.
        let outcome = deliver(&client, &message("C2", "d.example", BODY, 1)).await;
        let why = outcome.hop_status.unwrap();
        assert_eq!(why.status.as_str(), "5.1.0");
        assert_eq!(String::from_utf8(why.reason).unwrap(), "Domain d.example does not accept mail (nullMX)");
        let outcome = deliver(&client, &message("C3", "nowhere.example", BODY, 1)).await;
        let why = outcome.hop_status.unwrap();
        assert_eq!(why.status.as_str(), "5.4.4");
        assert_eq!(
            String::from_utf8(why.reason).unwrap(),
            "Host or domain name not found. Name service error for name=nowhere.example type=A: Host not found"
        );
    });
}

#[test]
fn mail_for_ourselves_is_a_loop() {
    run(async {
        let client = client_with_names(&[(10, "live.example.")], &[("inet_interfaces", "127.0.0.1")]).await;
        let outcome = deliver(&client, &message("C4", "d.example", BODY, 1)).await;
        let why = outcome.hop_status.unwrap();
        assert_eq!(why.status.as_str(), "5.4.6");
        assert_eq!(String::from_utf8(why.reason).unwrap(), "mail for d.example loops back to myself");
        // A better exchanger than ourselves that is dead: no loop, but a delay.
        let names: &[(u16, &str)] = &[(10, "dead.example."), (20, "live.example.")];
        let client = client_with_names(names, &[("inet_interfaces", "127.0.0.1")]).await;
        let outcome = deliver(&client, &message("C5", "d.example", BODY, 1)).await;
        assert_eq!(outcome.hop_status.unwrap().status.as_str(), "4.4.1");
    });
}

#[test]
fn a_relayhost_that_is_not_found_is_our_own_fault() {
    run(async {
        let client = client_with_names(&[], &[("relayhost", "[nowhere.example]")]).await;
        let outcome = deliver(&client, &message("C6", "[nowhere.example]", BODY, 1)).await;
        assert_eq!(outcome.hop_status.unwrap().status.as_str(), "4.3.5");
    });
}

/// A server with STARTTLS.
async fn tls_server() -> Option<(String, Rc<RefCell<Seen>>)> {
    let directory = spool();
    let (cert, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    let line = format!(
        "req -x509 -newkey rsa:2048 -nodes -keyout {} -out {} -days 9 -subj /CN=mx.example",
        key.display(),
        cert.display()
    );
    let made = std::process::Command::new("openssl").args(line.split(' ')).output();
    if !made.is_ok_and(|made| made.status.success()) {
        println!("skipped: no openssl command");
        return None;
    }
    let settings = tls::ServerSettings { cert_file: cert, key_file: key, ..tls::ServerSettings::default() };
    let context = tls::Server::new(&settings).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen: Rc<RefCell<Seen>> = Rc::default();
    let shared = Rc::clone(&seen);
    tokio::task::spawn_local(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (shared, context) = (Rc::clone(&shared), context.clone());
            tokio::task::spawn_local(async move {
                stream.write_all(b"220 mx.example ESMTP\r\n").await.unwrap();
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                stream.write_all(b"250-mx.example\r\n250 STARTTLS\r\n").await.unwrap();
                line.clear();
                stream.read_line(&mut line).await.unwrap();
                assert_eq!(line, "STARTTLS\r\n");
                // What is said before TLS must not count.
                stream.write_all(b"220 go\r\n").await.unwrap();
                let Ok((stream, _)) = context.accept(stream.into_inner()).await else { return };
                let (read, write) = tokio::io::split(stream);
                let joined = tokio::io::join(read, write);
                talk(joined, &[("", "")], &shared).await;
            });
        }
    });
    Some((format!("[127.0.0.1]:{port}"), seen))
}

#[test]
fn over_tls() {
    run(async {
        let Some((nexthop, seen)) = tls_server().await else { return };
        let client = client("smtp", &[("smtp_tls_security_level", "encrypt"), ("smtp_tls_loglevel", "1")]);
        let outcome = deliver(&client, &message("D1", &nexthop, BODY, 1)).await;
        assert!(outcome.is_final, "{:?}", outcome.hop_status);
        assert_eq!(done("D1"), 1);
        assert_eq!(seen.borrow().lines[0], "EHLO me.example");
        let client = self::client("smtp", &[("smtp_tls_security_level", "secure")]);
        let outcome = deliver(&client, &message("D2", &nexthop, BODY, 1)).await;
        let why = outcome.hop_status.unwrap();
        assert_eq!(
            (why.status.as_str(), why.reason.as_slice()),
            ("4.7.5", &b"Server certificate not verified"[..])
        );
    });
}
