//! Postfix's own cases for reports and templates, where they are at hand.

use std::fs;
use std::path::PathBuf;

use crate::harness::{System, program};
use ipc::bounce::{Message, Request};

fn data(area: &str) -> Option<PathBuf> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/upstream").join(area);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no conformance data at {}", folder.display());
    None
}

fn report(variant: &str, settings: &str, expected: &str) {
    let Some(folder) = data("bounce_notify") else { return };
    let settings = fs::read_to_string(folder.join(settings)).unwrap();
    let system = System::new(&settings.replace("queue_directory = queue", "")).with_cleanup(&[]);
    fs::copy(folder.join(format!("logfile-{variant}")), system.path("bounce/msgid")).unwrap();
    let file = system.path("active/msgid");
    fs::write(&file, fs::read(folder.join(format!("msgfile-{variant}"))).unwrap()).unwrap();
    let message = Message {
        queue: "active".into(),
        queue_id: "msgid".into(),
        encoding: "7bit".into(),
        sender: b"test-recipient".to_vec(),
        dsn_envid: b"TEST-ENVID".to_vec(),
        dsn_ret: dsn::ret::FULL,
        ..Message::default()
    };
    let done = system.request("bounce", &Request::Flush { flags: 0, message });
    assert_eq!(done.status, Some(0), "{done:?}");
    let text = &done.posted[0].text;
    // The case is about the report without what everybody's mail begins with, and without the introduction.
    let (_, text) = text.split_once("\nFrom: ").unwrap();
    let (head, tail) = text.split_once("This is the mail system").unwrap();
    let (_, tail) = tail.split_once("                   The mail system\n").unwrap();
    let text = format!("From: {head}{tail}");
    let boundary = text.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let (id, rest) = boundary.split_once('.').unwrap();
    let (time, host) = rest.split_once('/').unwrap();
    assert!(id == "msgid" && host == "mail.example" && time.bytes().all(|byte| byte.is_ascii_digit()));
    let text = text.replace(boundary, "msgid.unix-time/mail.example");
    assert_eq!(text, fs::read_to_string(folder.join(expected)).unwrap());
    assert!(!system.path("bounce/msgid").exists());
}

#[test]
fn reports() {
    report("with-message-id", "no-thread.main.cf", "with-message-id-no-thread.ref");
    report("no-message-id", "no-thread.main.cf", "no-message-id-no-thread.ref");
    report("no-message-id", "with-thread.main.cf", "no-message-id-with-thread.ref");
}

fn dump(settings: &str, arguments: &[&str], files: &[&str]) {
    let Some(folder) = data("bounce_template") else { return };
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("main.cf"), fs::read(folder.join(settings)).unwrap()).unwrap();
    for file in files {
        fs::write(work.path().join(file), fs::read(folder.join(file)).unwrap()).unwrap();
    }
    let output = program(".".as_ref())
        .arg("-SVzndump_templates")
        .args(arguments)
        .current_dir(work.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = fs::read_to_string(folder.join("template_test.ref")).unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn templates() {
    dump("standard.main.cf", &[], &[]);
    dump("standard.main.cf", &["-o", "bounce_template_file=template_test.ref"], &["template_test.ref"]);
    dump("default.main.cf", &["-o", "bounce_template_file=2template_test.in"], &["2template_test.in"]);
}
