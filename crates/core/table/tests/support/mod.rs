//! Reads the cases of an area, runs their steps, and compares what was printed and logged.

mod journal;

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) use journal::Journal;
use regex::bytes::Regex;
use toml::{Table, Value};

/// A case, and where its data are.
pub(crate) struct Case {
    data: PathBuf,
    case: Table,
}

/// A step: a call of a driver.
pub(crate) struct Call {
    /// The driver's name.
    pub function: String,
    /// Its arguments.
    pub args: Vec<String>,
    stdin: Vec<u8>,
}

impl Call {
    /// The lines of standard input.
    pub(crate) fn lines(&self) -> Vec<Vec<u8>> {
        let mut lines: Vec<Vec<u8>> = self.stdin.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        if lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        lines
    }
}

impl Case {
    /// The tables of the case's vector file.
    pub(crate) fn vectors(&self) -> Vec<Table> {
        let file = self.case["vectors"].as_str().unwrap();
        let text = fs::read_to_string(self.data.join(file)).unwrap();
        let file: Table = text.parse().unwrap();
        file["vector"].as_array().unwrap().iter().map(|vector| vector.as_table().unwrap().clone()).collect()
    }
}

type Results = Vec<(String, Result<(), String>)>;

/// Runs the cases of an area; `None`, with the reason printed, where there are no data.
pub(crate) fn run_area(
    area: &str,
    skipped: &[(&str, &str)],
    drive: &dyn Fn(&Case, &Call, &Journal),
) -> Option<Results> {
    let data =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/upstream").join(area);
    let Ok(text) = fs::read_to_string(data.join("cases.toml")) else {
        eprintln!("skipped: no conformance data in {}", data.display());
        return None;
    };
    let cases: Table = text.parse().unwrap();
    let mut results = Vec::new();
    for case in cases["case"].as_array().unwrap() {
        let case = Case { data: data.canonicalize().unwrap(), case: case.as_table().unwrap().clone() };
        let name = case.case["name"].as_str().unwrap().to_owned();
        if let Some((_, why)) = skipped.iter().find(|(skipped, _)| *skipped == name) {
            eprintln!("{area}/{name}: not run: {why}");
            continue;
        }
        let result = run(&case, drive);
        results.push((name, result));
    }
    Some(results)
}

fn run(case: &Case, drive: &dyn Fn(&Case, &Call, &Journal)) -> Result<(), String> {
    let work = tempfile::tempdir().unwrap();
    std::env::set_current_dir(work.path()).unwrap();
    let place = work.path().to_str().unwrap().to_owned();
    let mut output = Vec::new();
    put_files(case, &case.case);
    let only = Value::Table(case.case.clone());
    let steps = case.case.get("step").map_or(std::slice::from_ref(&only), |steps| steps.as_array().unwrap());
    for step in steps {
        let step = step.as_table().unwrap();
        put_files(case, step);
        if let Some(label) = step.get("label") {
            output.extend_from_slice(format!("{}\n", label.as_str().unwrap()).as_bytes());
        }
        let tag = tag(case, step);
        let journal = Journal::new(&tag);
        let call = call(case, step, &place);
        let variables: Vec<(&str, &str)> = step.get("env").map_or(Vec::new(), |env| {
            env.as_table()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
                .collect()
        });
        sys::identity::change_environment(variables.iter().map(|(name, value)| (*name, Some(*value))));
        journal.record(|| drive(case, &call, &journal));
        sys::identity::change_environment(variables.iter().map(|(name, _)| (*name, None)));
        let printed = filter(journal.take(), step.get("filter"));
        if step.get("expect").is_some() && case.case.get("step").is_some() {
            compare(case, step, printed, &place)?;
        } else if step.get("capture").and_then(Value::as_str) != Some("none") {
            output.extend_from_slice(&printed);
        }
    }
    if case.case.contains_key("step") {
        output = filter(output, case.case.get("filter"));
    }
    if !case.case.contains_key("expect") {
        return Ok(());
    }
    compare(case, &case.case, output, &place)
}

fn compare(case: &Case, step: &Table, got: Vec<u8>, place: &str) -> Result<(), String> {
    let want = fs::read(case.data.join(step["expect"].as_str().unwrap())).unwrap();
    let mut want = filter(want, step.get("expect_filter"));
    for (from, to) in step.get("expect_subst").into_iter().flat_map(|pairs| pairs.as_table().unwrap()) {
        let to = to.as_str().unwrap().replace("@W@", place);
        let from = Regex::new(&regex::escape(from)).unwrap();
        want = from.replace_all(&want, regex::bytes::NoExpand(to.as_bytes())).into_owned();
    }
    let (mut got, mut want) = (lines(&got), lines(&want));
    if let Some(unordered) = step.get("unordered") {
        let unordered = Regex::new(unordered.as_str().unwrap()).unwrap();
        for lines in [&mut got, &mut want] {
            let mut some: Vec<Vec<u8>> =
                lines.iter().filter(|line| unordered.is_match(line)).cloned().collect();
            some.sort();
            let mut some = some.into_iter();
            for line in lines.iter_mut().filter(|line| unordered.is_match(line)) {
                *line = some.next().unwrap();
            }
        }
    }
    if got == want {
        return Ok(());
    }
    let show = |line: Option<&Vec<u8>>| line.map(|line| String::from_utf8_lossy(line).into_owned());
    let count = got.len().max(want.len());
    let differs: Vec<String> = (0..count)
        .filter(|&at| got.get(at) != want.get(at))
        .take(8)
        .map(|at| {
            format!("  line {}\n    got  {:?}\n    want {:?}", at + 1, show(got.get(at)), show(want.get(at)))
        })
        .collect();
    Err(format!("\n{}", differs.join("\n")))
}

fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn put_files(case: &Case, step: &Table) {
    for (name, source) in step.get("files").into_iter().flat_map(|files| files.as_table().unwrap()) {
        let text = match source {
            Value::String(file) => fs::read(case.data.join(file)).unwrap(),
            source => source["text"].as_str().unwrap().as_bytes().to_vec(),
        };
        fs::write(name, text).unwrap();
        // Fresh files are read more than once.
        let file = fs::File::options().write(true).open(name).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(1000)).unwrap();
    }
}

fn tag(case: &Case, step: &Table) -> String {
    let function = step.get("function").or(case.case.get("function"));
    match function.map(|function| function.as_str().unwrap()) {
        Some(own @ ("dict_open" | "mail_dict" | "namadr_list")) => format!("./{own}"),
        _ => "unknown".to_owned(),
    }
}

fn call(case: &Case, step: &Table, place: &str) -> Call {
    let either = |name: &str| step.get(name).or_else(|| case.case.get(name)).and_then(Value::as_str);
    let function = either("function").or_else(|| either("program")).unwrap().to_owned();
    let args = step.get("args").or_else(|| case.case.get("args")).map_or(Vec::new(), |args| {
        args.as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().replace("@W@", place)).collect()
    });
    let stdin = match (step.get("stdin"), step.get("stdin_text")) {
        (Some(file), _) => fs::read(case.data.join(file.as_str().unwrap())).unwrap(),
        (None, Some(text)) => text.as_str().unwrap().as_bytes().to_vec(),
        (None, None) => Vec::new(),
    };
    Call { function, args, stdin }
}

fn filter(text: Vec<u8>, filters: Option<&Value>) -> Vec<u8> {
    let mut lines = lines(&text);
    for filter in filters.map_or(&[][..], |filters| filters.as_array().unwrap()) {
        let pattern = filter.get("re").map(|re| Regex::new(re.as_str().unwrap()).unwrap());
        match (filter["op"].as_str().unwrap(), pattern) {
            ("keep", Some(pattern)) => lines.retain(|line| pattern.is_match(line)),
            ("drop", Some(pattern)) => lines.retain(|line| !pattern.is_match(line)),
            ("sub", Some(pattern)) => {
                let with = filter["with"].as_str().unwrap();
                for line in &mut lines {
                    *line = pattern.replace_all(line, with.as_bytes()).into_owned();
                    // The expectations are those of an ordinary user.
                    if with == "uid=USER"
                        && nix::unistd::getuid().is_root()
                        && line == b"owner=trusted (uid=0)"
                    {
                        *line = b"owner=untrusted (uid=USER)".to_vec();
                    }
                }
            }
            ("sort", None) => lines.sort(),
            (other, _) => panic!("filter {other}"),
        }
    }
    lines.join(&b'\n')
}
