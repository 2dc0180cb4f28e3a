//! The machine stops: what is on the disk then is enough.
//!
//! The queue is on an ext4 file system in a file. Only what was synced has reached that file (the file system's own
//! timer is off), so a copy of it is what a power failure would leave. The copy is checked for every message that was
//! acknowledged, and a file that nobody synced proves that it tells.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use harness::{System, isolation, scenario};

use crate::disk::Volume;
use crate::process;

scenario! {
    fn acknowledged_mail_outlives_the_machine(system) {
        let volume = match Volume::ext4("spool", 64, "commit=3600,nodelalloc,noatime") {
            Ok(volume) => volume,
            Err(why) => return isolation::skip_inside(&why),
        };
        volume.hold_spool(system);
        // Nobody else syncs anything: a journal commits all or nothing, and would cover up for what is missing.
        let services = system.read("/etc/postfix/master.cf");
        let few = services.lines().filter(|line| !line.starts_with("qmgr") && !line.starts_with("pickup"));
        system.file("/etc/postfix/master.cf", &few.map(|line| format!("{line}\n")).collect::<String>());
        for hashed in ["deferred, defer", "deferred, defer, incoming"] {
            system.main_cf(&format!("hash_queue_names = {hashed}\n"));
            system.start();
            for number in 0..6 {
                one_message(system, number);
            }
            system.stop();
        }
    }
}

fn one_message(system: &System, number: usize) {
    let size = if number % 3 == 2 { 8000 } else { 10 };
    let text = format!("Subject: {number}\n\n{}", "Some text of the message.\n".repeat(size));
    let (queue, id) = if number.is_multiple_of(2) {
        ("incoming", system.submit("a@example.com", &["b@example.net"], &text))
    } else {
        let before = system.queue("maildrop");
        system.sendmail("alice", &["b@example.net"], &text).well();
        let new = system.queue("maildrop").into_iter().find(|name| !before.contains(name));
        ("maildrop", new.expect("a file in maildrop"))
    };
    // All stops at once; then the disk as it is.
    let all: Vec<u32> = process::daemons().iter().map(|process| process.pid).collect();
    process::signal(system, "STOP", &all);
    let control = format!("unsynced-{number}-{id}");
    fs::write(format!("/var/spool/postfix/{control}"), "nobody synced this").expect("write");
    system.shell("cp --sparse=always /tmp/spool.img /tmp/after.img").well();
    process::signal(system, "CONT", &all);

    let after = Volume::existing("after", "noatime").expect("mount the copy");
    assert!(!Path::new(&format!("{}/{control}", after.path)).exists(), "the copy tells nothing");
    let mut files = Vec::new();
    collect(&format!("{}/{queue}", after.path), &mut files);
    let file = files.iter().find(|file| file.ends_with(&format!("/{id}")));
    let file = file.unwrap_or_else(|| panic!("{queue}/{id} is lost; there is {files:?}"));
    // And it is whole.
    let shown = system.run(&["postcat", file]).well().stdout;
    assert!(
        shown.contains("*** MESSAGE FILE END") && shown.len() > size * 20,
        "{file} is not whole:\n{shown}"
    );
    assert_eq!(fs::metadata(file).expect("its mode").permissions().mode() & 0o700, 0o700);
    system.run(&["umount", &after.path]).well();
}

fn collect(directory: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            collect(&path, found);
        } else {
            found.push(path);
        }
    }
}
