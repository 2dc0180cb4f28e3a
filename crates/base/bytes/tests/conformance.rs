//! Postfix's own test cases for texts, where the data are at hand: which are tested where, and which mean nothing here.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use ferrofix_bytes::list;

/// Cases that are tested, and by which test.
const TESTED: &[(&str, &str)] = &[
    ("mail_conf_time_test", "conf: values::tests::conformance_of_times"),
    ("mail_parm_split_test", "conf: lines::tests::conformance_of_lists"),
    ("mystrtok_test", "here: tokenizers"),
    ("readlline_test", "conf: lines::tests"),
    ("split_qnameval_test", "table: text::tests::conformance_of_quoted_names"),
];

/// Cases that are not, and why.
const UNTESTED: &[(&str, &str)] = &[
    ("byte_mask_test0", "letters as bits are the flags= of the SMTP client, and matched there one by one"),
    ("byte_mask_test1", "as byte_mask_test0"),
    ("byte_mask_test2", "as byte_mask_test0"),
    ("name_mask_test1", "a set of names has no form in hexadecimal numbers here"),
    ("name_mask_test2", "as name_mask_test1"),
    ("name_mask_test3", "an unknown name is an error, and the caller decides what comes of it"),
    ("name_mask_test5", "as name_mask_test1"),
    ("name_mask_test6", "as name_mask_test1"),
    ("name_mask_test7", "as name_mask_test1"),
    ("name_mask_test9", "as name_mask_test1"),
    ("off_cvt_test", "file offsets are numbers of a type of their own; str::parse refuses what does not fit"),
    ("sane_basename_test", "paths are std::path's"),
];

fn data() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../../../shared/conformance/upstream/text"].iter().collect()
}

fn read(name: &str) -> Option<String> {
    let text = fs::read_to_string(data().join(name)).ok();
    if text.is_none() {
        eprintln!("skipped: no conformance data in {}", data().display());
    }
    text
}

#[test]
fn every_case_is_accounted_for() {
    let Some(text) = read("cases.toml") else { return };
    let mut listed: Vec<&str> = TESTED.iter().chain(UNTESTED).map(|(name, _)| *name).collect();
    listed.sort_unstable();
    let name = |line: &str| line.strip_prefix("name = \"").map(|name| name.trim_end_matches('"').to_owned());
    let mut cases: Vec<String> = text.lines().filter_map(name).collect();
    cases.sort_unstable();
    assert_eq!(cases, listed);
}

#[test]
fn tokenizers() {
    let Some(text) = read("mystrtok.toml") else { return };
    let blanks = " \t\r\n\x0b\x0c";
    let mut count = 0;
    for vector in text.split("[[vector]]\n").skip(1) {
        let values: HashMap<&str, &str> = vector.lines().filter_map(|line| line.split_once(" = ")).collect();
        let input = strings(values["input"]).concat();
        let got: Vec<&str> = match values["function"].trim_matches('"') {
            "mystrtok" => list::split(&input, blanks).collect(),
            "mystrtokq" => list::split_braced(&input, blanks).collect(),
            "mystrtokdq" => list::split_quoted(&input, blanks).collect(),
            // Stopping at a comment is for those who read such lists: `table::list`, postconf.
            "mystrtok_cw" | "mystrtokq_cw" | "mystrtokdq_cw" => continue,
            other => panic!("{other}?"),
        };
        assert_eq!(got, strings(values["want"]), "{vector}");
        count += 1;
    }
    assert!(count > 12, "{count} vectors");
}

/// The strings of a TOML value: one, or those of an array.
fn strings(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = value.chars();
    while chars.by_ref().any(|char| char == '"') {
        let mut text = String::new();
        while let Some(char) = chars.next().filter(|char| *char != '"') {
            text.push(if char == '\\' { chars.next().expect("an escaped character") } else { char });
        }
        found.push(text);
    }
    found
}
