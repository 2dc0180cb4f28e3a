//! Postfix's own cases for postcat(1).

use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn cases() -> Option<PathBuf> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/upstream/postcat");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no conformance data at {}", folder.display());
    None
}

fn run(args: &[&str]) -> Option<String> {
    let folder = cases()?;
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("main.cf"), "").unwrap();
    fs::copy(folder.join("test-queue-file"), work.path().join("test-queue-file")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_postcat"))
        .args(args)
        .current_dir(work.path())
        .env_clear()
        .env("MAIL_CONFIG", work.path())
        .env("TZ", "America/New_York")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

fn expect(args: &[&str], reference: &str) {
    let Some(shown) = run(args) else { return };
    let wanted = fs::read_to_string(cases().unwrap().join(reference)).unwrap();
    assert_eq!(shown, wanted, "{args:?}");
}

#[test]
fn every_combination_of_parts() {
    expect(&["test-queue-file"], "default_test.ref");
    expect(&["-ebhc.", "test-queue-file"], "default_test.ref");
    expect(&["-bc.", "test-queue-file"], "b_test.ref");
    expect(&["-ebc.", "test-queue-file"], "eb_test.ref");
    expect(&["-ehc.", "test-queue-file"], "eh_test.ref");
    expect(&["-bhc.", "test-queue-file"], "bh_test.ref");
}
