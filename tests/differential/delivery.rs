//! Messages and where they end. The body of a case: lines `word: value`, an empty line, the message.
//!
//! - `from:`, `to:` (several, separated by blanks): by SMTP from localhost; without a message a small one is sent;
//! - `sendmail: USER ARGUMENTS`: by sendmail instead; `hello:`, `mail:`, `rcpt:`: parameters after EHLO's name, MAIL's and RCPT's address;
//! - `then: COMMAND`: a shell command when all is quiet; its output counts;
//! - `before: COMMAND`: a shell command before.
//!
//! The text of a case: what was logged about the message, the mailboxes and files below /home and /var/mail that are there then (all are emptied
//! between cases), what receivers heard, and the output of the commands.

use std::fs;
use std::path::Path;

use harness::{Normaliser, Sink, System};

use crate::cases::Case;

pub(crate) fn run(system: &System, sinks: &[(String, Sink)], case: &Case) {
    let (head, message) = case.body.split_once("\n\n").unwrap_or((&case.body, "Subject: test\n\nHello.\n"));
    clean(system, sinks);
    let values = |word: &str| values(head, word);
    for command in values("before") {
        system.shell(command).well();
    }
    let mark = system.mark();
    let message = if message.ends_with('\n') { message.to_owned() } else { format!("{message}\n") };
    match values("sendmail").first() {
        Some(arguments) => {
            let (user, arguments) = arguments.split_once(' ').unwrap_or((arguments, ""));
            let output = system.run_as(user, &["sh", "-c", &format!("sendmail {arguments}")], &message);
            println!("sendmail: {}{}{}", output.stdout, output.stderr, output.code);
        }
        None => submit(system, head, &message),
    }
    system.settle();
    let log = system.log_since(mark);
    let mut normaliser = Normaliser::new();
    normaliser.learn_from(&log);
    let mut normal = |text: &str| normaliser.anonymous(text);
    let mut lines: Vec<String> =
        log.iter().filter(|line| is_interesting(line)).map(|line| normal(line)).collect();
    lines.sort();
    for line in lines {
        println!("{line}");
    }
    for directory in ["/home", "/var/mail"] {
        files(system, Path::new(directory), &mut normal);
    }
    for (address, sink) in sinks {
        // Connections come in any order, and are closed when nobody needs them any more.
        let unhurried = ["C: QUIT", "S: 221 2.0.0 Bye", "C: (closed)"];
        let mut heard: Vec<String> = sink
            .transcripts()
            .iter()
            .map(|text| {
                normal(text)
                    .lines()
                    .filter(|line| !unhurried.contains(line))
                    .map(|line| format!("{line}\n"))
                    .collect()
            })
            .filter(|text: &String| !text.is_empty())
            .collect();
        heard.sort();
        for text in heard {
            println!("=== receiver {address}\n{text}");
        }
        let mut messages: Vec<String> = sink
            .messages()
            .iter()
            .map(|received| {
                format!("--- {} {:?}\n{}", received.mail, received.recipients, normal(&received.text()))
            })
            .collect();
        messages.sort();
        for text in messages {
            println!("{text}");
        }
    }
    for command in values("then") {
        let output = system.shell(command);
        println!("$ {command}\n{}{}{}", normal(&output.stdout), normal(&output.stderr), output.code);
    }
}

/// The values of a word in the head of a case.
fn values<'a>(head: &'a str, word: &str) -> Vec<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(name, _)| *name == word).map(|(_, value)| value.trim()).collect()
}

fn submit(system: &System, head: &str, message: &str) {
    let values = |word: &str| values(head, word);
    let extra = |word: &str| values(word).first().map(|text| format!(" {text}")).unwrap_or_default();
    let mut client = system.smtp();
    client.command("EHLO client.example.org");
    client.command(&format!("MAIL FROM:<{}>{}", values("from").first().unwrap_or(&""), extra("mail")));
    for recipient in values("to").iter().flat_map(|value| value.split_whitespace()) {
        client.command(&format!("RCPT TO:<{recipient}>{}", extra("rcpt")));
    }
    if client.command("DATA").code == 354 {
        client.message(message);
    }
    client.command("QUIT");
    // Only what is not as ever.
    for line in
        client.transcript().lines().filter(|line| line.starts_with("S: 4") || line.starts_with("S: 5"))
    {
        println!("{line}");
    }
}

/// Whether a log line counts: who came and went is told by other tests.
fn is_interesting(line: &str) -> bool {
    let daemon = line.split('[').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let plain = [": connect from", ": disconnect from", ": message-id=", ": client=", "statistics:"];
    !["anvil", "scache", "postsuper", "postqueue", "postfix-script"].contains(&daemon)
        && !plain.iter().any(|part| line.contains(part))
}

/// Every file below a directory, in the order of the normalised names.
fn files(system: &System, directory: &Path, normal: &mut dyn FnMut(&str) -> String) {
    let mut found = Vec::new();
    collect(directory, &mut found);
    let mut texts: Vec<(String, String)> =
        found.iter().map(|path| (normal(path), normal(&system.read(path)))).collect();
    texts.sort();
    for (path, text) in texts {
        println!("=== {path}");
        // Messages of a mailbox come in any order.
        let mut messages: Vec<&str> = text.trim_end().split("\n\nFrom ").map(str::trim_end).collect();
        if let Some(first) = messages.first_mut() {
            *first = first.strip_prefix("From ").unwrap_or(first);
        }
        messages.sort_unstable();
        println!("{}", messages.join("\n\n(another)\n"));
    }
}

fn collect(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if entry.file_name() != ".forward" {
            found.push(path.to_string_lossy().into_owned());
        }
    }
}

fn clean(system: &System, sinks: &[(String, Sink)]) {
    system.shell("postsuper -d ALL");
    let mut found = Vec::new();
    collect(Path::new("/home"), &mut found);
    collect(Path::new("/var/mail"), &mut found);
    for path in found {
        if !path.contains("/keep/") {
            fs::remove_file(path).ok();
        }
    }
    for (_, sink) in sinks {
        sink.clear();
    }
}
