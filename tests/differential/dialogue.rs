//! SMTP sessions. The body of a case, line by line:
//!
//! - `@from ADDRESS`: where to connect from (first line); `@close`; `@sleep MILLISECONDS`;
//! - `| TEXT`: a line that is sent without waiting for a reply; `! BYTES`: bytes as they are, with `\r`, `\n`, `\0`, `\xHH`;
//! - `<`: reads a reply;
//! - anything else: a command, whose reply is read.
//!
//! The text of a case is the transcript and what the SMTP server and cleanup logged.

use std::time::Duration;

use harness::{Normaliser, System};

use crate::cases::Case;

pub(crate) fn run(system: &System, case: &Case) {
    let mark = system.mark();
    let mut lines = case.body.lines().peekable();
    let from = lines.next_if(|line| line.starts_with("@from "));
    let mut client = system.smtp_from(from.map_or("127.0.0.1", |line| &line[6..]));
    client.patience(Duration::from_secs(15));
    for line in lines {
        if line.starts_with('#') {
            continue;
        }
        if let Some(text) = line.strip_prefix("| ") {
            client.send_line(text);
        } else if line == "|" {
            client.send_line("");
        } else if let Some(bytes) = line.strip_prefix("! ") {
            client.send(&unescape(bytes));
        } else if line == "<" {
            client.reply();
        } else if line == "@close" {
            client.shutdown();
            client.reply();
        } else if let Some(time) = line.strip_prefix("@sleep ") {
            std::thread::sleep(Duration::from_millis(time.parse().expect("milliseconds")));
        } else {
            client.command(line);
        }
    }
    let transcript = client.transcript().to_owned();
    drop(client);
    system.try_log(mark, "smtpd.*: disconnect from", Duration::from_secs(5));
    system.settle();
    let mut normaliser = Normaliser::new();
    println!("{}", normaliser.apply(&transcript));
    // Two daemons: who is first is chance.
    let lines = system.log_since(mark);
    let of = |daemon: &str| {
        let tag = format!("/{daemon}[");
        lines.iter().filter(move |line| line.contains(&tag) && !line.contains(": message-id="))
    };
    for line in of("smtpd").chain(of("cleanup")) {
        println!("{}", normaliser.apply(line));
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let (value, used) = match rest {
            [b'r', ..] => (b'\r', 1),
            [b'n', ..] => (b'\n', 1),
            [b'0', ..] => (0, 1),
            [b'x', high, low, ..] => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).expect("hex");
                (u8::from_str_radix(digits, 16).expect("hex"), 3)
            }
            _ => (b'\\', 0),
        };
        bytes.push(value);
        rest = &rest[used..];
    }
    bytes
}
