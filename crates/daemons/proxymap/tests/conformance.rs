//! Postfix's own cases for the tables that proxymap(8) approves, where they are at hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::{Table, Value};

#[test]
fn cases_of_postfix() {
    let data =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/upstream/proxymap");
    let Ok(text) = fs::read_to_string(data.join("cases.toml")) else {
        eprintln!("skipped: no conformance data in {}", data.display());
        return;
    };
    let text: Table = text.parse().unwrap();
    let cases = text["case"].as_array().unwrap();
    assert_eq!(cases.len(), 6, "cases");
    for case in cases {
        run(&data, case.as_table().unwrap());
    }
}

fn run(data: &Path, case: &Table) {
    let name = case["name"].as_str().unwrap();
    let work = tempfile::tempdir().unwrap();
    for (target, source) in case["files"].as_table().unwrap() {
        let text = match source {
            Value::String(source) => fs::read_to_string(data.join(source)).unwrap(),
            source => source["text"].as_str().unwrap().to_owned(),
        };
        fs::write(work.path().join(target), text.replace("@W@", work.path().to_str().unwrap())).unwrap();
    }
    let arguments = case["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap());
    let output = Command::new(env!("CARGO_BIN_EXE_proxymap"))
        .args(arguments)
        .args(["-o", "queue_directory=."])
        .env_clear()
        .env("MAIL_CONFIG", ".")
        .current_dir(work.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let expected = match case.get("expect") {
        Some(file) => fs::read_to_string(data.join(file.as_str().unwrap())).unwrap(),
        None => String::new(),
    };
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{name}");
}
