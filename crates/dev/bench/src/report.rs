//! Medians, ratios and the table.

use std::collections::BTreeMap;
use std::process::Command;

use crate::options::Options;
use crate::outcome::Outcome;

/// Which mail system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// Debian's Postfix.
    Reference,
    /// Ferrofix.
    Ours,
}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reference => "Postfix",
            Self::Ours => "Ferrofix",
        }
    }
}

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    rows: Vec<(&'static str, &'static str)>,
    outcomes: BTreeMap<(String, Subject), BTreeMap<usize, Outcome>>,
    failures: Vec<String>,
    notes: Vec<String>,
    head: String,
    quick: bool,
}

type Measure = fn(&Outcome) -> f64;
type Show = fn(f64) -> String;

impl Report {
    pub(crate) fn new(options: &Options, version: String) -> Self {
        let rows = options.workloads.iter().flat_map(|workload| workload.rows.iter().copied()).collect();
        Self {
            rows,
            outcomes: BTreeMap::new(),
            failures: Vec::new(),
            notes: Vec::new(),
            head: head(&version),
            quick: options.quick,
        }
    }

    pub(crate) fn add(&mut self, subject: Subject, round: usize, outcome: Outcome) {
        self.outcomes.entry((outcome.row.clone(), subject)).or_default().insert(round, outcome);
    }

    pub(crate) fn failed(&mut self, who: &str, why: &str) {
        self.failures.push(format!("{who}: {why}"));
    }

    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(crate) fn all_well(&self) -> bool {
        self.failures.is_empty()
    }

    /// The tables.
    pub(crate) fn text(&self, markdown: bool) -> String {
        let mut text = format!("\n{}\n", self.head);
        if self.quick {
            text.push_str("A quick look, with few messages: not for comparison.\n");
        }
        text.push('\n');
        text.push_str(&layout(&self.speed(), markdown));
        let idle = self.idle();
        if idle.len() > 1 {
            text.push('\n');
            text.push_str(&layout(&idle, markdown));
        }
        text.push_str(
            "\nMedians. Ratios are of medians, with the least and the greatest of any round in brackets; more than 1 is in\n\
             favour of Ferrofix.\n",
        );
        for failure in &self.failures {
            text.push_str(&format!("FAILED, not counted: {failure}\n"));
        }
        for note in &self.notes {
            text.push_str(&format!("{note}\n"));
        }
        text
    }

    fn speed(&self) -> Vec<Vec<String>> {
        let head = [
            "",
            "CPU s per 1,000: Postfix",
            "Ferrofix",
            "per CPU second",
            "per second: Postfix",
            "Ferrofix",
            "per second",
            "rounds",
        ];
        let mut table = vec![head.map(str::to_owned).to_vec()];
        for (row, title) in &self.rows {
            let title = if self.quick { quick_title(title) } else { (*title).to_owned() };
            let mut cells = vec![title];
            cells.extend(self.compare(row, Outcome::cpu_per_thousand, three_digits, Better::Less));
            cells.extend(self.compare(row, Outcome::rate, |value| format!("{value:.0}"), Better::More));
            let rounds = |subject| self.of(row, subject).map_or(0, BTreeMap::len);
            let (theirs, ours) = (rounds(Subject::Reference), rounds(Subject::Ours));
            cells.push(if theirs == ours { theirs.to_string() } else { format!("{theirs}/{ours}") });
            table.push(cells);
        }
        table
    }

    fn idle(&self) -> Vec<Vec<String>> {
        let head = ["idle clients", "Postfix", "Ferrofix", "ratio"];
        let mut table = vec![head.map(str::to_owned).to_vec()];
        if !self.outcomes.keys().any(|(row, _)| row == "idle") {
            return table;
        }
        let lines: [(&str, Measure, Show, Better); 5] = [
            (
                "clients connecting at once, all greeted and held",
                |one| extra(one, "held"),
                whole,
                Better::Neither,
            ),
            ("smtpd processes", |one| extra(one, "processes"), whole, Better::Neither),
            ("seconds until all are greeted", |one| one.wall, |value| format!("{value:.2}"), Better::Neither),
            (
                "memory each, kB (PSS)",
                |one| extra(one, "proportional"),
                |value| format!("{value:.1}"),
                Better::Less,
            ),
            (
                "memory each, kB (private)",
                |one| extra(one, "private"),
                |value| format!("{value:.1}"),
                Better::Less,
            ),
        ];
        for (title, measure, show, better) in lines {
            let mut cells = vec![title.to_owned()];
            cells.extend(self.compare("idle", measure, show, better));
            table.push(cells);
        }
        table
    }

    fn of(&self, row: &str, subject: Subject) -> Option<&BTreeMap<usize, Outcome>> {
        self.outcomes.get(&(row.to_owned(), subject))
    }

    /// Three cells: theirs, ours, the ratio.
    fn compare(&self, row: &str, measure: Measure, show: Show, better: Better) -> [String; 3] {
        let values = |subject| -> BTreeMap<usize, f64> {
            let outcomes = self.of(row, subject).into_iter().flatten();
            outcomes.map(|(round, outcome)| (*round, measure(outcome))).collect()
        };
        let (theirs, ours) = (values(Subject::Reference), values(Subject::Ours));
        let median_of = |values: &BTreeMap<usize, f64>| median(values.values().copied().collect());
        let cell = |value: Option<f64>| value.map_or("failed".to_owned(), show);
        let (their_median, our_median) = (median_of(&theirs), median_of(&ours));
        let gain = |theirs: f64, ours: f64| match better {
            Better::Less => theirs / ours,
            Better::More | Better::Neither => ours / theirs,
        };
        let ratio = match (their_median, our_median, better) {
            (_, _, Better::Neither) => String::new(),
            (Some(their_median), Some(our_median), _) => {
                let pairs = theirs.iter().filter_map(|(round, their)| Some(gain(*their, *ours.get(round)?)));
                let pairs: Vec<f64> = pairs.collect();
                let least = pairs.iter().copied().fold(f64::INFINITY, f64::min);
                let most = pairs.iter().copied().fold(0.0, f64::max);
                format!("**{}** ({}–{})", short(gain(their_median, our_median)), short(least), short(most))
            }
            _ => "-".to_owned(),
        };
        [cell(their_median), cell(our_median), ratio]
    }
}

/// What a quick look does instead.
fn quick_title(title: &str) -> String {
    title.replace("1,000,000", "20,000").replace("100,000 rows", "2,000 rows").replace("100,000", "5,000")
}

/// Which way is better.
#[derive(Clone, Copy, Debug)]
enum Better {
    Less,
    More,
    Neither,
}

fn extra(outcome: &Outcome, name: &str) -> f64 {
    outcome.extra.get(name).copied().unwrap_or(f64::NAN)
}

fn whole(value: f64) -> String {
    format!("{value:.0}")
}

/// Three digits that mean something.
fn three_digits(value: f64) -> String {
    match value {
        1.0.. => format!("{value:.2}"),
        0.1.. => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

fn short(ratio: f64) -> String {
    if ratio >= 20.0 { format!("{ratio:.0}") } else { format!("{ratio:.1}") }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    values.get(middle.checked_sub(1)?).map(|lower| (lower + upper) / 2.0)
}

fn layout(table: &[Vec<String>], markdown: bool) -> String {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = table.iter().filter_map(|cells| cells.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, cells) in table.iter().enumerate() {
        let cells: Vec<String> = cells
            .iter()
            .zip(&widths)
            .enumerate()
            .map(
                |(column, (cell, width))| {
                    if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                },
            )
            .collect();
        if markdown {
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
            if number == 0 {
                let rule = |(column, width): (usize, &usize)| {
                    if column == 0 { "-".repeat(*width) } else { format!("{}:", "-".repeat(width - 1)) }
                };
                let rules: Vec<String> = widths.iter().enumerate().map(rule).collect();
                text.push_str(&format!("| {} |\n", rules.join(" | ")));
            }
        } else {
            text.push_str(cells.join("  ").replace("**", "").trim_end());
            text.push('\n');
        }
    }
    text
}

/// What was compared, where and when.
fn head(version: &str) -> String {
    let date = output("date", &["-u", "+%Y-%m-%d"]);
    let kernel = output("uname", &["-r"]);
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "Debian's Postfix {version} and Ferrofix {}, {date}, Linux {kernel}, {processors} processors.",
        env!("CARGO_PKG_VERSION")
    )
}

fn output(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(cpu: f64, wall: f64) -> Outcome {
        Outcome { row: "relay-1".to_owned(), count: 1000, cpu, wall, ..Outcome::default() }
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn ratios_of_medians_with_their_range() {
        let options = Options::parse(&["--only".to_owned(), "relay-1".to_owned()]).unwrap();
        let mut report = Report::new(&options, "3.7".to_owned());
        for (round, theirs, ours) in [(1, 10.0, 2.0), (2, 12.0, 3.0), (3, 8.0, 1.0)] {
            report.add(Subject::Reference, round, outcome(theirs, 4.0));
            report.add(Subject::Ours, round, outcome(ours, 2.0));
        }
        let table = report.speed();
        assert_eq!(table[1][1..4], ["10.00", "2.00", "**5.0** (4.0–8.0)"]);
        assert_eq!(table[1][4..8], ["250", "500", "**2.0** (2.0–2.0)", "3"]);
        assert!(report.text(true).contains("| relay, 4 KiB, 1 session |"));
        assert!(report.all_well());
    }

    #[test]
    fn a_failed_run_is_named_and_not_averaged() {
        let options = Options::parse(&["--only".to_owned(), "relay-1".to_owned()]).unwrap();
        let mut report = Report::new(&options, String::new());
        report.add(Subject::Reference, 1, outcome(1.0, 1.0));
        report.failed("round 1, relay-1, Ferrofix", "999 arrived, 1000 were sent");
        assert!(!report.all_well());
        let text = report.text(false);
        assert!(text.contains("failed") && text.contains("999 arrived"));
    }
}
