//! Disks that fill up.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::time::Duration;

use harness::{Sink, System, isolation, scenario};

/// A file system of its own, for what may fill up.
pub(crate) struct Volume {
    /// Where it is mounted.
    pub(crate) path: String,
}

impl Volume {
    /// A small file system in memory.
    pub(crate) fn memory(system: &System, name: &str, kilobytes: usize) -> Self {
        let path = format!("/mnt/{name}");
        fs::create_dir_all(&path).expect("mkdir");
        let options = format!("size={kilobytes}k,nr_inodes=20000,mode=755");
        system.run(&["mount", "-t", "tmpfs", "-o", &options, "tmpfs", &path]).well();
        Self { path }
    }

    /// A new ext4 file system in the file `/tmp/NAME.img`, of so many megabytes; or why there can be none.
    pub(crate) fn ext4(name: &str, megabytes: u64, options: &str) -> Result<Self, String> {
        let image = format!("/tmp/{name}.img");
        let file = fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(megabytes << 20).map_err(|error| error.to_string())?;
        run(&["mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", &image])?;
        Self::existing(name, options)
    }

    /// Mounts `/tmp/NAME.img`.
    pub(crate) fn existing(name: &str, options: &str) -> Result<Self, String> {
        // The system of a test has a /dev of its own.
        run(&["sh", "-c", "[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237"])?;
        run(&[
            "sh",
            "-c",
            "for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do [ -e /dev/loop$n ] || mknod /dev/loop$n b 7 $n; done",
        ])?;
        let (image, path) = (format!("/tmp/{name}.img"), format!("/mnt/{name}"));
        fs::create_dir_all(&path).map_err(|error| error.to_string())?;
        run(&["mount", "-o", &format!("loop,{options}"), &image, &path])?;
        Ok(Self { path })
    }

    /// Puts the spool there. The system must not run yet.
    pub(crate) fn hold_spool(&self, system: &System) {
        self.hold(system, "/var/spool/postfix");
    }

    /// Puts a directory there, with what is in it.
    pub(crate) fn hold(&self, system: &System, directory: &str) {
        system
            .shell(&format!("cp -a {directory}/. {}/ && mount --bind {} {directory}", self.path, self.path))
            .well();
        let owner = if directory.ends_with("/postfix") { "0" } else { "5101" };
        system.shell(&format!("chown {owner} {directory}")).well();
    }

    /// Fills it up to the last byte.
    fn fill(&self) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(format!("{}/.ballast", self.path))
            .expect("open");
        for size in [65536, 4096, 512, 1] {
            let block = vec![b'x'; size];
            while file.write_all(&block).is_ok() {}
        }
        // tmpfs gives memory by the page: the last one is used up, too.
        drop(file.sync_all());
    }

    fn empty(&self) {
        fs::remove_file(format!("{}/.ballast", self.path)).expect("remove the ballast");
    }
}

fn run(command: &[&str]) -> Result<(), String> {
    let output = std::process::Command::new(command[0]).args(&command[1..]).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{}: {}", command[0], String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{}: {error}", command[0])),
    }
}

const MAIN: &str = "
    transport_maps = inline:{example.net=smtp:[198.51.100.10]}
    message_size_limit = 200000
    queue_run_delay = 1s
    minimal_backoff_time = 1s
    maximal_backoff_time = 2s
    transport_retry_time = 1s
    service_throttle_time = 1s
    in_flow_delay = 0
    ";

const TEXT_LINE: &str = "Some text that takes room on the disk.\n";

fn text(number: usize, size: usize) -> String {
    format!("Subject: {number}\nX-Number: {number}\n\n{}", TEXT_LINE.repeat(size / TEXT_LINE.len()))
}

/// The numbers of what was received, sorted.
fn numbers(sink: &Sink) -> Vec<usize> {
    let number = |text: &str| text.lines().find_map(|line| line.strip_prefix("X-Number: ")?.parse().ok());
    let mut numbers: Vec<usize> =
        sink.messages().iter().filter_map(|message| number(&message.text())).collect();
    numbers.sort_unstable();
    numbers
}

scenario! {
    fn a_full_queue_refuses_and_keeps(system) {
        let volume = Volume::memory(system, "queue", 3000);
        volume.hold_spool(system);
        full_queue(system, &volume);
    }
}

scenario! {
    fn a_full_queue_on_ext4_refuses_and_keeps(system) {
        let volume = match Volume::ext4("queue", 8, "noatime") {
            Ok(volume) => volume,
            Err(why) => return isolation::skip_inside(&why),
        };
        volume.hold_spool(system);
        full_queue(system, &volume);
    }
}

fn full_queue(system: &mut System, volume: &Volume) {
    let sink = Sink::smtp("198.51.100.10:25");
    // Nothing leaves until there is room again.
    sink.on("CONNECT", "421 4.3.2 later");
    system.main_cf(MAIN);
    system.start();

    // Room enough to begin, and none when it is to be written.
    let mut client = system.smtp();
    client.expect("EHLO localhost", 250);
    client.expect("MAIL FROM:<a@example.com>", 250);
    client.expect("RCPT TO:<b@example.net>", 250);
    client.expect("DATA", 354);
    volume.fill();
    let reply = client.message(&text(500, 150_000));
    assert_eq!(reply.last(), "451 4.3.0 Error: queue file write error");
    // The session goes on, and so does the service.
    client.command("RSET");
    assert!(client.command("MAIL FROM:<a@example.com>").last().starts_with("452 4.3.1 "));

    volume.empty();
    drop(client);

    // Filled by mail itself.
    let mut accepted = Vec::new();
    let mut refused = None;
    let mut client = system.smtp();
    client.expect("EHLO localhost", 250);
    for number in 0..200 {
        let reply = client.command("MAIL FROM:<a@example.com>");
        if reply.code != 250 {
            refused = Some(reply);
            break;
        }
        let rcpt = client.command("RCPT TO:<b@example.net>");
        let data = if rcpt.code == 250 { client.command("DATA") } else { rcpt };
        if data.code != 354 {
            refused = Some(data);
            break;
        }
        let reply = client.message(&text(number, 90_000));
        if reply.code != 250 {
            refused = Some(reply);
            break;
        }
        accepted.push(number);
    }
    let refused = refused.expect("a refusal").last().to_owned();
    println!("NOTE: {} accepted, then {refused}", accepted.len());
    assert!(refused.starts_with("452 4.3.1 Insufficient system storage"), "{refused}");
    assert!(accepted.len() > 3, "too few");
    system.wait_for_log("not enough free space in mail queue: [0-9]+ bytes < 1.5\\*message size limit");

    volume.fill();

    // From the command line: the caller keeps it.
    let output = system.sendmail("alice", &["b@example.net"], &text(501, 150_000));
    println!("NOTE: sendmail: {output:?}");
    assert_eq!(output.code, 75, "{output:?}");
    assert!(system.queue("maildrop").is_empty(), "half a message: {:?}", system.queue("maildrop"));

    // A while without room: deferral cannot be recorded, and yet nothing goes.
    std::thread::sleep(Duration::from_secs(3));
    system.run(&["postqueue", "-p"]).well();

    volume.empty();
    sink.obey();
    drain(system);
    let mut client = system.smtp();
    client.expect("EHLO localhost", 250);
    client.submit("a@example.com", &["b@example.net"], &text(502, 1000));
    accepted.push(502);
    drain(system);
    assert_eq!(numbers(&sink), accepted, "each once");
    assert!(system.queue("corrupt").is_empty(), "{:?}", system.queue("corrupt"));
}

fn drain(system: &System) {
    let mut rounds = 0;
    while ["maildrop", "incoming", "active", "deferred"].iter().any(|name| !system.queue(name).is_empty()) {
        rounds += 1;
        assert!(rounds < 100, "not delivered:\n{}", system.run(&["mailq"]).stdout);
        system.run(&["postqueue", "-f"]);
        std::thread::sleep(Duration::from_millis(300));
    }
}

scenario! {
    fn without_room_for_logs_nothing_is_lost(system) {
        // Bounce and defer logs are on disks of their own, which are full.
        let bounce = Volume::memory(system, "bounce", 64);
        bounce.hold(system, "/var/spool/postfix/bounce");
        let defer = Volume::memory(system, "defer", 64);
        defer.hold(system, "/var/spool/postfix/defer");
        system.shell("chmod 700 /var/spool/postfix/bounce /var/spool/postfix/defer").well();
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on("RCPT TO:<LATER", "450 4.2.0 later");
        sink.on("RCPT TO:<NEVER", "550 5.1.1 never");
        system.main_cf(MAIN);
        bounce.fill();
        defer.fill();
        system.start();
        for number in 0..6 {
            let recipient = ["now@example.net", "later@example.net", "never@example.net"][number % 3];
            system.submit("sender@example.net", &[recipient, "other@example.net"], &text(number, 100));
        }
        std::thread::sleep(Duration::from_secs(6));
        // Failures that cannot be recorded are none yet.
        assert!(!system.logged("sender non-delivery notification"), "a report without its log");
        bounce.empty();
        defer.empty();
        let mark = system.mark();
        for _ in 0..2 {
            system.run(&["postqueue", "-f"]);
            system.wait_for_log_since(mark, "sender non-delivery notification");
        }
        sink.obey();
        drain(system);
        let copies = |address: &str| {
            let wanted = format!("<{address}>");
            let messages = sink.messages();
            messages.iter().flat_map(|message| &message.recipients).filter(|recipient| recipient.starts_with(&wanted)).count()
        };
        println!(
            "NOTE: now {} later {} other {} reports {}",
            copies("now@example.net"), copies("later@example.net"), copies("other@example.net"), copies("sender@example.net")
        );
        assert_eq!(copies("now@example.net"), 2);
        assert_eq!(copies("later@example.net"), 2);
        assert_eq!(copies("other@example.net"), 6);
        assert_eq!(copies("sender@example.net") + copies("never@example.net"), 2, "reports, or deliveries after all");
    }
}
