//! Mail while the server that tables ask goes away and comes back: what was accepted arrives, and arrives once; what was
//! not accepted was refused for the time being only.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::System;

use crate::server::{End, Restart};

/// Settings that the test needs beside its own.
pub(crate) const SETTINGS: &str =
    "smtpd_sender_restrictions = check_sender_access inline:{held@example.org=HOLD}\n";
/// What tables in SQL have for it: nobody wants to wait for a minute.
pub(crate) const RETRY: &str = "retry_interval = 1\n";

/// How many clients send at the same time, and how much at most.
const CLIENTS: usize = 3;
const EACH: usize = 1000;
/// How many messages are to be accepted between one outage and the next.
const ENOUGH: usize = 40;
/// How many messages wait in the queue when the server goes away, and how many come by sendmail(1) while it is away.
const HELD: usize = 8;
const LOCAL: usize = 4;
/// How long all may take until it is delivered.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Count {
    /// The numbers of messages.
    accepted: Mutex<BTreeSet<usize>>,
    refused: AtomicUsize,
    is_over: AtomicBool,
}

impl Count {
    fn accepted(&self) -> usize {
        self.accepted.lock().expect("the messages").len()
    }

    fn accept(&self, number: usize) {
        self.accepted.lock().expect("the messages").insert(number);
    }
}

/// Tells the clients, also when a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends message after message to `recipient(number)`, ends the server twice meanwhile, and looks at the texts that were
/// `delivered` in the end. The system runs.
pub(crate) fn outlive(
    system: &System,
    server: &mut impl Restart,
    recipient: fn(usize) -> String,
    delivered: impl Fn() -> Vec<String>,
) {
    let count = Count::default();
    // Beside what clients send.
    let mut others = 0;
    let mut next = || {
        others += 1;
        let number = CLIENTS * EACH + others;
        count.accept(number);
        number
    };
    let flows = || {
        let enough = count.accepted() + ENOUGH;
        system.wait_until("mail flows", || count.accepted() >= enough);
    };
    std::thread::scope(|scope| {
        let _over = Over(&count.is_over);
        for client in 0..CLIENTS {
            let (numbers, count) = (client * EACH..(client + 1) * EACH, &count);
            scope.spawn(move || client_of(system, numbers, recipient, count));
        }
        for how in [End::Crash, End::Stop] {
            for _ in 0..HELD {
                let number = next();
                system.wait_until("mail is on hold", || {
                    send(system, "held@example.org", &recipient(number), number) == 250
                });
            }
            assert_eq!(system.queue("hold").len(), HELD);
            flows();
            let (mark, refused) = (system.mark(), count.refused.load(Ordering::Relaxed));
            server.end(how);
            system.run(&["postsuper", "-H", "ALL"]).well();
            system.run(&["postqueue", "-f"]).well();
            let is_deferred = |line: &String| line.contains("status=deferred");
            system.wait_until("mail is deferred", || {
                system.log_since(mark).iter().filter(|line| is_deferred(line)).count() >= HELD
            });
            for _ in 0..LOCAL {
                let number = next();
                let (recipient, text) = (recipient(number), text(number));
                system.sendmail("alice", &["-f", "local@example.org", &recipient], &text).well();
            }
            system.wait_until("clients are refused", || {
                count.refused.load(Ordering::Relaxed) >= refused + 2 * CLIENTS
            });
            assert!(system.queue("deferred").len() >= HELD);
            server.start_again();
        }
        flows();
    });
    let refused = count.refused.load(Ordering::Relaxed);
    wait_for(system, count.accepted(), &delivered);
    let arrived = arrivals(&delivered());
    let twice: BTreeMap<_, _> = arrived.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "more than once: {twice:?}");
    let accepted = count.accepted.into_inner().expect("the messages");
    assert_eq!(arrived.into_keys().collect::<BTreeSet<_>>(), accepted);
    for queue in ["maildrop", "incoming", "active", "deferred", "hold", "corrupt"] {
        assert!(system.queue(queue).is_empty(), "{queue}");
    }
    for wrong in ["status=bounced", "panic:", "fatal:"] {
        assert!(!system.logged(wrong), "{wrong}");
    }
    println!(
        "NOTE: {} messages, {others} of them special, and {refused} refusals; each arrived once",
        accepted.len()
    );
}

/// Waits until so many messages have arrived, and for what should not come.
fn wait_for(system: &System, total: usize, delivered: &impl Fn() -> Vec<String>) {
    let begin = Instant::now();
    loop {
        let arrived = arrivals(&delivered()).len();
        if arrived >= total {
            break;
        }
        let queues = ["deferred", "maildrop"].map(|queue| system.queue(queue));
        assert!(
            begin.elapsed() < PATIENCE,
            "{arrived} of {total} arrived; deferred, in maildrop: {queues:?}"
        );
        system.run(&["postqueue", "-f"]).well();
        std::thread::sleep(Duration::from_millis(1000));
    }
    system.settle();
}

/// A client that sends until it is over, and comes again with each message until that is accepted.
fn client_of(system: &System, numbers: Range<usize>, recipient: fn(usize) -> String, count: &Count) {
    for number in numbers {
        loop {
            if count.is_over.load(Ordering::Relaxed) {
                return;
            }
            match send(system, "sender@example.org", &recipient(number), number) {
                250 => break,
                400..500 => count.refused.fetch_add(1, Ordering::Relaxed),
                code => panic!("message {number} got {code}"),
            };
            std::thread::sleep(Duration::from_millis(100));
        }
        count.accept(number);
        std::thread::sleep(Duration::from_millis(20));
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
