//! header_checks and body_checks actions against Postfix's own cases.

mod common;

use ferrofix_message::checks::{self, Place, Verdict};
use ferrofix_message::header::HeaderTable;
use ferrofix_message::mime::{Event, HeaderClass, Input, Limits, Machine, Options};
use std::rc::Rc;

const LIMITS: Limits = Limits { header_size: 2000, nesting: 20, boundary_length: 2000 };

/// Answers of the tables for headers, MIME headers, nested headers and body lines; `None` for no table.
type Tables<'a> = [Option<&'a dyn Fn(&[u8]) -> Option<Vec<u8>>>; 4];

fn run(input: &[u8], tables: &Tables<'_>) -> Vec<u8> {
    let options = Options::REPORT_8BIT_BODY
        | Options::REPORT_8BIT_HEADER
        | Options::REPORT_ENCODING_DOMAIN
        | Options::REPORT_TRUNCATED_HEADER
        | Options::REPORT_NESTING
        | Options::DOWNGRADE;
    let mut machine = Machine::new(options, LIMITS, Rc::new(HeaderTable::default()));
    let mut out = Vec::new();
    let mut number = 0;
    let records = common::records(input);
    let inputs = records.iter().map(|&(ending, text)| Input::Text(ending, text)).chain([Input::End]);
    for input in inputs {
        for event in machine.update(input) {
            let (table, place, label, text) = match &event {
                Event::Header(header) => {
                    let table = match checks::table_class(header.class, header.info) {
                        HeaderClass::Primary => 0,
                        HeaderClass::Multipart => 1,
                        HeaderClass::Nested => 2,
                    };
                    let label = match header.class {
                        HeaderClass::Primary => "MAIN",
                        HeaderClass::Multipart => "MULT",
                        HeaderClass::Nested => "NEST",
                    };
                    (table, Place::Header, format!("{label} {}", header.offset), header.text.clone())
                }
                Event::Body(line) => {
                    let kind = if line.ending == ferrofix_message::Ending::Line { 'N' } else { 'L' };
                    (3, Place::Body, format!("BODY {kind} {}", line.offset), line.text.to_vec())
                }
                Event::HeadersEnd => {
                    out.extend_from_slice(b"HEADER END\n");
                    continue;
                }
                Event::BodyEnd => {
                    out.extend_from_slice(b"BODY END\n");
                    continue;
                }
                Event::Error(..) => continue,
            };
            let answer = tables[table].filter(|_| !text.is_empty()).and_then(|find| find(&text));
            let outcome = answer.as_ref().map(|answer| checks::apply("test", place, answer));
            let mut kept = Some(text.clone());
            if let Some(outcome) = outcome {
                if let Some((action, detail)) = outcome.log {
                    let shown: Vec<u8> =
                        text.iter().take(200).map(|&b| if b.is_ascii_control() { b'?' } else { b }).collect();
                    out.extend_from_slice(
                        format!("header_body_checks: test-queueID: {action}: {} ", place.word()).as_bytes(),
                    );
                    out.extend_from_slice(&shown);
                    if !detail.is_empty() {
                        out.extend_from_slice(b": ");
                        out.extend_from_slice(detail);
                    }
                    out.push(b'\n');
                }
                match outcome.verdict {
                    Verdict::Keep => {}
                    Verdict::Remove => kept = None,
                    Verdict::Replace(text) => kept = Some(text.to_vec()),
                    Verdict::Prepend(text) => {
                        out.extend_from_slice(text);
                        out.push(b'\n');
                    }
                }
            }
            if let Some(text) = kept {
                out.extend_from_slice(format!("{number} {label}\t|").as_bytes());
                out.extend_from_slice(&text);
                out.push(b'\n');
            }
            number += 1;
        }
    }
    out
}

fn compare(got: &[u8], want: &[u8], case: &str) {
    let lines = |text: &[u8]| -> Vec<String> {
        let lines = text.split(|&byte| byte == b'\n').map(|line| line.escape_ascii().to_string());
        lines.filter(|line| !line.starts_with("header_body_checks: warning: ")).collect()
    };
    let (got, want) = (lines(got), lines(want));
    for (number, (got, want)) in got.iter().zip(&want).enumerate() {
        assert_eq!(got, want, "{case}, line {}", number + 1);
    }
    assert_eq!(got.len(), want.len(), "{case}");
}

/// The answer of a table with one rule `/^(.*)$/` or `/./`-like that matches everything: its action text.
fn rules(text: &str) -> Vec<(String, String)> {
    let rules = text.lines().filter_map(|line| line.strip_prefix('/')?.split_once('/'));
    rules.map(|(pattern, action)| (pattern.to_owned(), action.trim().to_owned())).collect()
}

#[test]
fn upstream_cases() {
    let Some(folder) = common::area("header_body_checks") else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let message = read("mime_test.in");
    compare(&run(&message, &[None; 4]), &read("header_body_checks_null.ref"), "null");
    for (answer, reference) in [("dunno", "null"), ("ok", "null"), ("warn", "warn"), ("ignore", "ignore")] {
        let table = |_: &[u8]| Some(answer.as_bytes().to_vec());
        let got = run(&message, &[Some(&table); 4]);
        compare(&got, &read(&format!("header_body_checks_{reference}.ref")), answer);
    }
    for case in ["prepend", "strip"] {
        let maps: Vec<_> = ["head", "mime", "nest", "body"]
            .map(|place| rules(&String::from_utf8(read(&format!("{case}_{place}.map"))).unwrap()))
            .to_vec();
        let find = |rules: &[(String, String)], text: &[u8]| {
            let matches = |pattern: &str| pattern == "." && !text.is_empty();
            rules.iter().find(|(pattern, _)| matches(pattern)).map(|(_, action)| action.clone().into_bytes())
        };
        let head = |text: &[u8]| find(&maps[0], text);
        let mime = |text: &[u8]| find(&maps[1], text);
        let nest = |text: &[u8]| find(&maps[2], text);
        let body = |text: &[u8]| find(&maps[3], text);
        let got = run(&message, &[Some(&head), Some(&mime), Some(&nest), Some(&body)]);
        compare(&got, &read(&format!("header_body_checks_{case}.ref")), case);
    }
}
