//! The command line.

use std::path::PathBuf;

use crate::workload::{self, Workload};

/// What to do.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) workloads: Vec<&'static Workload>,
    pub(crate) quick: bool,
    pub(crate) markdown: bool,
    pub(crate) minutes: u64,
    /// Ferrofix, as `scripts/install` lays it out.
    pub(crate) ours: PathBuf,
    /// Debian's Postfix, unpacked.
    pub(crate) reference: PathBuf,
    /// For spools and mailboxes; emptied.
    pub(crate) work: PathBuf,
    /// Where the logs of all runs are kept.
    pub(crate) logs: Option<PathBuf>,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            rounds: 0,
            workloads: Vec::new(),
            quick: false,
            markdown: false,
            minutes: 20,
            ours: "target/system/bench".into(),
            reference: "target/system/reference".into(),
            work: "target/system/bench-run".into(),
            logs: None,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--rounds" => options.rounds = number(value()?)?,
                "--minutes" => options.minutes = number(value()?)?,
                "--only" => {
                    let names = value()?.split(',');
                    for name in names {
                        options.workloads.extend(named(name)?);
                    }
                }
                "--quick" => options.quick = true,
                "--markdown" => options.markdown = true,
                "--ours" => options.ours = value()?.into(),
                "--reference" => options.reference = value()?.into(),
                "--work" => options.work = value()?.into(),
                "--logs" => options.logs = Some(value()?.into()),
                _ => return Err(format!("unknown option {argument}")),
            }
        }
        if options.rounds == 0 {
            options.rounds = if options.quick { 1 } else { 5 };
        }
        if options.workloads.is_empty() {
            options.workloads = workload::ALL.iter().collect();
        }
        Ok(options)
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{text}: not a number"))
}

fn named(name: &str) -> Result<Vec<&'static Workload>, String> {
    let found: Vec<_> = workload::ALL.iter().filter(|workload| workload.name == name).collect();
    if found.is_empty() {
        let known: Vec<_> = workload::ALL.iter().map(|workload| workload.name).collect();
        return Err(format!("no workload {name}; there are {}", known.join(" ")));
    }
    Ok(found)
}
