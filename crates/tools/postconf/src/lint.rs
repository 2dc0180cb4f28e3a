//! `postconf --lint`: looks for what Postfix accepts, or notices only when mail comes in, and what nobody can have meant.
//!
//! A rule is a function over the whole configuration; [`rules::RULES`] is the list. Rules read what a service would read,
//! with its `-o` settings, and look at files, but ask no server and change nothing. A rule that cannot know keeps quiet:
//! a clean configuration gives no warning.

mod config;
mod lists;
mod nearest;
mod report;
mod rules;
mod tables;
#[cfg(test)]
mod testing;

use command::{Fatal, Getopt, Invocation};
use config::Config;
use report::{Finding, Form, Report};
use std::ffi::{OsStr, OsString};
use std::io::Write;

/// The arguments without `--lint`, if it is among them.
pub(crate) fn requested(arguments: &[OsString]) -> Option<Vec<OsString>> {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let at = arguments.iter().take(end).position(|argument| argument == "--lint")?;
    let mut rest = arguments.to_vec();
    rest.remove(at);
    Some(rest)
}

/// Checks both files. The exit status is 1 when something is wrong. `usage` is for options that this does not have.
pub(crate) fn run(
    invocation: &Invocation,
    arguments: &[OsString],
    usage: impl Fn() -> Fatal,
) -> Result<u8, Fatal> {
    let mut form = Form::Text;
    let is_json = |argument: &&OsString| *argument == "--json";
    if arguments.iter().any(|argument| is_json(&argument)) {
        form = Form::Json;
    }
    let arguments: Vec<OsString> = arguments.iter().filter(|argument| !is_json(argument)).cloned().collect();
    let mut options = Getopt::over(OsStr::new(&invocation.name), &arguments, "c:jv");
    for choice in options.by_ref() {
        match choice.map_err(|_| usage())? {
            choice if choice.letter == 'c' => command::use_config_directory(&choice.value),
            choice if choice.letter == 'j' => form = Form::Json,
            _ => log::set_verbose(log::verbose().saturating_add(1)),
        }
    }
    if !options.rest().is_empty() {
        return Err(usage());
    }
    let config = Config::read(invocation.base_name())?;
    // Values that cannot be expanded are findings; every rule that meets one would log it again.
    log::init(&invocation.name, log::Sinks::default());
    let findings = check(&config);
    // A reader that went away is none of our business.
    drop(std::io::stdout().write_all(report::show(&findings, form).as_bytes()));
    Ok(report::status(&findings))
}

/// What all rules find.
fn check(config: &Config) -> Vec<Finding> {
    let mut report = Report::default();
    for rule in rules::RULES {
        report.begin(rule.name);
        (rule.check)(config, &mut report);
    }
    report.sorted()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option() {
        let arguments = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(requested(&arguments(&["-c", "x", "--lint", "-j"])), Some(arguments(&["-c", "x", "-j"])));
        assert_eq!(requested(&arguments(&["-n", "--", "--lint"])), None);
        assert_eq!(requested(&arguments(&["-n"])), None);
    }

    #[test]
    fn names_of_rules() {
        let mut names: Vec<_> = rules::RULES.iter().map(|rule| rule.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), rules::RULES.len());
    }
}
