//! The same scenarios against Ferrofix and against Debian's Postfix, compared.
//!
//! Cases are data: `dialogues.txt`, `tools.txt`, `lookups.txt`, `deliveries.txt` (see [`cases`]). Each group of cases runs in
//! one system of each kind, at the same time as others; the texts of a case from both are compared after taking out queue ids, times and the like, and
//! the differences that are intended (see [`deviations`] and `tests/DEVIATIONS.md`).
//!
//! usage: `differential [--show] [FILTER...]`: only cases whose `area::group::name` contains a filter; `--show` prints the
//! reference's texts.

mod cases;
mod delivery;
mod deviations;
mod dialogue;
mod tool;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use cases::{Area, Case, Group};
use harness::{Package, System, isolation};

/// How long a group may take.
const PATIENCE: Duration = Duration::from_secs(240);
/// How many systems run at the same time. They mostly wait.
const PARALLEL: usize = 4;
/// Before the name of a case in the output from inside.
const CASE: &str = "\u{1e}case ";

/// What a group gave on one system: the text of each case, or what went wrong before.
type Texts = Result<BTreeMap<String, String>, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if isolation::is_inside() {
        inside(&arguments);
        return ExitCode::SUCCESS;
    }
    let show = arguments.iter().any(|argument| argument == "--show");
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let wanted = |group: &Group, case: &Case| {
        let path = path(group, case);
        filters.is_empty() || filters.iter().any(|filter| path.contains(filter.as_str()))
    };
    let groups: Vec<Group> = cases::all()
        .into_iter()
        .map(|mut group| {
            let keep: Vec<Case> = group.cases.iter().filter(|case| wanted(&group, case)).cloned().collect();
            group.cases = keep;
            group
        })
        .filter(|group| !group.cases.is_empty())
        .collect();
    for package in [Package::Ours, Package::Reference] {
        if let Some(why) = isolation::obstacle(package) {
            let count = groups.iter().flat_map(|group| &group.cases).count();
            for group in &groups {
                for case in &group.cases {
                    isolation::skip(&path(group, case), &format!("{}: {why}", package.name()));
                }
            }
            // As elsewhere, a test that skips itself counts as passed here; scripts/test knows better.
            println!("test result: ok. {count} passed; 0 failed; 0 ignored");
            return ExitCode::SUCCESS;
        }
    }
    let (groups, skipped): (Vec<Group>, Vec<Group>) =
        groups.into_iter().partition(|group| group.missing().is_none());
    for group in &skipped {
        let why =
            format!("{} is not installed (scripts/test installs it)", group.missing().unwrap_or_default());
        group.cases.iter().for_each(|case| isolation::skip(&path(group, case), &why));
    }
    let count = skipped.iter().flat_map(|group| &group.cases).count();
    report(&groups, &run_all(&groups, &filters), show, count)
}

fn path(group: &Group, case: &Case) -> String {
    format!("{}::{}::{}", group.area.name(), group.name, case.name)
}

/// Runs every group on both systems; results in the order of the groups.
fn run_all(groups: &[Group], filters: &[&String]) -> Vec<(Texts, Texts)> {
    let jobs: Vec<(usize, Package)> =
        (0..groups.len()).flat_map(|index| [(index, Package::Ours), (index, Package::Reference)]).collect();
    let next = Mutex::new(jobs.into_iter());
    let results: Mutex<BTreeMap<(usize, bool), Texts>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(|| {
                loop {
                    let job = next.lock().expect("the jobs").next();
                    let Some((index, package)) = job else { break };
                    let texts = run(&groups[index], package, filters);
                    results.lock().expect("the results").insert((index, package == Package::Ours), texts);
                }
            });
        }
    });
    let mut results = results.into_inner().expect("the results");
    let mut take =
        |index, ours| results.remove(&(index, ours)).unwrap_or_else(|| Err("did not run".to_owned()));
    (0..groups.len()).map(|index| (take(index, true), take(index, false))).collect()
}

fn run(group: &Group, package: Package, filters: &[&String]) -> Texts {
    let mut arguments = vec![group.area.name(), group.name.as_str()];
    arguments.extend(filters.iter().map(|filter| filter.as_str()));
    let (well, text) =
        isolation::run_inside(package, &arguments, PATIENCE).map_err(|error| error.to_string())?;
    let mut parts = text.split(CASE);
    let before = parts.next().unwrap_or_default();
    let texts: BTreeMap<String, String> = parts
        .filter_map(|part| part.split_once('\n'))
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    if !well && texts.is_empty() {
        return Err(before.to_owned());
    }
    Ok(texts)
}

/// Inside: runs one group and writes the texts of its cases.
fn inside(arguments: &[String]) {
    let [area, name, filters @ ..] = arguments else { panic!("an area and a group") };
    let mut groups = cases::all().into_iter();
    let group = groups.find(|group| group.area.name() == area && group.name == *name).expect("the group");
    let mut system = System::inside();
    let sinks = group.set_up(&mut system);
    for case in &group.cases {
        let path = path(&group, case);
        if !filters.is_empty() && !filters.iter().any(|filter| path.contains(filter.as_str())) {
            continue;
        }
        println!("{CASE}{}", case.name);
        match group.area {
            Area::Dialogue => dialogue::run(&system, case),
            Area::Tool => tool::run(&system, case),
            Area::Delivery => delivery::run(&system, &sinks, case),
        }
    }
    println!("{CASE}end");
}

fn report(groups: &[Group], results: &[(Texts, Texts)], show: bool, skipped: usize) -> ExitCode {
    // As elsewhere, a test that skips itself counts as passed here; scripts/test knows better.
    let (mut passed, mut failed, mut ignored) = (skipped, 0, 0);
    let mut failures = String::new();
    for (group, (ours, reference)) in groups.iter().zip(results) {
        for case in &group.cases {
            let path = path(group, case);
            let text = |texts: &Texts, package| match texts {
                Ok(texts) => match texts.get(&case.name) {
                    Some(text) => deviations::apply(package, case, text),
                    None => format!("(no answer: {})", package == Package::Ours),
                },
                Err(why) => format!("({why})"),
            };
            let (ours, reference) = (text(ours, Package::Ours), text(reference, Package::Reference));
            if show {
                println!("--- {path}\n{reference}");
            }
            match (&case.known, ours == reference) {
                (None, true) => passed += 1,
                (None, false) => {
                    failed += 1;
                    println!("test {path} ... FAILED");
                    failures.push_str(&format!(
                        "---- {path} ----\n{}\n",
                        harness::difference(&lines(&reference), &lines(&ours))
                    ));
                    continue;
                }
                (Some(why), false) => {
                    ignored += 1;
                    println!("test {path} ... ignored, {why}");
                    continue;
                }
                (Some(why), true) => {
                    failed += 1;
                    println!("test {path} ... FAILED");
                    failures.push_str(&format!("---- {path} ----\npasses now: no longer \"{why}\"\n\n"));
                    continue;
                }
            }
            println!("test {path} ... ok");
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\n{failures}test result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}
