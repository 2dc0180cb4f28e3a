//! Commands. The body of a case: one shell command a line, run as root; `USER$ COMMAND` runs it as that user.
//!
//! The text of a case is what each command wrote, its exit status, and what it logged.

use harness::{System, normalise};

use crate::cases::Case;

pub fn run(system: &System, case: &Case) {
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
        println!("$ {command}");
        print!("{}", normalise::anonymous(&output.stdout));
        for error in normalise::anonymous(&output.stderr).lines() {
            println!("stderr: {error}");
        }
        println!("status: {}", output.code);
        std::thread::sleep(std::time::Duration::from_millis(20));
        for logged in system.log_since(mark) {
            let tag = logged.split('[').next().unwrap_or_default();
            if ["/postfix-script", "/postsuper", "/sendmail", "/postdrop", "/postqueue", "/postmap", "/postalias"]
                .iter()
                .any(|tool| tag.ends_with(tool))
            {
                println!("log: {}", normalise::anonymous(&logged));
            }
        }
    }
}
