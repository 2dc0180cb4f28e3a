//! `postconf` on many configurations: Ferrofix and Debian's Postfix must say the same about each.
//!
//! A configuration is a file in `set` (see [`set`]). Every one is laid out in `/etc/postfix`, and the commands of [`commands`] and
//! of the configuration itself are run on it, in either system. Standard output, standard error and exit status are
//! compared after taking out what Postfix changed between Debian's 3.7 and 3.11; all of that stands in [`changes`], and an entry
//! there that no longer makes a difference is a failure too. What 3.7 cannot do at all is checked against what it can:
//! see [`relations`].
//!
//! usage: `configurations [--show] [FILTER...]`: only configurations whose name contains a filter; `--show` prints the
//! reference's answers. With a filter, entries without effect are no failure.

mod answer;
mod changes;
mod commands;
mod relations;
mod run;
mod set;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use answer::Answer;
use changes::Changes;
use harness::{Package, isolation};

/// How long one system may take over all configurations.
const PATIENCE: Duration = Duration::from_secs(300);

/// The answers of a system, by configuration and command.
type Answers = BTreeMap<(String, String), Answer>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if isolation::is_inside() {
        run::inside(&arguments);
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let show = arguments.iter().any(|argument| argument == "--show");
    let filters: Vec<&str> =
        arguments.iter().filter(|argument| !argument.starts_with("--")).map(String::as_str).collect();
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter));
    let names: Vec<String> = set::names().into_iter().filter(|name| wanted(name)).collect();
    for package in [Package::Ours, Package::Reference] {
        if let Some(why) = isolation::obstacle(package) {
            names.iter().for_each(|name| isolation::skip(&path(name), &format!("{}: {why}", package.name())));
            // As elsewhere, a test that skips itself counts as passed here; scripts/test knows better.
            println!("test result: ok. {} passed; 0 failed; 0 ignored", names.len());
            return ExitCode::SUCCESS;
        }
    }
    let (ours, reference) = std::thread::scope(|scope| {
        let ours = scope.spawn(|| answers(Package::Ours, &names));
        let reference = answers(Package::Reference, &names);
        (ours.join().expect("ours"), reference)
    });
    match (ours, reference) {
        (Ok(ours), Ok(reference)) => report(&names, &ours, &reference, show, filters.is_empty()),
        (ours, reference) => {
            for why in [ours.err(), reference.err()].into_iter().flatten() {
                println!("{why}");
            }
            println!("test result: FAILED. 0 passed; {} failed; 0 ignored", names.len());
            ExitCode::FAILURE
        }
    }
}

fn path(name: &str) -> String {
    format!("configurations::{name}")
}

fn answers(package: Package, names: &[String]) -> Result<Answers, String> {
    let arguments: Vec<&str> = names.iter().map(String::as_str).collect();
    let (well, text) =
        isolation::run_inside(package, &arguments, PATIENCE).map_err(|error| error.to_string())?;
    if !well {
        return Err(format!("{}: {text}", package.name()));
    }
    Ok(answer::parse(&text))
}

fn report(names: &[String], ours: &Answers, reference: &Answers, show: bool, is_complete: bool) -> ExitCode {
    let changes = Changes::new();
    let (mut passed, mut failures) = (0, Vec::new());
    let mut verdict = |name: &str, problems: Vec<String>| {
        let outcome = if problems.is_empty() { "ok" } else { "FAILED" };
        println!("test {} ... {outcome}", path(name));
        if problems.is_empty() {
            passed += 1;
        } else {
            failures.push(format!("---- {} ----\n{}\n", path(name), problems.join("\n")));
        }
    };
    for name in names {
        let mut problems = Vec::new();
        let mut count = 0;
        let mut differences: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for ((_, command), theirs) in reference.iter().filter(|((configuration, _), _)| configuration == name)
        {
            count += 1;
            if show {
                println!("--- {name}: {command}\n{theirs}");
            }
            let Some(own) = ours.get(&(name.clone(), command.clone())) else {
                problems.push(format!("{command}: no answer"));
                continue;
            };
            let shown = commands::shown(command);
            let without = changes.apply(Package::Ours, own, theirs, shown);
            let theirs = changes.apply(Package::Reference, theirs, own, shown);
            if let Some(difference) = without.difference(&theirs) {
                differences.entry(difference).or_default().push(command);
            }
        }
        if count == 0 {
            problems.push("nothing was run".to_owned());
        }
        problems
            .extend(differences.iter().map(|(text, commands)| format!("{}:\n{text}", commands.join("\n"))));
        problems.extend(relations::check(name, ours));
        verdict(name, problems);
    }
    if is_complete {
        verdict("differences-are-needed", changes.unused());
    }
    let outcome = if failures.is_empty() { "ok" } else { "FAILED" };
    println!("\n{}", failures.join("\n"));
    println!("test result: {outcome}. {passed} passed; {} failed; 0 ignored", failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
