//! The MIME parser against Postfix's own cases.

mod common;

use ferrofix_message::Ending;
use ferrofix_message::header::HeaderTable;
use ferrofix_message::mime::{Event, HeaderClass, Input, Limits, Machine, MimeError, Options};
use std::path::Path;
use std::rc::Rc;

const LIMITS: Limits = Limits { header_size: 2000, nesting: 20, boundary_length: 2000 };

fn run(input: &[u8]) -> Vec<u8> {
    let options = Options::REPORT_8BIT_BODY
        | Options::REPORT_8BIT_HEADER
        | Options::REPORT_ENCODING_DOMAIN
        | Options::REPORT_TRUNCATED_HEADER
        | Options::REPORT_NESTING
        | Options::REPORT_NON_EMPTY_END
        | Options::DOWNGRADE;
    let mut machine = Machine::new(options, LIMITS, Rc::new(HeaderTable::default()));
    let mut out = Vec::new();
    let records = common::records(input);
    let inputs = records.iter().map(|&(ending, text)| Input::Text(ending, text)).chain([Input::End]);
    for input in inputs {
        for event in machine.update(input) {
            print_event(&mut out, event);
        }
    }
    let errors = machine.errors();
    for (error, text) in [
        (MimeError::TruncatedHeader, "message header length exceeds safety limit"),
        (MimeError::Nesting, "MIME nesting exceeds safety limit"),
        (MimeError::EightBitHeader, "improper use of 8-bit data in message header"),
        (MimeError::EightBitBody, "improper use of 8-bit data in message body"),
        (MimeError::EncodingDomain, "improper message/* or multipart/* encoding domain"),
        (MimeError::NonEmptyEndOfHeader, "non-empty end-of-header"),
    ] {
        if errors.contains(error) {
            out.extend_from_slice(format!("mime_state: warning: {text}\n").as_bytes());
        }
    }
    out
}

fn print_event(out: &mut Vec<u8>, event: Event<'_>) {
    match event {
        Event::Header(header) => {
            let class = match header.class {
                HeaderClass::Primary => "MAIN",
                HeaderClass::Multipart => "MULT",
                HeaderClass::Nested => "NEST",
            };
            out.extend_from_slice(format!("{class} {}\t|", header.offset).as_bytes());
            out.extend_from_slice(&header.text);
            out.push(b'\n');
        }
        Event::HeadersEnd => out.extend_from_slice(b"HEADER END\n"),
        Event::Body(line) => {
            let kind = if line.ending == Ending::Line { 'N' } else { 'L' };
            out.extend_from_slice(format!("BODY {kind} {}\t|", line.offset).as_bytes());
            out.extend_from_slice(&line.text);
            if line.ending == Ending::Line {
                out.push(b'\n');
            }
        }
        Event::BodyEnd => out.extend_from_slice(b"BODY END\n"),
        Event::Error(error, text) => {
            let shown: Vec<u8> = text
                .iter()
                .take(100)
                .map(|&b| if b.is_ascii_control() || b > 126 { b'?' } else { b })
                .collect();
            out.extend_from_slice(format!("mime_state: warning: {}: ", error.text()).as_bytes());
            out.extend_from_slice(&shown);
            out.push(b'\n');
        }
    }
}

/// Lines without the traces of Postfix's implementation.
fn lines(text: &[u8]) -> Vec<String> {
    let is_trace =
        |line: &[u8]| line.starts_with(b"mime_state: ") && !line.starts_with(b"mime_state: warning: ");
    let kept = text.split(|&byte| byte == b'\n').filter(|line| !is_trace(line));
    kept.map(|line| line.escape_ascii().to_string()).collect()
}

fn check(folder: &Path, input: &str, reference: &str) {
    let got = run(&std::fs::read(folder.join(input)).unwrap());
    let want = std::fs::read(folder.join(reference)).unwrap();
    let (got, want) = (lines(&got), lines(&want));
    for (number, (got, want)) in got.iter().zip(&want).enumerate() {
        assert_eq!(got, want, "{input}, line {}", number + 1);
    }
    assert_eq!(got.len(), want.len(), "{input}: number of lines");
}

#[test]
fn upstream_cases() {
    let Some(folder) = common::area("mime") else { return };
    for name in [
        "mime_test",
        "mime_nest",
        "mime_8bit",
        "mime_dom",
        "mime_cvt",
        "mime_garb1",
        "mime_garb2",
        "mime_garb4",
    ] {
        check(&folder, &format!("{name}.in"), &format!("{name}.ref"));
    }
    check(&folder, "mime_cvt.in2", "mime_cvt.ref2");
}
