//! Mail that one system accepted is delivered by the other, once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::{Package, Received, Sink, SmtpClient, System, isolation, scenario};

use crate::exchange;
use crate::kinds::{self, Message, Way};

const COUNT: usize = 1000;

const MAIN: &str = "
    mydestination = example.com
    recipient_delimiter = +
    local_recipient_maps =
    smtpd_reject_unlisted_recipient = no
    home_mailbox = Maildir/
    virtual_alias_maps = regexp:/etc/postfix/fans
    virtual_mailbox_domains = virtual.test
    virtual_mailbox_maps = static:all/
    virtual_mailbox_base = /home/vmail
    virtual_uid_maps = static:5000
    virtual_gid_maps = static:5000
    transport_maps = lmdb:/etc/postfix/transport
    smtp_destination_concurrency_limit = 10
    slow_destination_recipient_limit = 1
    slow_initial_destination_concurrency = 20
    smtpd_recipient_limit = 1000
    smtpd_error_sleep_time = 0
    smtpd_client_event_limit_exceptions = static:all
    in_flow_delay = 0
    minimal_backoff_time = 1000s
    maximal_backoff_time = 1000s
    ";

const MASTER: &str = "
    slow      unix  -       -       n       -       -       smtp
    direct    unix  -       -       n       -       -       smtp
    ";

/// Nothing goes out but what has to.
const STOPPED: &str = "defer_transports = smtp, local, virtual\n";

/// A header in UTF-8 asks for SMTPUTF8.
const HELLO: &str = "250-sink.example.net\n250-PIPELINING\n250-SIZE\n250-8BITMIME\n250-DSN\n250-SMTPUTF8\n250 ENHANCEDSTATUSCODES";

/// Who receives what.
struct World {
    remote: Sink,
    senders: Sink,
    hang: Sink,
    early: Sink,
}

scenario! {
    fn what_the_reference_accepted_is_delivered_by_us(system) {
        change(system, Package::Reference);
    }
}

scenario! {
    fn what_we_accepted_is_delivered_by_the_reference(system) {
        change(system, Package::Ours);
    }
}

fn change(system: &mut System, first: Package) {
    if let Some(why) = exchange::obstacle() {
        return isolation::skip_inside(&why);
    }
    let world = World {
        remote: Sink::smtp("198.51.100.10:25"),
        senders: Sink::smtp("198.51.100.11:25"),
        hang: Sink::smtp("198.51.100.12:25"),
        early: Sink::smtp("198.51.100.13:25"),
    };
    for sink in [&world.remote, &world.senders, &world.hang, &world.early] {
        sink.on("EHLO", HELLO);
    }
    world.hang.on("CONNECT", "HANG");
    exchange::install(system, first);
    configure(system);
    let messages = kinds::all(COUNT);

    accept(system, &messages);
    let found = ["maildrop", "incoming", "active", "deferred", "hold", "corrupt", "defer", "bounce"]
        .map(|name| (name, system.queue(name).len()));
    println!("NOTE: stopped: {found:?}");
    for (name, count) in &found[..5] {
        assert!(*count > 0, "nothing in {name}");
    }
    let files = sample();
    let texts = postcat(system, &files);

    exchange::install(system, exchange::other(first));
    let others = postcat(system, &files);
    for (file, (text, other)) in files.iter().zip(texts.iter().zip(&others)) {
        assert!(text == other, "postcat of {}:\n{text}\n--- and by the other ---\n{other}", file.display());
    }
    world.hang.on("CONNECT", "220 awake");
    main_cf(system, "");
    system.start();
    system.run(&["postsuper", "-H", "ALL"]).well();
    drain(system);
    system.stop();
    // Short ids again: each got another name on the way.
    assert!(system.logged(r"postsuper\[\d+\]: Renamed to match inode number: 490 messages"));
    check(system, &world, &messages);
}

fn main_cf(system: &System, more: &str) {
    let settings: String = MAIN.lines().map(|line| format!("{}\n", line.trim())).collect();
    system.main_cf(&format!("{settings}{more}"));
}

fn configure(system: &System) {
    main_cf(system, STOPPED);
    system.master_cf(MASTER);
    system.file(
        "/etc/postfix/fans",
        "/^fan([0-9]+)@example\\.com$/ m$1.one@example.net, m$1.two@virtual.test\n",
    );
    system.table(
        "transport",
        "
        example.net     smtp:[198.51.100.10]
        senders.test    smtp:[198.51.100.11]
        hang.test       slow:[198.51.100.12]
        early.test      direct:[198.51.100.13]
        bounce.test     error:5.1.1 nobody is here
        ",
    );
    system.aliases("postmaster: root\nroot: alice\nteam: bob, carol\n");
    system.shell("chown vmail:vmail /home/vmail").well();
}

/// Has all messages accepted, and stops before they are delivered.
fn accept(system: &mut System, messages: &[Message]) {
    let by = |way: Way| messages.iter().filter(move |message| message.way == way);
    system.start();
    let held: Vec<String> = by(Way::Held).map(|message| submit(system, message)).collect();
    for message in by(Way::Deferred) {
        submit(system, message);
    }
    drop_session();
    system.settle();
    let list = held.join("\n");
    system.run_as("root", &["postsuper", "-h", "-"], &format!("{list}\n")).well();
    for message in by(Way::Active) {
        submit(system, message);
    }
    drop_session();
    let waiting = by(Way::Active).count();
    system.wait_until("mail in active", || system.queue("active").len() >= waiting);
    system.stop();

    // Long ids in the same queue; no queue manager.
    main_cf(system, &format!("{STOPPED}enable_long_queue_ids = yes\n"));
    let services = system.read("/etc/postfix/master.cf");
    let without: String =
        services.lines().filter(|line| !line.starts_with("qmgr")).map(|line| format!("{line}\n")).collect();
    system.file("/etc/postfix/master.cf", &without);
    system.start();
    for message in by(Way::Incoming) {
        submit(system, message);
    }
    drop_session();
    system.stop();
    system.file("/etc/postfix/master.cf", &services);

    for message in by(Way::Maildrop) {
        fs::write("/tmp/message", &message.text).expect("write");
        let sender = if message.sender.is_empty() { "<>" } else { &message.sender };
        let command = format!("sendmail -i -f '{sender}' {} </tmp/message", message.recipients.join(" "));
        system.run_as("alice", &["sh", "-c", &command], "").well();
    }
}

thread_local! {
    static SESSION: std::cell::RefCell<Option<SmtpClient>> = const { std::cell::RefCell::new(None) };
}

fn drop_session() {
    SESSION.with_borrow_mut(|session| drop(session.take()));
}

/// Submits a message; gives its id.
fn submit(system: &System, message: &Message) -> String {
    SESSION.with_borrow_mut(|session| {
        let client = session.get_or_insert_with(|| {
            let mut client = system.smtp();
            client.expect("EHLO localhost", 250);
            client
        });
        client.expect(&format!("MAIL FROM:<{}>{}", message.sender, message.mail), 250);
        for recipient in &message.recipients {
            client.expect(&format!("RCPT TO:<{recipient}>{}", message.rcpt), 250);
        }
        client.expect("DATA", 354);
        let mut wire = Vec::with_capacity(message.text.len() + 1000);
        for line in message.text.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b".") {
                wire.push(b'.');
            }
            wire.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
        client.send(&wire);
        let reply = client.reply();
        assert_eq!(reply.code, 250, "{reply:?}");
        reply.last().rsplit(' ').next().unwrap_or_default().to_owned()
    })
}

/// Some of the queue's files, of all queues.
fn sample() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for queue in ["maildrop", "incoming", "active", "deferred", "hold"] {
        let mut found = Vec::new();
        walk(&Path::new("/var/spool/postfix").join(queue), &mut found);
        found.sort();
        files.extend(found.into_iter().step_by(17));
    }
    files
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            walk(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

fn postcat(system: &System, files: &[PathBuf]) -> Vec<String> {
    let names = files.iter().map(|file| file.to_string_lossy().into_owned());
    names.map(|name| system.run(&["postcat", "-v", &name]).well().stdout).collect()
}

/// Waits until the queue is empty.
fn drain(system: &System) {
    let deadline = Instant::now() + Duration::from_secs(100);
    let mut flushed = Instant::now() - Duration::from_secs(60);
    loop {
        let left =
            ["maildrop", "incoming", "active", "deferred", "hold"].map(|name| system.queue(name).len());
        if left == [0; 5] {
            return;
        }
        if left[3] > 0 && flushed.elapsed() > Duration::from_secs(5) {
            system.run(&["postqueue", "-f"]);
            flushed = Instant::now();
        }
        if Instant::now() > deadline {
            panic!(
                "left in maildrop, incoming, active, deferred, hold: {left:?}\n{}",
                system.run(&["mailq"]).stdout
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Every copy there, once, with its text; every notification there, once; nothing else.
fn check(system: &System, world: &World, messages: &[Message]) {
    let expected = kinds::expected(messages);
    let mut copies: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (name, sink) in [("remote", &world.remote), ("hang", &world.hang), ("early", &world.early)] {
        for received in sink.messages() {
            for address in addresses(&received) {
                copies.entry(format!("{name}:{address}")).or_default().push(received.data.clone());
            }
        }
    }
    for (name, directory, header) in [
        ("alice", "/home/alice/Maildir", "X-Original-To: "),
        ("bob", "/home/bob/Maildir", "X-Original-To: "),
        ("carol", "/home/carol/Maildir", "X-Original-To: "),
        ("virtual", "/home/vmail/all", "Delivered-To: "),
    ] {
        for entry in fs::read_dir(format!("{directory}/new")).into_iter().flatten().flatten() {
            let text = fs::read(entry.path()).expect("a message");
            let head = String::from_utf8_lossy(&text[..text.len().min(4000)]).into_owned();
            let address = head.lines().find_map(|line| line.strip_prefix(header));
            copies.entry(format!("{name}:{}", address.unwrap_or_default())).or_default().push(text);
        }
    }
    let mut wrong = Vec::new();
    for (key, body) in &expected {
        match copies.get(key).map_or(&[][..], Vec::as_slice) {
            [one] if kinds::squeezed(kinds::body(one)) == *body => {}
            [one] => wrong.push(format!(
                "{key}: other text:\n{}",
                String::from_utf8_lossy(&one[..one.len().min(1500)])
            )),
            several => wrong.push(format!("{key}: {} copies", several.len())),
        }
    }
    wrong.extend(
        copies.keys().filter(|key| !expected.contains_key(*key)).map(|key| format!("{key}: unexpected")),
    );

    let wanted: BTreeSet<&str> =
        messages.iter().filter(|message| message.report).map(|message| message.sender.as_str()).collect();
    let mut reports: BTreeMap<String, usize> = BTreeMap::new();
    for received in world.senders.messages() {
        for address in addresses(&received) {
            *reports.entry(address).or_default() += 1;
        }
    }
    for sender in &wanted {
        let count = reports.get(*sender).copied().unwrap_or(0);
        if count != 1 {
            wrong.push(format!("{sender}: {count} notifications"));
        }
    }
    wrong.extend(
        reports
            .keys()
            .filter(|sender| !wanted.contains(sender.as_str()))
            .map(|sender| format!("{sender}: a notification")),
    );
    println!(
        "NOTE: {} copies, {} notifications",
        copies.values().map(Vec::len).sum::<usize>(),
        reports.len()
    );
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(system.queue("corrupt").is_empty(), "corrupt: {:?}", system.queue("corrupt"));
    for name in ["bounce", "defer", "trace"] {
        assert!(system.queue(name).is_empty(), "left in {name}: {:?}", system.queue(name));
    }
}

fn addresses(received: &Received) -> Vec<String> {
    let address = |text: &String| text.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
    received.recipients.iter().map(address).collect()
}
