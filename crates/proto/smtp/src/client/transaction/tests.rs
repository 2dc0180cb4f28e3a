use super::*;
use crate::reply::{Assembler, Line};

fn envelope(count: usize) -> Envelope {
    Envelope {
        mail: b"MAIL FROM:<a@b>".to_vec(),
        recipients: (0..count).map(|n| format!("RCPT TO:<r{n}@d>").into_bytes()).collect(),
        ..Envelope::default()
    }
}

fn reply(line: &str) -> Reply {
    match Assembler::new(2048).line(line.as_bytes()) {
        Line::Done(reply) => reply,
        other => panic!("{other:?}"),
    }
}

/// Plays a transaction: what was sent between waits, and what the replies meant.
fn play(mut transaction: Transaction, replies: &[&str]) -> (Vec<String>, Vec<Event>, End) {
    let mut replies = replies.iter();
    let (mut sent, mut events, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let mut wait = transaction.advance(&mut out);
    loop {
        match wait {
            Wait::Content => {
                out.extend_from_slice(b"body\r\n");
                wait = transaction.content_sent(&mut out);
                continue;
            }
            Wait::Reply(_) => {
                if !out.is_empty() {
                    sent.push(String::from_utf8(std::mem::take(&mut out)).unwrap());
                }
                let event = transaction.reply(&reply(replies.next().expect("a reply")));
                if event != Event::Nothing {
                    events.push(event);
                }
            }
            Wait::Done(end) => {
                if !out.is_empty() {
                    sent.push(String::from_utf8(out).unwrap());
                }
                assert_eq!(replies.next(), None, "all replies used");
                return (sent, events, end);
            }
        }
        wait = transaction.advance(&mut out);
    }
}

#[test]
fn pipelined_in_two_writes() {
    let (sent, events, end) = play(
        Transaction::new(Protocol::Smtp, envelope(2)).pipelining(),
        &["250 a", "250 b", "250 c", "354 d", "250 e"],
    );
    assert_eq!(
        sent,
        ["MAIL FROM:<a@b>\r\nRCPT TO:<r0@d>\r\nRCPT TO:<r1@d>\r\nDATA\r\n", "body\r\n.\r\nQUIT\r\n"]
    );
    assert_eq!(events, [Event::AllDone]);
    assert_eq!(end, End::Quit);
}

#[test]
fn one_at_a_time() {
    let (sent, events, _) =
        play(Transaction::new(Protocol::Smtp, envelope(1)), &["250 a", "250 b", "354 d", "250 e"]);
    assert_eq!(sent, ["MAIL FROM:<a@b>\r\n", "RCPT TO:<r0@d>\r\n", "DATA\r\n", "body\r\n.\r\n", "QUIT\r\n"]);
    assert_eq!(events, [Event::AllDone]);
}

#[test]
fn the_reply_to_quit_may_be_awaited() {
    let transaction = Transaction::new(Protocol::Smtp, envelope(1)).read_quit_reply();
    let (sent, _, end) = play(transaction, &["250 a", "250 b", "354 d", "250 e", "221 bye"]);
    assert_eq!((sent.last().unwrap().as_str(), end), ("QUIT\r\n", End::Quit));
}

#[test]
fn nobody_accepted_after_pipelined_data() {
    let (sent, events, _) = play(
        Transaction::new(Protocol::Smtp, envelope(1)).pipelining(),
        &["250 a", "550 no", "354 d", "554 none"],
    );
    assert_eq!(sent[1], ".\r\nQUIT\r\n");
    assert_eq!(events, [Event::RecipientRefused(0, Stage::Rcpt)]);
}

#[test]
fn nobody_accepted_and_data_refused() {
    let (sent, events, end) = play(
        Transaction::new(Protocol::Smtp, envelope(2)).pipelining(),
        &["250 a", "550 no", "450 no", "554 none", "250 reset"],
    );
    assert_eq!(sent[1], "RSET\r\nQUIT\r\n");
    assert_eq!(events, [Event::RecipientRefused(0, Stage::Rcpt), Event::RecipientRefused(1, Stage::Rcpt)]);
    assert_eq!(end, End::Quit);
}

#[test]
fn sender_refused() {
    let (sent, events, _) = play(
        Transaction::new(Protocol::Smtp, envelope(1)).pipelining(),
        &["550 a", "503 b", "503 c", "250 reset"],
    );
    assert_eq!(events, [Event::MessageRefused(Stage::Mail)]);
    assert_eq!(sent[1], "RSET\r\nQUIT\r\n");
    let (sent, _, _) = play(Transaction::new(Protocol::Smtp, envelope(1)), &["550 a", "250 reset"]);
    assert_eq!(sent, ["MAIL FROM:<a@b>\r\n", "RSET\r\n", "QUIT\r\n"]);
}

#[test]
fn kept_open() {
    let mut transaction = Transaction::new(Protocol::Smtp, envelope(1)).pipelining();
    transaction.set_keep(Keep::Open);
    let (sent, events, end) = play(transaction, &["250 a", "250 b", "354 d", "250 e"]);
    assert_eq!(sent[1], "body\r\n.\r\n");
    assert_eq!((events, end), (vec![Event::AllDone], End::Idle));
}

#[test]
fn lmtp_has_a_reply_for_each() {
    let (_, events, _) = play(
        Transaction::new(Protocol::Lmtp, envelope(3)).pipelining(),
        &["250 a", "250 r0", "550 r1", "250 r2", "354 d", "250 r0", "452 r2"],
    );
    assert_eq!(
        events,
        [
            Event::RecipientRefused(1, Stage::Rcpt),
            Event::RecipientDone(0),
            Event::RecipientRefused(2, Stage::Dot)
        ]
    );
}

#[test]
fn probes() {
    let (sent, events, end) = play(
        Transaction::new(Protocol::Smtp, envelope(1)).probe(ProbeAt::Rcpt),
        &["250 a", "250 b", "250 c"],
    );
    assert_eq!(sent[2..], ["RSET\r\n", "QUIT\r\n"]);
    assert_eq!((events, end), (vec![Event::RecipientDone(0)], End::Quit));
    let (sent, events, end) = play(
        Transaction::new(Protocol::Smtp, envelope(1)).probe(ProbeAt::Data),
        &["250 a", "250 b", "354 c"],
    );
    assert_eq!(sent.len(), 3);
    assert_eq!((events, end), (vec![Event::AllProbed], End::HangUp));
}

#[test]
fn xforward_first() {
    let envelope = Envelope {
        xforward_name: b"XFORWARD NAME=x".to_vec(),
        xforward_proto: b"XFORWARD PROTO=ESMTP".to_vec(),
        ..envelope(1)
    };
    let (sent, events, _) = play(
        Transaction::new(Protocol::Smtp, envelope).pipelining(),
        &["250 a", "501 b", "250 c", "250 d", "354 e", "250 f"],
    );
    assert!(sent[0].starts_with("XFORWARD NAME=x\r\nXFORWARD PROTO=ESMTP\r\nMAIL"));
    assert_eq!(events, [Event::XforwardRefused(Stage::XforwardProto), Event::AllDone]);
}

#[test]
fn many_recipients_stay_below_the_limit() {
    let count = 1000;
    let mut replies = vec!["250 ok"; count + 1];
    replies.extend(["354 go", "250 done"]);
    let (sent, events, _) = play(Transaction::new(Protocol::Smtp, envelope(count)).pipelining(), &replies);
    assert!(sent.iter().all(|part| part.len() <= PIPELINE_LIMIT));
    assert_eq!(events, [Event::AllDone]);
}

#[test]
fn connection_lost_in_content() {
    let mut transaction = Transaction::new(Protocol::Smtp, envelope(1)).pipelining();
    let mut out = Vec::new();
    transaction.advance(&mut out);
    for line in ["250 a", "250 b", "354 c"] {
        transaction.reply(&reply(line));
    }
    assert_eq!(transaction.advance(&mut out), Wait::Content);
    assert_eq!(transaction.content_failed(), Wait::Reply(Stage::Body));
    assert_eq!(transaction.reply(&reply("552 too big")), Event::MessageRefused(Stage::Dot));
    assert_eq!(transaction.advance(&mut out), Wait::Done(End::HangUp));
}
