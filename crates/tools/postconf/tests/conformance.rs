//! Postfix's own test cases for postconf(1), where the data are at hand.

#[path = "support/toml.rs"]
mod toml;

use regex::Regex;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};
use toml::{Table, Value};

#[test]
fn cases_of_postfix() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/upstream/postconf");
    let Ok(text) = fs::read_to_string(data.join("cases.toml")) else {
        eprintln!("skipped: no conformance data in {}", data.display());
        return;
    };
    let cases = toml::cases(&text);
    let failed: Vec<String> = cases.iter().filter_map(|case| run(&data, case).err()).collect();
    assert!(cases.len() > 60, "{} cases", cases.len());
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

/// What a case or a step may say; nothing of it must be overlooked.
const KEYS: &[&str] = &[
    "args",
    "argv0",
    "capture",
    "check",
    "checked",
    "differs",
    "expect",
    "expect_empty",
    "expect_subst",
    "files",
    "filter",
    "name",
    "needs",
    "notes",
    "program",
    "rc",
    "same_output",
    "step",
    "template",
    "unordered",
    "upstream",
    "what",
];

fn run(data: &Path, case: &Table) -> Result<(), String> {
    let work = tempfile::tempdir().unwrap();
    let name = case["name"].text();
    let place = work.path().to_str().unwrap();
    put(data, work.path(), case, case);
    let mut output = String::new();
    let mut outputs = Vec::new();
    let mut compared = 0;
    let own = [Value::Table(case.clone())];
    for step in case.get("step").map_or(&own[..], Value::list) {
        let step = step.table();
        if let Some(key) = step.keys().chain(case.keys()).find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!("{name}: what does {key} mean?"));
        }
        put(data, work.path(), case, step);
        let text = run_step(work.path(), case, step)?;
        match step.contains_key("expect_empty") {
            true if !text.is_empty() => return Err(format!("{name}: not empty:\n{text}")),
            true => compared += 1,
            false => output.push_str(&text),
        }
        outputs.push(text);
    }
    if let Some(steps) = case.get("same_output") {
        let text = |at: usize| match steps.list()[at] {
            Value::Number(step) => &outputs[usize::try_from(step).unwrap()],
            ref other => panic!("a step: {other:?}"),
        };
        compare(name, text(1), text(0), None)?;
        compared += usize::from(!text(0).is_empty());
    }
    for check in case.get("check").map_or(&[][..], Value::list) {
        let check = check.table();
        let got = fs::read_to_string(work.path().join(check["file"].text())).unwrap();
        let want = fs::read_to_string(data.join(check["expect"].text())).unwrap();
        compare(name, &got, &want, None)?;
        compared += 1;
    }
    if let Some(expect) = case.get("expect").filter(|_| !case.contains_key("check")) {
        let mut want = fs::read_to_string(data.join(expect.text())).unwrap();
        if let Some(Value::Table(pairs)) = case.get("expect_subst") {
            pairs.iter().for_each(|(from, to)| want = want.replace(from, &to.text().replace("@W@", place)));
        }
        compare(name, &output, &want, case.get("unordered"))?;
        compared += 1;
    }
    if compared == 0 { Err(format!("{name}: nothing was compared")) } else { Ok(()) }
}

/// Writes the files of a case or step; they look old, so that nobody waits for them to settle.
fn put(data: &Path, work: &Path, case: &Table, step: &Table) {
    let Some(files) = step.get("files") else { return };
    for (file, source) in files.table() {
        let mut text = match source {
            Value::Table(table) => table["text"].text().to_owned(),
            source => fs::read_to_string(data.join(source.text())).unwrap(),
        };
        let templates = case.get("template").map_or(&[][..], Value::list);
        if templates.iter().any(|template| template.text() == file) {
            text = text.replace("@W@", work.to_str().unwrap());
        }
        fs::write(work.join(file), text).unwrap();
    }
}

fn run_step(work: &Path, case: &Table, step: &Table) -> Result<String, String> {
    let old = SystemTime::now() - Duration::from_secs(100_000);
    for file in fs::read_dir(work).unwrap() {
        let file = fs::File::options().write(true).open(file.unwrap().path()).unwrap();
        file.set_modified(old).unwrap();
    }
    // Both streams go through one pipe, by way of the shell, so that their order shows.
    let capture = step.get("capture").or(case.get("capture")).map_or("both", Value::text);
    let redirect = match capture {
        "both" => "2>&1",
        "stdout" => "2>/dev/null",
        "stderr" => "2>&1 >/dev/null",
        _ => ">/dev/null 2>&1",
    };
    let script =
        format!("exec -a {} {} \"$@\" {redirect}", case["argv0"].text(), env!("CARGO_BIN_EXE_postconf"));
    let result = Command::new("bash")
        .arg0("bash")
        .args(["-c", &script, "bash"])
        .args(step["args"].list().iter().map(Value::text))
        .env_clear()
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .current_dir(work)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&result.stdout).into_owned();
    let Value::Number(status) = step["rc"] else { panic!("rc") };
    if result.status.code().map(i64::from) != Some(status) {
        return Err(format!("{}: {}\n{text}", case["name"].text(), result.status));
    }
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for filter in step.get("filter").map_or(&[][..], Value::list) {
        let filter = filter.table();
        let pattern = Regex::new(filter["re"].text()).unwrap();
        match filter["op"].text() {
            "keep" => lines.retain(|line| pattern.is_match(line)),
            "drop" => lines.retain(|line| !pattern.is_match(line)),
            "sub" => {
                assert_eq!(filter.get("first"), Some(&Value::Flag(true)));
                let with = filter["with"].text();
                lines.iter_mut().for_each(|line| *line = pattern.replace(line, with).into_owned());
            }
            other => panic!("filter {other}"),
        }
    }
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

fn compare(name: &str, got: &str, want: &str, unordered: Option<&Value>) -> Result<(), String> {
    let unordered = unordered.map(|pattern| Regex::new(pattern.text()).unwrap());
    let is_free = |line: &&str| unordered.as_ref().is_some_and(|pattern| pattern.is_match(line));
    let sorted = |text: &str| {
        let (mut free, mut fixed): (Vec<&str>, Vec<&str>) = text.lines().partition(is_free);
        free.sort_unstable();
        fixed.extend(free);
        fixed.join("\n")
    };
    match sorted(got) == sorted(want) {
        true => Ok(()),
        false => Err(format!("{name}\n--- want\n{want}--- got\n{got}")),
    }
}
