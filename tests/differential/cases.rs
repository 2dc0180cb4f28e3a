//! The files of cases.
//!
//! A line that begins with `%` opens a section, which reaches to the next such line:
//!
//! - `%group NAME`: what follows belongs to this group of cases, which share one running system;
//! - `%main.cf`, `%master.cf`, `%aliases`, `%zone`, `%table NAME`, `%file PATH`: its configuration and world;
//! - `%sink ADDRESS` or `%lmtp ADDRESS`: a receiver, with rules `COMMAND => REPLY`;
//! - `%tcp-table ADDRESS` or `%socketmap ADDRESS`: a server that answers lookups, with rules `KEY => REPLY`;
//! - `%run`: shell commands that have to succeed; `%needs PROGRAM`: without it the group is skipped;
//! - `%stopped`: the system is not started;
//! - `%case NAME`: a case; the text is its body. `%known REASON` before a case: it differs, and why for now;
//!   `%deviation NAME` before a case: a rule of deviations.rs that is for such cases only.

use std::path::Path;

use harness::{Sink, System};

/// What kind of case; it says how the body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Area {
    /// An SMTP session.
    Dialogue,
    /// Commands.
    Tool,
    /// Messages and where they end.
    Delivery,
}

impl Area {
    /// Its name on the command line and in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dialogue => "dialogue",
            Self::Tool => "tool",
            Self::Delivery => "delivery",
        }
    }
}

/// One thing that is compared.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) body: String,
    /// Deviations that concern this case only.
    pub(crate) deviations: Vec<String>,
    /// Why it is known to differ, for now.
    pub(crate) known: Option<String>,
}

/// Cases that share a running system.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) area: Area,
    pub(crate) name: String,
    pub(crate) cases: Vec<Case>,
    /// Heading and text of each other section.
    sections: Vec<(String, String)>,
}

/// All groups of all files.
pub(crate) fn all() -> Vec<Group> {
    let mut groups = parse(Area::Dialogue, include_str!("dialogues.txt"));
    groups.extend(parse(Area::Tool, include_str!("tools.txt")));
    groups.extend(parse(Area::Tool, include_str!("lookups.txt")));
    groups.extend(parse(Area::Delivery, include_str!("deliveries.txt")));
    groups
}

fn parse(area: Area, text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known = None;
    let mut deviations: Vec<String> = Vec::new();
    for section in text.split("\n%").skip(1) {
        let (heading, body) = section.split_once('\n').unwrap_or((section, ""));
        let (word, rest) = heading.split_once(' ').unwrap_or((heading, ""));
        if word == "group" {
            groups.push(Group { area, name: rest.to_owned(), cases: Vec::new(), sections: Vec::new() });
            continue;
        }
        let group = groups.last_mut().expect("a group first");
        match word {
            "deviation" => deviations.push(rest.to_owned()),
            "known" => known = Some(rest.to_owned()),
            "case" => {
                let body = body.trim_end_matches('\n').to_owned();
                let (known, deviations) = (known.take(), std::mem::take(&mut deviations));
                group.cases.push(Case { name: rest.to_owned(), body, deviations, known });
            }
            _ => group.sections.push((heading.to_owned(), body.to_owned())),
        }
    }
    groups
}

impl Group {
    /// A program that the group needs and this machine has not.
    pub(crate) fn missing(&self) -> Option<&str> {
        let needed = self.sections.iter().filter_map(|(heading, _)| heading.strip_prefix("needs "));
        let exists =
            |name: &str| ["/usr/bin", "/usr/sbin"].iter().any(|place| Path::new(place).join(name).exists());
        needed.into_iter().find(|name| !exists(name))
    }

    /// Configures the system and its world, and starts it.
    pub(crate) fn set_up(&self, system: &mut System) -> Vec<(String, Sink)> {
        let mut sinks = Vec::new();
        let mut start = true;
        for (heading, body) in &self.sections {
            let (word, rest) = heading.split_once(' ').unwrap_or((heading, ""));
            match word {
                "main.cf" => drop(system.main_cf(body)),
                "master.cf" => drop(system.master_cf(body)),
                "aliases" => drop(system.aliases(body)),
                "zone" => drop(system.dns(body)),
                "table" => drop(system.table(rest, body)),
                "file" => drop(system.file(rest, body)),
                "stopped" => start = false,
                "needs" => {}
                "tcp-table" => harness::answers::tcp_table(rest, body),
                "socketmap" => harness::answers::socketmap(rest, body),
                "run" => {
                    for line in body.lines().filter(|line| !line.is_empty()) {
                        system.shell(line).well();
                    }
                }
                "sink" | "lmtp" => {
                    let sink = if word == "sink" { Sink::smtp(rest) } else { Sink::lmtp(rest) };
                    for rule in body.lines() {
                        if let Some((command, reply)) = rule.split_once(" => ") {
                            sink.on(command, &reply.replace("\\n", "\n"));
                        }
                    }
                    sinks.push((rest.to_owned(), sink));
                }
                _ => panic!("%{heading}?"),
            }
        }
        if start {
            system.start();
        }
        sinks
    }
}
