//! `kill -9` under load: what was acknowledged arrives; twice only what a kill caught between delivery and its mark.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harness::{SmtpClient, System, scenario};

use crate::process::{self, Process};
use crate::receiver::{Arrival, Receiver};

const ROUNDS: usize = 20;
/// Sessions that submit at the same time.
const SESSIONS: usize = 6;
/// How long before a kill a delivery may be that was not marked yet.
const WINDOW: Duration = Duration::from_secs(3);

const MAIN: &str = "
    transport_maps = inline:{example.net=smtp:[198.51.100.10]}
    virtual_mailbox_domains = virtual.test
    virtual_mailbox_maps = static:all/
    virtual_mailbox_base = /home/vmail
    virtual_uid_maps = static:5000
    virtual_gid_maps = static:5000
    queue_run_delay = 1s
    minimal_backoff_time = 1s
    maximal_backoff_time = 2s
    transport_retry_time = 1s
    service_throttle_time = 1s
    ipc_timeout = 10s
    trigger_timeout = 5s
    ";

/// What was acknowledged, and the load that goes on.
struct Load {
    acknowledged: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn start() -> Self {
        let acknowledged: Arc<Mutex<Vec<String>>> = Arc::default();
        let stop: Arc<AtomicBool> = Arc::default();
        let counter: Arc<AtomicUsize> = Arc::default();
        let mut threads = Vec::new();
        for _ in 0..SESSIONS {
            let (acknowledged, stop, counter) = (acknowledged.clone(), stop.clone(), counter.clone());
            threads.push(std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    session(&acknowledged, &counter);
                    std::thread::sleep(Duration::from_millis(20));
                }
            }));
        }
        let (acked, stopped) = (acknowledged.clone(), stop.clone());
        threads.push(std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let recipient = format!("d{}@example.net", counter.fetch_add(1, Ordering::Relaxed));
                if sendmail(&recipient) {
                    acked.lock().expect("the list").push(recipient);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }));
        Self { acknowledged, stop, threads }
    }

    /// Ends it; gives what was acknowledged, by recipient.
    fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a client");
        }
        self.acknowledged.lock().expect("the list").clone()
    }
}

/// Some messages in one session, until something goes wrong.
fn session(acknowledged: &Mutex<Vec<String>>, counter: &AtomicUsize) -> Option<()> {
    let server: SocketAddr = "127.0.0.1:25".parse().expect("an address");
    let mut client = SmtpClient::connect(None, server).ok()?;
    client.patience(Duration::from_secs(10));
    let good = |code: u16| (code / 100 == 2).then_some(());
    good(client.reply().code)?;
    good(client.command("EHLO localhost").code)?;
    for _ in 0..10 {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        let mut recipients = vec![format!("k{number}@example.net")];
        if number.is_multiple_of(5) {
            recipients.push(format!("k{number}@virtual.test"));
        }
        good(client.command("MAIL FROM:<>").code)?;
        for recipient in &recipients {
            good(client.command(&format!("RCPT TO:<{recipient}>")).code)?;
        }
        if client.command("DATA").code != 354 {
            return None;
        }
        let size = if number.is_multiple_of(50) { 200_000 } else { 500 };
        let text = format!("Subject: {number}\n\n{}", "Some text, again and again.\n".repeat(size / 28));
        good(client.message(&text).code)?;
        acknowledged.lock().expect("the list").extend(recipients);
        std::thread::sleep(Duration::from_millis(5));
    }
    client.command("QUIT");
    Some(())
}

fn sendmail(recipient: &str) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("printf 'Subject: x\\n\\nx\\n' | sendmail -f '<>' {recipient}")]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Numbers that look random; the seed is printed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

scenario! {
    fn no_kill_no_duplicate(system) {
        let receiver = configure(system);
        system.start();
        let load = Load::start();
        std::thread::sleep(Duration::from_secs(5));
        let acknowledged = load.stop();
        drain(system);
        let copies = copies(&receiver);
        println!("NOTE: {} acknowledged, {} copies", acknowledged.len(), copies.values().map(Vec::len).sum::<usize>());
        assert!(acknowledged.len() > 50, "no load: {}", acknowledged.len());
        for recipient in &acknowledged {
            assert_eq!(copies.get(recipient).map_or(0, Vec::len), 1, "{recipient}");
        }
        assert_eq!(copies.len(), acknowledged.len(), "more than what was acknowledged");
    }
}

scenario! {
    fn kills_lose_nothing(system) {
        let receiver = configure(system);
        let seed = std::env::var("FERROFIX_SEED").ok().and_then(|text| text.parse().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
        let seed = seed.unwrap_or(now);
        println!("NOTE: FERROFIX_SEED={seed}");
        let mut dice = Dice(seed);
        system.start();
        let load = Load::start();
        let mut kills = Vec::new();
        let mut victims: BTreeMap<String, usize> = BTreeMap::new();
        for round in 0..ROUNDS {
            std::thread::sleep(Duration::from_millis(700 + dice.below(600) as u64));
            let dead = choose(&process::daemons(), round, &mut dice);
            for process in &dead {
                *victims.entry(process.name.clone()).or_default() += 1;
            }
            kills.push(Instant::now());
            process::signal(system, "KILL", &dead.iter().map(|process| process.pid).collect::<Vec<_>>());
            kills.push(Instant::now());
            if dead.iter().any(|process| process.name == "master") {
                restart(system);
            }
        }
        std::thread::sleep(Duration::from_millis(500));
        let acknowledged = load.stop();
        if process::daemon("master").is_none() {
            restart(system);
        }
        drain(system);
        let copies = copies(&receiver);
        let lost: Vec<&String> = acknowledged.iter().filter(|recipient| !copies.contains_key(*recipient)).collect();
        let doubled: Vec<(&String, &Vec<Arrival>)> = copies.iter().filter(|(_, copies)| copies.len() > 1).collect();
        println!(
            "NOTE: {ROUNDS} rounds, killed {victims:?}; {} acknowledged, {} lost, {} more than once, {} arrived unacknowledged",
            acknowledged.len(),
            lost.len(),
            doubled.len(),
            copies.len() - (acknowledged.len() - lost.len()),
        );
        assert!(lost.is_empty(), "lost: {lost:?}");
        assert!(acknowledged.len() > 200, "no load");
        for (recipient, copies) in &doubled {
            // All but the last must have been cut off from their marks.
            for copy in &copies[..copies.len() - 1] {
                let excused = kills.iter().any(|kill| *kill + Duration::from_millis(50) >= copy.at && *kill <= copy.at + WINDOW);
                assert!(excused, "{recipient} came {} times, and no kill is near", copies.len());
            }
        }
        // At most what can be on its way at the same time: 20 deliveries by SMTP, 20 by virtual.
        assert!(doubled.len() <= ROUNDS * 40, "too many duplicates: {}", doubled.len());
        assert!(system.queue("corrupt").is_empty(), "corrupt: {:?}", system.queue("corrupt"));
    }
}

fn configure(system: &System) -> Receiver {
    system.main_cf(MAIN);
    system.shell("chown vmail:vmail /home/vmail").well();
    Receiver::at("198.51.100.10:25")
}

/// Whom to kill: one or some, in turn with all of a kind, master, and everybody.
fn choose(all: &[Process], round: usize, dice: &mut Dice) -> Vec<Process> {
    let named = |name: &str| all.iter().filter(|process| process.name == name).cloned().collect::<Vec<_>>();
    match round % 5 {
        0 => named(["smtp", "cleanup", "qmgr", "smtpd"][(round / 5) % 4]),
        4 if round % 10 == 4 => named("master"),
        4 => all.to_vec(),
        _ => {
            let count = 1 + dice.below(3);
            let others: Vec<&Process> = all.iter().filter(|process| process.name != "master").collect();
            if others.is_empty() {
                return Vec::new();
            }
            (0..count).map(|_| others[dice.below(others.len())].clone()).collect()
        }
    }
}

/// Starts again. What master left behind may take a moment to notice.
fn restart(system: &System) {
    let begin = Instant::now();
    loop {
        let output = system.run(&["postfix", "start"]);
        if output.code == 0 {
            return;
        }
        if begin.elapsed() > Duration::from_secs(20) {
            panic!("postfix start: {}{} {:?}", output.stdout, output.stderr, process::daemons());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Waits until the queue is empty.
fn drain(system: &System) {
    let begin = Instant::now();
    loop {
        // Without the x bit it is not a message yet, and never will be: what a killed process was writing.
        let find = "cd /var/spool/postfix && find maildrop incoming active deferred hold -type f -perm -u+x";
        let left = system.shell(find).stdout;
        if left.is_empty() {
            return;
        }
        if begin.elapsed() > Duration::from_secs(70) {
            panic!("left: {left}\n{}", system.run(&["mailq"]).stdout);
        }
        system.run(&["postqueue", "-f"]);
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Every copy that arrived, by recipient.
fn copies(receiver: &Receiver) -> BTreeMap<String, Vec<Arrival>> {
    let mut copies: BTreeMap<String, Vec<Arrival>> = BTreeMap::new();
    for arrival in receiver.arrivals() {
        copies.entry(arrival.recipient.clone()).or_default().push(arrival);
    }
    let now = (SystemTime::now(), Instant::now());
    for entry in fs::read_dir("/home/vmail/all/new").into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).expect("a message");
        let recipient =
            text.lines().find_map(|line| line.strip_prefix("Delivered-To: ")).expect("Delivered-To");
        let written = entry.metadata().and_then(|data| data.modified()).expect("its time");
        let ago = now.0.duration_since(written).unwrap_or_default();
        let at = now.1.checked_sub(ago).unwrap_or(now.1);
        copies.entry(recipient.to_owned()).or_default().push(Arrival { recipient: recipient.to_owned(), at });
    }
    for arrivals in copies.values_mut() {
        arrivals.sort_by_key(|arrival| arrival.at);
    }
    copies
}
