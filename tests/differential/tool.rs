//! Commands. The body of a case: one shell command a line, run as root; `USER$ COMMAND` runs it as that user.
//!
//! The text of a case is what each command wrote, its exit status, and what it logged.

use harness::{Normaliser, System};

use crate::cases::Case;

const QUEUES: [&str; 5] = ["maildrop", "incoming", "active", "deferred", "hold"];

pub(crate) fn run(system: &System, case: &Case) {
    let mut normaliser = Normaliser::new();
    for line in case.body.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line == "@settle" {
            system.settle();
            continue;
        }
        let mark = system.mark();
        let (user, command) = match line.split_once("$ ") {
            Some((user, command)) if user.bytes().all(|byte| byte.is_ascii_lowercase()) => (user, command),
            _ => ("root", line),
        };
        let output = system.run_as(user, &["sh", "-c", command], "");
        normaliser.learn_from(&system.log());
        for id in QUEUES.iter().flat_map(|name| system.queue(name)) {
            normaliser.learn(&id);
        }
        println!("$ {command}");
        print!("{}", normaliser.anonymous(&output.stdout));
        let errors = normaliser.anonymous(&output.stderr);
        let mut errors: Vec<&str> = errors.lines().collect();
        // In the order of a hash table.
        errors.sort_by_key(|line| line.split_once(": unused parameter: ").map(|(_, rest)| rest));
        for error in errors {
            println!("stderr: {error}");
        }
        println!("status: {}", output.code);
        std::thread::sleep(std::time::Duration::from_millis(20));
        for logged in system.log_since(mark) {
            let tag = logged.split('[').next().unwrap_or_default();
            if [
                "/postfix-script",
                "/postsuper",
                "/sendmail",
                "/postdrop",
                "/postqueue",
                "/postmap",
                "/postalias",
            ]
            .iter()
            .any(|tool| tag.ends_with(tool))
            {
                println!("log: {}", normaliser.anonymous(&logged));
            }
        }
    }
}
