//! Lookup tables of all kinds, asked by `postmap -q -` thousands of times, in Ferrofix and in Debian's Postfix: the answers,
//! warnings and exit statuses must be the same.
//!
//! Tables and keys come from a generator that always gives the same; many tables are strange on purpose. Each system gets
//! all of them at once, in namespaces of its own (see the crate `harness`).
//!
//! usage: `lookups [--show] [FILTER...]`: only cases whose name contains a filter; `--show` prints the reference's answers.

mod cases;
mod combined;
mod deviations;
mod indexed;
mod networks;
mod patterns;
mod random;
mod servers;
mod system;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use cases::Case;
use harness::{Package, System, isolation};

const PATIENCE: Duration = Duration::from_secs(600);
/// How many cases run at the same time. They mostly wait.
const PARALLEL: usize = 6;
/// Before the name of a case in the output from inside.
const CASE: &str = "\u{1e}case ";
/// How many different lines are shown of a case.
const SHOWN: usize = 12;

fn all() -> Vec<Case> {
    let mut all = indexed::cases();
    all.extend(networks::cases());
    all.extend(patterns::cases());
    all.extend(combined::cases());
    all.extend(system::cases());
    all.extend(servers::cases());
    all
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (options, filters): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|argument| argument.starts_with("--"));
    if options.iter().any(|option| *option == "--list") {
        return ExitCode::SUCCESS;
    }
    let wanted = |case: &Case| filters.is_empty() || filters.iter().any(|filter| case.name.contains(*filter));
    let (cases, left_out): (Vec<Case>, Vec<Case>) =
        all().into_iter().filter(wanted).partition(|case| servers::obstacle(case).is_none());
    if isolation::is_inside() {
        let system = System::inside();
        servers::start(&cases, &system);
        inside(&cases);
        return ExitCode::SUCCESS;
    }
    for package in [Package::Ours, Package::Reference] {
        if let Some(why) = isolation::obstacle(package) {
            for case in &cases {
                isolation::skip(&case.name, &format!("{}: {why}", package.name()));
            }
            // As elsewhere, a test that skips itself counts as passed here; scripts/test knows better.
            println!("test result: ok. {} passed; 0 failed; 0 ignored", cases.len());
            return ExitCode::SUCCESS;
        }
    }
    for case in &left_out {
        isolation::skip(&case.name, &servers::obstacle(case).unwrap_or_default());
    }
    let show = options.iter().any(|option| *option == "--show");
    let (ours, reference) = std::thread::scope(|scope| {
        let ours = scope.spawn(|| run(Package::Ours, &filters));
        let reference = run(Package::Reference, &filters);
        (ours.join().expect("the other system"), reference)
    });
    report(&cases, left_out.len(), &ours, &reference, show)
}

/// Writes the reports of all cases. Some at the same time: a fatal end takes a second, asleep.
fn inside(cases: &[Case]) {
    let next = Mutex::new(cases.iter());
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(|| {
                loop {
                    let case = next.lock().expect("the cases").next();
                    let Some(case) = case else { break };
                    let report = case.report();
                    // In one piece.
                    println!("{CASE}{}\n{report}", case.name);
                }
            });
        }
    });
}

/// The reports of a system, by case.
fn run(package: Package, filters: &[&String]) -> BTreeMap<String, String> {
    let filters: Vec<&str> = filters.iter().map(|filter| filter.as_str()).collect();
    let (_, text) = isolation::run_inside(package, &filters, PATIENCE).expect("unshare");
    let mut parts = text.split(CASE);
    let before = parts.next().unwrap_or_default();
    if !before.trim().is_empty() {
        println!("{}: {before}", package.name());
    }
    parts
        .filter_map(|part| part.split_once('\n'))
        .map(|(name, report)| (name.to_owned(), report.to_owned()))
        .collect()
}

fn report(
    cases: &[Case],
    left_out: usize,
    ours: &BTreeMap<String, String>,
    reference: &BTreeMap<String, String>,
    show: bool,
) -> ExitCode {
    // What is left out was reported as skipped, and is subtracted from these by scripts/test.
    let (mut passed, mut failed) = (left_out, 0);
    let mut failures = String::new();
    for case in cases {
        let text = |reports: &BTreeMap<String, String>, package| {
            let report = reports.get(&case.name).map_or("no report", String::as_str);
            deviations::apply(package, report)
        };
        let (ours, reference) = (text(ours, Package::Ours), text(reference, Package::Reference));
        let (ours, reference) = deviations::cut_where_lost(&ours, &reference);
        if show {
            println!("--- {}\n{reference}", case.name);
        }
        let answers = reference.lines().filter(|line| line.starts_with("out: ")).count();
        let warnings = reference.lines().filter(|line| line.starts_with("err: ")).count();
        if ours == reference && reference != "no report" {
            passed += 1;
            println!("test {} ... ok ({answers} answers, {warnings} messages)", case.name);
        } else {
            failed += 1;
            println!("test {} ... FAILED", case.name);
            failures.push_str(&format!("---- {} ----\n{}\n", case.name, difference(&reference, &ours)));
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\n{failures}test result: {verdict}. {passed} passed; {failed} failed; 0 ignored");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The first lines that only one of them has: `-` the reference's, `+` ours.
fn difference(reference: &str, ours: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (reference.lines().collect(), ours.lines().collect());
    let mut text = String::new();
    let (mut i, mut j, mut count) = (0, 0, 0);
    let mut command = "";
    while (i < old.len() || j < new.len()) && count < SHOWN {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            if old[i].starts_with('$') {
                command = old[i];
            }
            (i, j) = (i + 1, j + 1);
            continue;
        }
        if !command.is_empty() {
            text.push_str(&format!("  {}\n", shortened(command)));
            command = "";
        }
        // The nearest place where both go on together.
        let near = 400;
        let meets = (0..near).find_map(|distance| {
            (0..=distance).find_map(|skipped| {
                let (a, b) = (i + skipped, j + distance - skipped);
                (a < old.len() && b < new.len() && old[a] == new[b]).then_some((a, b))
            })
        });
        let (a, b) = meets.unwrap_or((old.len(), new.len()));
        for (sign, lines) in [('-', &old[i..a]), ('+', &new[j..b])] {
            for line in lines.iter().take(SHOWN) {
                text.push_str(&format!("{sign} {}\n", shortened(line)));
                count += 1;
            }
        }
        (i, j) = (a, b);
    }
    if count >= SHOWN {
        text.push_str("  ...\n");
    }
    text
}

/// A line without its middle, if it is long.
fn shortened(line: &str) -> String {
    if line.len() <= 300 {
        return line.to_owned();
    }
    format!("{} ... {}", &line[..100], &line[line.len() - 150..])
}
