//! What was found, and how it is shown.

use crate::print::json;
use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Does not do what it says, or does harm.
    Warning,
    /// Mail stops, or strangers get in.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// Where something is written, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    /// The file.
    pub(crate) file: String,
    /// The line; 0 where the file does not mention it.
    pub(crate) line: usize,
    /// A parameter, a service, or `service/type/parameter`.
    pub(crate) subject: String,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) spot: Spot,
    pub(crate) severity: Severity,
    /// The name of the rule.
    pub(crate) rule: &'static str,
    /// What is wrong.
    pub(crate) what: String,
    /// What comes of it.
    pub(crate) why: String,
    /// What to do about it.
    pub(crate) mend: String,
}

/// What the rules have found so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rule: &'static str,
    findings: Vec<Finding>,
}

/// How to show findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// An object on each line.
    Json,
}

impl Report {
    /// From here on, findings are this rule's.
    pub(crate) fn begin(&mut self, rule: &'static str) {
        self.rule = rule;
    }

    pub(crate) fn error(&mut self, spot: &Spot, what: String, why: &str, mend: &str) {
        self.add(Severity::Error, spot, what, why, mend);
    }

    pub(crate) fn warning(&mut self, spot: &Spot, what: String, why: &str, mend: &str) {
        self.add(Severity::Warning, spot, what, why, mend);
    }

    pub(crate) fn note(&mut self, spot: &Spot, what: String, why: &str, mend: &str) {
        self.add(Severity::Note, spot, what, why, mend);
    }

    /// Adds a finding; the same one twice, as several services meet it, counts once.
    pub(crate) fn add(&mut self, severity: Severity, spot: &Spot, what: String, why: &str, mend: &str) {
        let finding = Finding {
            spot: spot.clone(),
            severity,
            rule: self.rule,
            what,
            why: why.to_owned(),
            mend: mend.to_owned(),
        };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// All findings by file and line.
    pub(crate) fn sorted(mut self) -> Vec<Finding> {
        self.findings.sort_by(|a, b| a.spot.cmp(&b.spot));
        self.findings
    }
}

/// The exit status that findings mean: 1 when something is wrong.
pub(crate) fn status(findings: &[Finding]) -> u8 {
    u8::from(findings.iter().any(|finding| finding.severity > Severity::Note))
}

/// Findings as they are shown.
pub(crate) fn show(findings: &[Finding], form: Form) -> String {
    match form {
        Form::Json => findings.iter().map(Finding::json).collect(),
        Form::Text if findings.is_empty() => String::new(),
        Form::Text => {
            let texts: String = findings.iter().map(Finding::text).collect();
            let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
            let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
            format!("{texts}errors: {errors}, warnings: {warnings}, notes: {}\n", count(Severity::Note))
        }
    }
}

impl Finding {
    fn text(&self) -> String {
        let Finding { spot: Spot { file, line, subject }, severity, rule, what, why, mend } = self;
        let place = if *line == 0 { file.clone() } else { format!("{file}:{line}") };
        format!("{place}: {severity}: {subject}: {what} [{rule}]\n    why: {why}\n    mend: {mend}\n")
    }

    fn json(&self) -> String {
        let Finding { spot: Spot { file, line, subject }, severity, rule, what, why, mend } = self;
        format!(
            "{{\"severity\": \"{severity}\", \"rule\": \"{rule}\", \"file\": \"{}\", \"line\": {line}, \"subject\": \"{}\", \
             \"what\": \"{}\", \"why\": \"{}\", \"mend\": \"{}\"}}\n",
            json(file),
            json(subject),
            json(what),
            json(why),
            json(mend)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Vec<Finding> {
        let spot = |line| Spot { file: "main.cf".to_owned(), line, subject: "a\"b".to_owned() };
        let mut report = Report::default();
        report.begin("one-rule");
        report.warning(&spot(7), "wrong".to_owned(), "because", "do it");
        report.warning(&spot(7), "wrong".to_owned(), "because", "do it");
        report.note(&spot(0), "odd".to_owned(), "because", "leave it");
        report.sorted()
    }

    #[test]
    fn texts() {
        let findings = report();
        assert_eq!(status(&findings), 1);
        assert_eq!(status(&findings[..1]), 0);
        assert_eq!(
            show(&findings, Form::Text),
            "main.cf: note: a\"b: odd [one-rule]\n    why: because\n    mend: leave it\n\
             main.cf:7: warning: a\"b: wrong [one-rule]\n    why: because\n    mend: do it\n\
             errors: 0, warnings: 1, notes: 1\n"
        );
        assert_eq!(show(&[], Form::Text), "");
    }

    #[test]
    fn json_objects() {
        assert_eq!(
            show(&report()[1..], Form::Json),
            "{\"severity\": \"warning\", \"rule\": \"one-rule\", \"file\": \"main.cf\", \"line\": 7, \"subject\": \"a\\\"b\", \
             \"what\": \"wrong\", \"why\": \"because\", \"mend\": \"do it\"}\n"
        );
    }
}
