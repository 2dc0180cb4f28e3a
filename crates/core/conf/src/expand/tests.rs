use super::*;
use std::collections::HashMap;
use std::fmt::Write;

fn by_length(left: &[u8], right: &[u8]) -> Result<Ordering, String> {
    Ok(left.len().cmp(&right.len()))
}

fn test_named_fn(text: &[u8]) -> Result<Vec<u8>, String> {
    Ok(format!("-=oO{}Oo=-", lossy(text)).into_bytes())
}

/// Runs a driver file of definitions and patterns as its reference output was made.
fn drive(input: &str, how: &Expand<'_>) -> String {
    let mut output = String::new();
    let mut lines = input.lines();
    'blocks: loop {
        let mut values: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
        loop {
            let Some(line) = lines.next() else { break 'blocks };
            writeln!(output, "<< {line}").unwrap();
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            let Some(name) = words.next() else { break };
            values.insert(name.into(), words.next().unwrap_or_default().into());
        }
        loop {
            let line = lines.next();
            if let Some(line) = line {
                writeln!(output, "<< {line}").unwrap();
            }
            let Some(line) = line.filter(|line| !line.is_empty()) else { break };
            let out = how.run(line.as_bytes(), &|name: &[u8]| values.get(name).cloned());
            for warning in &out.warnings {
                writeln!(output, "unknown: warning: {warning}").unwrap();
            }
            let status = u8::from(out.failed) + 2 * u8::from(out.undefined);
            writeln!(output, "stat={status} result={}", lossy(&out.text)).unwrap();
        }
        output.push('\n');
    }
    output
}

fn assert_same(got: &str, want: &str) {
    for (number, (got, want)) in got.lines().zip(want.lines()).enumerate() {
        assert_eq!(got, want, "line {}", number + 1);
    }
    assert_eq!(got.trim_end(), want.trim_end());
}

#[test]
fn conformance_of_expansion() {
    let read = crate::testing::conformance;
    let (Some(input), Some(want)) = (read("mac_expand/mac_expand.in"), read("mac_expand/mac_expand.ref"))
    else {
        return;
    };
    let how = Expand {
        comparisons: &[("length", by_length)],
        functions: &[("test_named_fn", test_named_fn)],
        ..Expand::PLAIN
    };
    assert_same(&drive(&input, &how), &want);
}

#[test]
fn conformance_of_level_comparison() {
    let read = crate::testing::conformance;
    let (input, want) = ("mac_expand/compat_level_expand.in", "mac_expand/compat_level_expand.ref");
    let (Some(input), Some(want)) = (read(input), read(want)) else { return };
    assert_same(&drive(&input, &Expand::PLAIN), &want);
}

#[test]
fn conformance_of_level_text() {
    let read = crate::testing::conformance;
    let (input, want) = ("mac_expand/compat_level_convert.in", "mac_expand/compat_level_convert.ref");
    let (Some(input), Some(want)) = (read(input), read(want)) else { return };
    let mut got = String::new();
    for line in input.lines() {
        match line.parse::<CompatLevel>() {
            Ok(level) => {
                let code = level.encoded();
                writeln!(got, "unknown: {line} -> {code:#x}\nunknown: {code:#x}->{level}").unwrap();
            }
            Err(error) => writeln!(got, "unknown: warning: {error}").unwrap(),
        }
    }
    assert_same(&got, &want);
}

#[test]
fn filters() {
    let names = |_: &[u8]| Some(b"a\x01b$c".to_vec());
    let how = Expand { filter: Filter::Printable, ..Expand::PLAIN };
    assert_eq!(how.run(b"<$x>", &names).text, b"<a_b$c>");
    let how = Expand { filter: Filter::Allowed(b"abc"), ..Expand::PLAIN };
    assert_eq!(how.run(b"<$x>", &names).text, b"<a_b_c>");
}

#[test]
fn a_name_of_itself_is_an_error() {
    let mut main = MainCf::default();
    main.set("a", "$a");
    let error = main.expand("$a").unwrap_err();
    assert_eq!(error.to_string(), "dictionary mail_dict: macro processing error");
    let Error::Expansion { warnings } = error else { panic!() };
    assert_eq!(warnings, ["unreasonable macro call nesting: \"a\""]);
}

#[test]
fn a_comparison_with_itself_is_an_error() {
    let mut main = MainCf::default();
    for text in ["${{$a} == {$a} ? {1} : {2}}", "${{x} == {$a}}", "${domain_to_ascii{$a}}"] {
        main.set("a", text);
        let error = main.expand("$a").unwrap_err();
        let Error::Expansion { warnings } = error else { panic!() };
        assert!(warnings.iter().all(|warning| warning.starts_with("unreasonable macro call nesting")));
    }
}

#[test]
fn scanning_finds_names_in_every_branch() {
    let mut found = Vec::new();
    let text = b"$a ${b?{$c}:{$d}} ${{$e} == {x} ? {$f}}";
    let out = Expand::MAIN_CF.scan(text, |name| found.push(String::from_utf8_lossy(name).into_owned()));
    assert!(!out.failed);
    assert_eq!(found, ["a", "b", "c", "d", "e", "f"]);
}
