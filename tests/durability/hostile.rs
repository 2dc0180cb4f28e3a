//! Broken files and broken talk from inside the machine: nothing falls over, and mail goes on.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use harness::{Package, System, scenario};

use crate::process;

const SPOOL: &str = "/var/spool/postfix";

/// A record of a queue file.
fn record(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    let mut length = data.len();
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            bytes.push(low);
            break;
        }
        bytes.push(low | 0x80);
    }
    bytes.extend_from_slice(data);
    bytes
}

/// Bytes that look random and are the same each time.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u8
    };
    (0..count).map(|_| next()).collect()
}

/// Contents of files that are no messages, from one that is.
fn broken(good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut cases = vec![
        ("empty", Vec::new()),
        ("noise", noise(1, 3000)),
        ("text", b"Just some text, no records.\n".repeat(20)),
        ("zeros", vec![0; 5000]),
        ("quarter", good[..good.len() / 4].to_vec()),
        ("half", good[..good.len() / 2].to_vec()),
        ("no end", good[..good.len() - 2].to_vec()),
        ("last byte", good[..good.len() - 1].to_vec()),
        (
            "endless length",
            [b"C\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(), good.to_vec()].concat(),
        ),
        ("long record", [vec![b'S', 0xff, 0xff, 0xff, 0x7f], vec![b'a'; 1000]].concat()),
        ("only end", record(b'E', b"")),
        (
            "no recipient",
            [
                record(b'S', b"a@example.com"),
                record(b'M', b""),
                record(b'N', b"x"),
                record(b'X', b""),
                record(b'E', b""),
            ]
            .concat(),
        ),
        ("recipient first", [record(b'R', b"bob"), record(b'S', b"a"), record(b'M', b"")].concat()),
    ];
    // The size record says where the parts are.
    for (name, size) in [
        ("size negative", "            -99             -99               1               0            -100"),
        ("size large", "      999999999       999999999               1               0       999999999"),
        ("size words", "one two three four five"),
        ("size nothing", ""),
    ] {
        let rest = &good[2 + usize::from(good[1])..];
        cases.push((name, [record(b'C', size.as_bytes()), rest.to_vec()].concat()));
    }
    // Pointers that lead to themselves, out of the file, and backwards.
    let head = 2 + usize::from(good[1]);
    for (name, target) in [
        ("pointer to itself", head.to_string()),
        ("pointer out", "99999999".to_owned()),
        ("pointer back", "0".to_owned()),
        ("pointer to words", "here".to_owned()),
    ] {
        let pointer = record(b'p', format!("{target:>15}").as_bytes());
        cases.push((name, [good[..head].to_vec(), pointer, good[head..].to_vec()].concat()));
    }
    for seed in 2..30 {
        // Single bytes changed.
        let mut bytes = good.to_vec();
        for pair in noise(seed, 8).chunks(2) {
            let at = usize::from(pair[0]) * 7 % bytes.len();
            bytes[at] = pair[1];
        }
        cases.push(("flipped", bytes));
    }
    cases
}

scenario! {
    fn broken_queue_files(system) {
        system.main_cf("transport_maps = inline:{example.net=discard:}\nqueue_run_delay = 1s\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s\n");
        system.master_cf("");
        // A message to take to pieces.
        system.main_cf("defer_transports = local\nmaximal_backoff_time = 3000s\nminimal_backoff_time = 3000s\n");
        system.start();
        let id = system.submit("a@example.com", &["bob@example.com"], "Subject: x\n\nSome text.\nMore.\n");
        system.settle();
        let path = format!("{SPOOL}/deferred/{}/{id}", &id[..1]);
        let good = fs::read(&path).expect("the queue file");
        system.stop();
        system.run(&["postsuper", "-d", "ALL"]).well();

        system.main_cf("minimal_backoff_time = 2s\nmaximal_backoff_time = 3s\nqueue_run_delay = 1s\nhome_mailbox = Maildir/\n");
        let cases = broken(&good);
        for queue in ["incoming", "active", "deferred", "hold"] {
            for (number, (_, bytes)) in cases.iter().enumerate() {
                place(&format!("{SPOOL}/{queue}"), &format!("{:X}{:03X}", 0xAB000 + number, queue.len()), bytes);
            }
        }
        // Things that are no files.
        symlink("/etc/passwd", format!("{SPOOL}/incoming/ABCDEF01")).expect("symlink");
        fs::create_dir(format!("{SPOOL}/incoming/ABCDEF02")).expect("mkdir");
        system.shell(&format!("mkfifo -m 700 {SPOOL}/incoming/ABCDEF03; ln /etc/hostname {SPOOL}/incoming/ABCDEF04 2>/dev/null; touch {SPOOL}/incoming/no-name {SPOOL}/deferred/xx"));
        let mark = system.mark();
        system.start();
        system.shell("postsuper -H ALL");
        // The reference's showq does not survive some of these files.
        if system.package() == Package::Ours {
            system.run(&["postqueue", "-p"]).well();
            system.run(&["postqueue", "-j"]).well();
        }
        alive(system, mark);
        std::thread::sleep(Duration::from_secs(4));
        system.run(&["postqueue", "-f"]).well();
        alive(system, mark);
        let corrupt = system.queue("corrupt").len();
        let left = ["incoming", "active", "deferred", "hold"].map(|name| (name, system.queue(name).len()));
        println!("NOTE: {} broken files: {corrupt} in corrupt, left {left:?}", 4 * cases.len());
        if std::env::var_os("FERROFIX_SHOW").is_some() {
            for line in system.log_since(mark).iter().filter(|line| line.contains("warning")) {
                println!("NOTE: {line}");
            }
        }
        // Everything that cannot be read, of each queue. Some changes of single bytes do no harm.
        assert!(corrupt >= 4 * 10, "only {corrupt} in corrupt");
        assert!(system.log_since(mark).iter().any(|line| line.contains("qmgr") && line.contains("saving corrupt file")), "not said");
    }
}

scenario! {
    fn broken_maildrop_files(system) {
        system.main_cf("home_mailbox = Maildir/\n");
        system.sendmail("alice", &["bob@example.com"], "Subject: x\n\nSome text.\nMore.\n").well();
        let name = system.queue("maildrop").remove(0);
        let good = fs::read(format!("{SPOOL}/maildrop/{name}")).expect("the file");
        fs::remove_file(format!("{SPOOL}/maildrop/{name}")).expect("remove");
        let head = [record(b'T', b"1700000000"), record(b'S', b"alice"), record(b'R', b"bob@example.com")].concat();
        let mut cases = broken(&[record(b'C', b"0"), good.clone()].concat());
        cases.extend(broken(&good));
        cases.push(("log attribute", [head.clone(), record(b'A', b"log_client_name=evil"), record(b'A', b"rewrite_context=\x01")].concat()));
        cases.push(("pointer", [head.clone(), record(b'p', b"0"), record(b'M', b"")].concat()));
        cases.push(("many attributes", [head, record(b'A', b"a=b").repeat(50_000)].concat()));
        for (number, (_, bytes)) in cases.iter().enumerate() {
            place(&format!("{SPOOL}/maildrop"), &format!("{:X}", 0xABC000 + number), bytes);
        }
        symlink("/etc/passwd", format!("{SPOOL}/maildrop/ABCDEF01")).expect("symlink");
        system.shell(&format!("mkfifo -m 700 {SPOOL}/maildrop/ABCDEF03; mkdir {SPOOL}/maildrop/ABCDEF05"));
        let mark = system.mark();
        system.start();
        alive(system, mark);
        std::thread::sleep(Duration::from_secs(2));
        system.run(&["postqueue", "-p"]).well();
        alive(system, mark);
        let warnings = system.log_since(mark).iter().filter(|line| line.contains("pickup") && line.contains("warning")).count();
        println!("NOTE: {} broken files, {warnings} warnings of pickup", cases.len());
        if std::env::var_os("FERROFIX_SHOW").is_some() {
            for line in system.log_since(mark).iter().filter(|line| line.contains("warning")) {
                println!("NOTE: {line}");
            }
        }
        assert!(warnings >= 10, "{warnings}");
        let passwd = system.maildir("/home/bob/Maildir").iter().filter(|text| text.contains("root:x:0")).count();
        assert_eq!(passwd, 0, "a symbolic link was followed");
    }
}

fn place(directory: &str, name: &str, bytes: &[u8]) {
    let path = format!("{directory}/{name}");
    fs::write(&path, bytes).expect("write");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o744)).expect("chmod");
    let owner = if directory.ends_with("maildrop") { 6001 } else { 5101 };
    std::os::unix::fs::chown(&path, Some(owner), None).expect("chown");
}

/// Nothing crashed, and mail is delivered.
fn alive(system: &System, mark: usize) {
    let before = system.maildir("/home/carol/Maildir").len();
    system.submit("a@example.com", &["carol@example.com"], "Subject: alive\n\nYes.\n");
    system.wait_until("mail to be delivered", || system.maildir("/home/carol/Maildir").len() > before);
    for line in system.log_since(mark) {
        let bad = ["panic:", "killed by signal", "bad command startup", "exit status", "fatal:", "panicked"];
        let known = system.package() == Package::Reference && line.contains("postqueue[");
        assert!(known || !bad.iter().any(|text| line.contains(text)), "{line}");
    }
}

scenario! {
    fn noise_on_every_socket(system) {
        system.main_cf("home_mailbox = Maildir/\nqueue_run_delay = 2s\nvirtual_mailbox_base = /home/vmail\n");
        system.start();
        let mark = system.mark();
        alive(system, mark);
        let master = process::daemon("master");
        let sockets = sockets();
        assert!(sockets.len() > 15, "{sockets:?}");
        let mut hanging = Vec::new();
        for path in &sockets {
            for what in 0..9_u64 {
                let Some(mut stream) = connect(path) else { continue };
                match what {
                    0 => {}
                    1 => drop(stream.write_all(&noise(what, 20_000))),
                    2 => drop(stream.write_all(&[b"request\0".to_vec(), vec![b'a'; 2_000_000]].concat())),
                    3 => drop(stream.write_all(&vec![b'n'; 2_000_000])),
                    4 => drop(stream.write_all(&vec![0; 100_000])),
                    5 => drop(stream.write_all(b"request\0rewrite\0rule\0local\0address\0a@b\0\0request\0x")),
                    6 => drop(stream.write_all(b"nrequest\0flags\0-99999999999999999999999\0\0")),
                    7 => drop(stream.write_all(b"queue_name\0../../etc\0queue_id\0../passwd\0offset\0-1\0size\0-1\0nexthop\0\0\0")),
                    _ => drop(stream.write_all(b"flags")),
                }
                stream.set_read_timeout(Some(Duration::from_millis(30))).expect("a time-out");
                let mut answer = [0; 4096];
                while matches!(stream.read(&mut answer), Ok(1..)) {}
                if what == 0 || what == 8 {
                    // Says nothing, or half a word, and stays.
                    hanging.push(stream);
                }
            }
        }
        println!("NOTE: {} sockets, {} connections left hanging", sockets.len(), hanging.len());
        let quiet = |system: &System| {
            let before = system.maildir("/home/carol/Maildir").len();
            system.submit("a@example.com", &["carol@example.com"], "Subject: alive\n\nYes.\n");
            system.wait_until("mail to be delivered", || system.maildir("/home/carol/Maildir").len() > before);
        };
        quiet(system);
        system.sendmail("alice", &["carol@example.com"], "Subject: y\n\ny\n").well();
        system.wait_until("sendmail's to be delivered", || system.maildir("/home/carol/Maildir").len() >= 3);
        system.run(&["postqueue", "-p"]).well();
        drop(hanging);
        quiet(system);
        assert_eq!(process::daemon("master"), master);
        for line in system.log_since(mark) {
            let bad = ["panic:", "killed by signal", "bad command startup", "panicked"];
            assert!(!bad.iter().any(|text| line.contains(text)), "{line}");
        }
        assert!(system.queue("corrupt").is_empty());
    }
}

fn sockets() -> Vec<String> {
    let mut found = Vec::new();
    for directory in ["public", "private"] {
        for entry in fs::read_dir(Path::new(SPOOL).join(directory)).into_iter().flatten().flatten() {
            found.push(entry.path().to_string_lossy().into_owned());
        }
    }
    found.sort();
    found
}

/// A connection, unless there is none to be had: a datagram socket, say.
fn connect(path: &str) -> Option<UnixStream> {
    let stream = UnixStream::connect(path).ok()?;
    stream.set_write_timeout(Some(Duration::from_millis(500))).ok()?;
    Some(stream)
}
