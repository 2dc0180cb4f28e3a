//! The comparison: rounds, workloads, and both systems in turn.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cgroup::Group;
use crate::disk;
use crate::enter::{self, Ended, Place};
use crate::mailsystem::KEEP_LOG;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::report::{Report, Subject};
use crate::workload::Workload;

/// How long one run may take, set-up included.
const PATIENCE: Duration = Duration::from_secs(180);

/// The whole comparison.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    let missing = missing(&options);
    if !missing.is_empty() {
        return Err(format!("cannot run here; missing:\n  {}", missing.join("\n  ")));
    }
    let ours = absolute(&options.ours)?;
    let reference = absolute(&options.reference)?;
    let group = Group::create("ferrofix-bench")?;
    let mut report = Report::new(&options, version(&reference));
    let own_disk = disk::probe(&options.work);
    if let Err(why) = &own_disk {
        report.note(format!("Spools were in the workspace, not on a file system of their own: {why}"));
    }
    let own_disk = own_disk.is_ok();
    let began = Instant::now();
    let limit = Duration::from_secs(options.minutes * 60);
    for round in 1..=options.rounds {
        let so_far = began.elapsed();
        let a_round = so_far / u32::try_from(round - 1).unwrap_or(0).max(1);
        if round > 1 && so_far + a_round > limit {
            report.note(format!("ended after {} rounds: the time was over", round - 1));
            break;
        }
        for workload in &options.workloads {
            if round > workload.rounds_at_most {
                continue;
            }
            for subject in [Subject::Reference, Subject::Ours] {
                let image = if subject == Subject::Ours { &ours } else { &reference };
                let single =
                    Single { options: &options, image, reference: &reference, group: &group, own_disk };
                single.run(workload, subject, round, &mut report)?;
            }
        }
    }
    group.remove().ok();
    fs::remove_dir_all(&options.work).ok();
    print!("{}", report.text(options.markdown));
    if report.all_well() { Ok(()) } else { Err("some runs failed; see above".to_owned()) }
}

/// One run of one system.
struct Single<'a> {
    options: &'a Options,
    image: &'a Path,
    reference: &'a Path,
    group: &'a Group,
    own_disk: bool,
}

impl Single<'_> {
    fn run(
        &self,
        workload: &Workload,
        subject: Subject,
        round: usize,
        report: &mut Report,
    ) -> Result<(), String> {
        let mut count = if self.options.quick { workload.quick } else { workload.count };
        if subject == Subject::Reference {
            count = count.min(workload.reference_at_most);
        }
        fs::remove_dir_all(&self.options.work).ok();
        fs::create_dir_all(&self.options.work)
            .map_err(|error| format!("{}: {error}", self.options.work.display()))?;
        let work = absolute(&self.options.work)?;
        if self.own_disk {
            disk::make(&work).map_err(|error| format!("disk: {error}"))?;
        }
        let place = Place { image: self.image, reference: self.reference, work: &work };
        let count = count.to_string();
        let group = self.group.directory().to_string_lossy();
        let arguments = ["inside", &group, workload.name, &count];
        let environment: &[_] = if self.options.logs.is_some() { &[(KEEP_LOG, "1")] } else { &[] };
        let ended = enter::run(&place, environment, &arguments, PATIENCE)
            .map_err(|error| format!("unshare: {error}"))?;
        disk::release(&work);
        if let Some(logs) = &self.options.logs {
            let name = format!("{}-{round}-{}", workload.name, subject.name());
            fs::create_dir_all(logs)
                .and_then(|()| fs::rename(work.join("log/mail.log"), logs.join(name)))
                .map_err(|error| format!("{}: {error}", logs.display()))?;
        }
        let who = format!("round {round}, {}, {}", workload.name, subject.name());
        let (output, mut failure) = match ended {
            Ended::Well(output) => (output, None),
            Ended::Badly(output) => (output, Some("the run ended with an error".to_owned())),
            Ended::TimedOut(output) => (output, Some(format!("not finished after {} s", PATIENCE.as_secs()))),
        };
        let mut outcomes = Vec::new();
        for line in output.lines() {
            if let Some(outcome) = Outcome::parse(line) {
                outcomes.push(outcome);
            } else if let Some(why) = line.strip_prefix("failed ") {
                failure = Some(why.to_owned());
            } else if let Some(text) = line.strip_prefix("strange ") {
                eprintln!("  log: {text}");
            }
        }
        if failure.is_none() && outcomes.len() != workload.rows.len() {
            failure = Some("no result".to_owned());
        }
        match failure {
            Some(why) => {
                eprintln!("{who}: FAILED: {why}");
                report.failed(&who, &why);
            }
            None => {
                for outcome in outcomes {
                    eprintln!("{who}: {}", describe(&outcome));
                    report.add(subject, round, outcome);
                }
            }
        }
        Ok(())
    }
}

fn describe(outcome: &Outcome) -> String {
    let mut text = format!(
        "{}: {:.2} CPU s per 1000, {:.1} per s",
        outcome.row,
        outcome.cpu_per_thousand(),
        outcome.rate()
    );
    for (name, value) in &outcome.extra {
        text.push_str(&format!(", {name} {value:.1}"));
    }
    text
}

fn missing(options: &Options) -> Vec<String> {
    let mut missing = enter::obstacles();
    for (image, program, how) in [
        (&options.ours, "usr/lib/postfix/sbin/master", "scripts/install --destdir puts it there"),
        (&options.reference, "usr/sbin/smtp-source", "Debian's package postfix, unpacked"),
    ] {
        let path = image.join(program);
        if !path.exists() {
            missing.push(format!("{} ({how})", path.display()));
        }
    }
    missing
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    fs::canonicalize(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The reference's version.
fn version(reference: &Path) -> String {
    let output = Command::new(reference.join("usr/sbin/postconf"))
        .args(["-d", "-h", "mail_version"])
        .env("LD_LIBRARY_PATH", reference.join("usr/lib/postfix"))
        .output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
