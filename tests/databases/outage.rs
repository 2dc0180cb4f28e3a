//! Mail while the server that tables ask goes away and comes back: what was accepted arrives, and arrives once; what was
//! not accepted was refused for the time being only.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::System;

use crate::server::Restart;

/// Settings that the test needs beside its own.
pub(crate) const SETTINGS: &str =
    "smtpd_sender_restrictions = check_sender_access inline:{held@example.org=HOLD}\n";
/// What tables in SQL have for it: nobody wants to wait for a minute.
pub(crate) const RETRY: &str = "retry_interval = 1\n";

/// How many clients send at the same time, and how much.
const CLIENTS: usize = 3;
const EACH: usize = 50;
/// How many messages are in the queue when the server goes away, and how many come by sendmail(1) while it is away.
const HELD: usize = 8;
const LOCAL: usize = 4;
/// How long all may take until it is delivered.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Count {
    accepted: AtomicUsize,
    refused: AtomicUsize,
}

/// Sends message after message to `recipient(number)`, takes the server away meanwhile, and looks at the texts that were
/// `delivered` in the end. The system runs.
pub(crate) fn outlive(
    system: &System,
    server: &mut impl Restart,
    recipient: fn(usize) -> String,
    delivered: impl Fn() -> Vec<String>,
) {
    let held = CLIENTS * EACH..CLIENTS * EACH + HELD;
    let local = held.end..held.end + LOCAL;
    for number in held.clone() {
        assert_eq!(send(system, "held@example.org", &recipient(number), number), 250);
    }
    assert_eq!(system.queue("hold").len(), HELD);
    let count = Count::default();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (numbers, count) = (client * EACH..(client + 1) * EACH, &count);
            scope.spawn(move || client_of(system, numbers, recipient, count));
        }
        system.wait_until("mail flows", || count.accepted.load(Ordering::Relaxed) >= CLIENTS * EACH / 3);
        let mark = system.mark();
        server.kill();
        system.run(&["postsuper", "-H", "ALL"]).well();
        system.run(&["postqueue", "-f"]).well();
        let is_deferred = |line: &String| line.contains("status=deferred");
        system.wait_until("mail is deferred", || {
            system.log_since(mark).iter().filter(|line| is_deferred(line)).count() >= HELD
        });
        for number in local.clone() {
            let (recipient, text) = (recipient(number), text(number));
            system.sendmail("alice", &["-f", "local@example.org", &recipient], &text).well();
        }
        system.wait_until("clients are refused", || count.refused.load(Ordering::Relaxed) >= 2 * CLIENTS);
        assert!(system.queue("deferred").len() >= HELD);
        server.start_again();
    });
    let accepted = count.accepted.into_inner();
    assert_eq!(accepted, CLIENTS * EACH);
    let total = local.end;
    let begin = Instant::now();
    let mut arrived = arrivals(&delivered());
    while arrived.len() < total {
        assert!(
            begin.elapsed() < PATIENCE,
            "{} of {total} arrived; deferred: {:?}, maildrop: {:?}",
            arrived.len(),
            system.queue("deferred"),
            system.queue("maildrop")
        );
        system.run(&["postqueue", "-f"]).well();
        std::thread::sleep(Duration::from_millis(1000));
        arrived = arrivals(&delivered());
    }
    // Time for what should not come.
    system.settle();
    let twice: BTreeMap<_, _> = arrivals(&delivered()).into_iter().filter(|(_, count)| *count != 1).collect();
    assert!(twice.is_empty(), "more than once: {twice:?}");
    for queue in ["maildrop", "incoming", "active", "deferred", "hold", "corrupt"] {
        assert!(system.queue(queue).is_empty(), "{queue}");
    }
    for wrong in ["status=bounced", "panic:", "fatal:"] {
        assert!(!system.logged(wrong), "{wrong}");
    }
    let refused = count.refused.into_inner();
    println!(
        "NOTE: {accepted} messages by SMTP after {refused} refusals, {HELD} deferred, {LOCAL} local: {total} arrived, each once"
    );
}

/// A client that comes again until its messages are accepted.
fn client_of(system: &System, numbers: Range<usize>, recipient: fn(usize) -> String, count: &Count) {
    for number in numbers {
        loop {
            match send(system, "sender@example.org", &recipient(number), number) {
                250 => break,
                400..500 => count.refused.fetch_add(1, Ordering::Relaxed),
                code => panic!("message {number} got {code}"),
            };
            std::thread::sleep(Duration::from_millis(100));
        }
        count.accepted.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The code of the first reply that ends the transaction, or of the last: 250 for a message that was accepted.
fn send(system: &System, sender: &str, recipient: &str, number: usize) -> u16 {
    let mut client = system.smtp();
    client.expect("EHLO client.example.org", 250);
    for (command, code) in [
        (format!("MAIL FROM:<{sender}>"), 250),
        (format!("RCPT TO:<{recipient}>"), 250),
        ("DATA".to_owned(), 354),
    ] {
        let reply = client.command(&command);
        if reply.code != code {
            return reply.code;
        }
    }
    let code = client.message(&text(number)).code;
    client.command("QUIT");
    code
}

fn text(number: usize) -> String {
    format!("Subject: message {number}\n\nText.\n")
}

/// How often each message is among the texts.
fn arrivals(texts: &[String]) -> BTreeMap<usize, usize> {
    let mut arrivals = BTreeMap::new();
    for text in texts {
        let number = text.lines().find_map(|line| line.strip_prefix("Subject: message "));
        let number = number.and_then(|number| number.parse().ok()).expect("a message of ours");
        *arrivals.entry(number).or_default() += 1;
    }
    arrivals
}

/// The messages in all Maildirs below a directory of domains with users in them.
pub(crate) fn all_maildirs(system: &System, base: &str) -> Vec<String> {
    let below = |path: &str| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().display().to_string()).collect::<Vec<_>>()
    };
    below(base).iter().flat_map(|domain| below(domain)).flat_map(|user| system.maildir(&user)).collect()
}
