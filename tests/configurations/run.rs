//! Inside the namespaces: runs the commands and writes down the answers.
//!
//! Each configuration has an `/etc/postfix` of its own: this program runs itself once more for each, with a directory
//! mounted there that nobody else sees. So all of them can be laid out at the same place at the same time; Postfix
//! waits a second before a fatal error ends it, and nobody should wait for that a hundred times.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use harness::{Package, System};

use crate::answer;
use crate::commands::{BOTH, OURS};
use crate::set::{Configuration, make_old};

/// The place of every configuration.
const PLACE: &str = "/etc/postfix";
/// How many configurations at a time, and how many commands in each.
const PARALLEL: usize = 8;
/// Before the name of the configuration for which this program was started.
const ONE: &str = "--one";

pub(crate) fn inside(arguments: &[String]) {
    if let [word, name] = arguments
        && word == ONE
    {
        one(name);
        return;
    }
    let _system = System::inside();
    let program = std::env::current_exe().expect("this program");
    let answers = in_parallel(arguments, |name| {
        let output = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "--", "sh", "-c"])
            .arg(format!("mount -t tmpfs -o mode=755 tmpfs {PLACE} && exec \"$@\""))
            .arg("sh")
            .arg(&program)
            .args([ONE, name.as_str()])
            .stdin(Stdio::null())
            .output()
            .expect("unshare");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("answers")
    });
    answers.iter().for_each(|answers| print!("{answers}"));
}

/// Runs all commands on one configuration.
fn one(name: &str) {
    let configuration = Configuration::read(name);
    configuration.lay_out(Path::new(PLACE));
    let mut commands: Vec<String> = BOTH.iter().map(|arguments| postconf(arguments)).collect();
    if Package::under_test() == Package::Ours {
        commands.extend(OURS.iter().map(|arguments| postconf(arguments)));
    }
    let answers = in_parallel(&commands, |command| answer::frame(name, command, &shell(command)));
    answers.iter().for_each(|answer| print!("{answer}"));
    // These may change the files, and so they come last, one after the other.
    for (at, command) in configuration.commands.iter().enumerate() {
        make_old(Path::new(PLACE));
        print!("{}", answer::frame(name, &format!("{:02} {command}", at + 1), &shell(command)));
    }
}

fn postconf(arguments: &str) -> String {
    format!("postconf {arguments}").trim_end().to_owned()
}

fn shell(command: &str) -> Output {
    Command::new("/bin/sh")
        .arg0("sh")
        // Patterns are for postconf, not for the shell.
        .args(["-f", "-c", command])
        .current_dir(PLACE)
        .stdin(Stdio::null())
        .output()
        .expect("sh")
}

/// What `work` makes of each item, in the order of the items.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(items.iter().enumerate());
    let results: Mutex<Vec<(usize, R)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(|| {
                loop {
                    let item = next.lock().expect("the items").next();
                    let Some((index, item)) = item else { break };
                    let result = work(item);
                    results.lock().expect("the results").push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("the results");
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
