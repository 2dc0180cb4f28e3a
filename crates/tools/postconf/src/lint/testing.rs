//! What the tests of rules share.

use super::config::Config;
use super::report::{Finding, Report};
use super::rules::RULES;
use crate::mode::Mode;
use crate::registry::Registry;
use conf::MainCf;
use std::path::Path;

/// A master.cf with a server and the usual deliveries, for rules about main.cf.
pub(crate) const MASTER: &str = "\
smtp inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
local unix - n n - - local
virtual unix - n n - - virtual
smtp unix - - n - - smtp
";

/// Both files, as if they were in `/etc/postfix`.
pub(crate) fn config(main: &str, master: &str) -> Config {
    let mut registry = Registry::new(Mode::default(), "postconf", true);
    let directory = Path::new("/etc/postfix");
    registry.main = MainCf::empty(directory);
    registry.files.main = directory.join("main.cf");
    registry.files.master = directory.join("master.cf");
    Config::parse(registry, main.as_bytes(), master.as_bytes())
}

/// All that one rule finds.
pub(crate) fn findings(rule: &str, main: &str, master: &str) -> Vec<Finding> {
    let rule = RULES.iter().find(|known| known.name == rule).expect("a rule");
    let mut report = Report::default();
    report.begin(rule.name);
    (rule.check)(&config(main, master), &mut report);
    report.sorted()
}

/// What one rule finds: `severity line subject: what`.
pub(crate) fn lines(rule: &str, main: &str, master: &str) -> Vec<String> {
    let show = |finding: &Finding| {
        let spot = &finding.spot;
        format!("{} {} {}: {}", finding.severity, spot.line, spot.subject, finding.what)
    };
    findings(rule, main, master).iter().map(show).collect()
}
