//! Runs Postfix's own cases for a command, where the data are at hand.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use regex::Regex;
use toml::{Table, Value};

/// Runs the cases of an area with the binary; those in `skipped` are not run, for the reason there.
pub(crate) fn run_area(area: &str, binary: &str, skipped: &[(&str, &str)]) {
    let data =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/upstream").join(area);
    let Ok(text) = fs::read_to_string(data.join("cases.toml")) else {
        eprintln!("skipped: no conformance data in {}", data.display());
        return;
    };
    let cases: Table = text.parse().unwrap();
    let mut failures = Vec::new();
    let mut count = 0;
    for case in cases["case"].as_array().unwrap() {
        let case = case.as_table().unwrap();
        let name = case["name"].as_str().unwrap();
        if let Some((_, why)) = skipped.iter().find(|(skipped, _)| *skipped == name) {
            eprintln!("{area}/{name}: not run: {why}");
            continue;
        }
        count += 1;
        if let Err(why) = run(&data, binary, case) {
            failures.push(format!("{area}/{name}: {why}"));
        }
    }
    eprintln!("{count} cases of Postfix run");
    assert!(failures.is_empty(), "{} of {count} failed:\n{}", failures.len(), failures.join("\n"));
}

fn run(data: &Path, binary: &str, case: &Table) -> Result<(), String> {
    let work = tempfile::tempdir().unwrap();
    put_files(data, work.path(), case);
    let mut output = String::new();
    let only = Value::Table(case.clone());
    let steps = case.get("step").map_or(std::slice::from_ref(&only), |steps| steps.as_array().unwrap());
    for step in steps {
        let step = step.as_table().unwrap();
        if let Some(label) = step.get("label") {
            output.push_str(&format!("{}\n", label.as_str().unwrap()));
        }
        if !step.contains_key("program") && !case.contains_key("program") {
            continue;
        }
        let printed = run_step(data, work.path(), binary, case, step)?;
        if step.get("expect_empty").is_some() {
            same(&printed, "")?;
        } else if let Some(expect) = step.get("expect").filter(|_| case.contains_key("step")) {
            same(&printed, &expected(data, expect, None))?;
        } else {
            output.push_str(&printed);
        }
    }
    match case.get("expect") {
        Some(expect) => same(&output, &expected(data, expect, case.get("expect_filter"))),
        None => Ok(()),
    }
}

fn run_step(data: &Path, work: &Path, binary: &str, case: &Table, step: &Table) -> Result<String, String> {
    put_files(data, work, step);
    let args: Vec<&str> = step["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
    let capture =
        step.get("capture").or(case.get("capture")).map_or("both", |capture| capture.as_str().unwrap());
    // Both streams go through one pipe, so that their order shows.
    let redirect = match capture {
        "both" => "2>&1",
        "stdout" => "2>/dev/null",
        "stderr" => "2>&1 >/dev/null",
        "split" => "",
        _ => ">/dev/null 2>&1",
    };
    let mut command = Command::new("bash");
    command.args(["-c", &format!("exec {binary} \"$@\" {redirect}"), "bash"]).args(&args).current_dir(work);
    command.env_clear().env("TZ", "UTC").env("LC_ALL", "C");
    for (name, value) in case.get("env").into_iter().flat_map(|env| env.as_table().unwrap()) {
        command.env(name, value.as_str().unwrap());
    }
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let input = match (step.get("stdin"), step.get("stdin_text")) {
        (Some(file), _) => fs::read(data.join(file.as_str().unwrap())).unwrap(),
        (None, Some(text)) => text.as_str().unwrap().as_bytes().to_vec(),
        (None, None) => Vec::new(),
    };
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input).ok());
    let result = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&result.stdout), String::from_utf8_lossy(&result.stderr));
    let good = match &step["rc"] {
        Value::Integer(status) => result.status.code().map(i64::from) == Some(*status),
        _ => !result.status.success(),
    };
    if !good {
        return Err(format!("{args:?}: {}\n{stdout}{stderr}", result.status));
    }
    let stdout = filtered(&stdout, step.get("filter"));
    Ok(if capture == "split" { stderr.into_owned() + &stdout } else { stdout })
}

fn put_files(data: &Path, work: &Path, step: &Table) {
    for (name, source) in step.get("files").into_iter().flat_map(|files| files.as_table().unwrap()) {
        let text = match source {
            Value::String(file) => fs::read(data.join(file)).unwrap(),
            source => source["text"].as_str().unwrap().as_bytes().to_vec(),
        };
        let path = work.join(name);
        fs::write(&path, text).unwrap();
        // Fresh files are read more than once.
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(1000)).unwrap();
    }
}

/// The expected text; the references come from a system with Berkeley DB.
fn expected(data: &Path, file: &Value, filters: Option<&Value>) -> String {
    let text = fs::read_to_string(data.join(file.as_str().unwrap())).unwrap();
    filtered(&Regex::new(r"hash:(\w+)\.db").unwrap().replace_all(&text, "hash:$1"), filters)
}

fn filtered(text: &str, filters: Option<&Value>) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for filter in filters.map_or(&[][..], |filters| filters.as_array().unwrap()) {
        let pattern = filter.get("re").map(|re| Regex::new(re.as_str().unwrap()).unwrap());
        match (filter["op"].as_str().unwrap(), pattern) {
            ("sort", None) => lines.sort(),
            ("drop", Some(pattern)) => lines.retain(|line| !pattern.is_match(line)),
            ("keep", Some(pattern)) => lines.retain(|line| pattern.is_match(line)),
            ("sub", Some(pattern)) => {
                let with = filter["with"].as_str().unwrap();
                lines.iter_mut().for_each(|line| *line = pattern.replace_all(line, with).into_owned());
            }
            (other, _) => panic!("filter {other}"),
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn same(got: &str, want: &str) -> Result<(), String> {
    if got == want {
        return Ok(());
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (got, want) = (lines(got), lines(want));
    let differs = (0..got.len().max(want.len())).filter(|&at| got.get(at) != want.get(at)).take(5);
    let shown =
        differs.map(|at| format!("  line {}: got {:?}, want {:?}", at + 1, got.get(at), want.get(at)));
    Err(format!("\n{}", shown.collect::<Vec<_>>().join("\n")))
}
