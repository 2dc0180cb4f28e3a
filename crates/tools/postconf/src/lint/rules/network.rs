//! Who this host says it is, and what it does when others fail.

use crate::lint::config::Config;
use crate::lint::report::Report;
use bytes::list::{SEPARATORS, split};
use std::fs;

/// Domains in more than one list of what this host is the end for.
pub(crate) fn two_classes(config: &Config, report: &mut Report) {
    let scope = config.global();
    let lists = ["mydestination", "virtual_alias_domains", "virtual_mailbox_domains"];
    for (at, name) in lists.iter().enumerate() {
        if scope.setting(name).is_none() {
            continue;
        }
        for other in
            lists.iter().take(at).filter(|other| **other == "mydestination" || scope.setting(other).is_some())
        {
            let value = scope.text(other);
            let domains: Vec<_> = split(&value, SEPARATORS).map(str::to_ascii_lowercase).collect();
            for domain in
                split(&scope.text(name), SEPARATORS).filter(|domain| !domain.contains([':', '/', '!']))
            {
                if domains.contains(&domain.to_ascii_lowercase()) {
                    let why = "a domain belongs to one class only: here the recipients of the other one are unknown or misrouted";
                    let what = format!("{domain} is in {other} as well");
                    report.warning(&scope.spot_of(name, domain), what, why, "remove it from one of the two");
                }
            }
        }
    }
}

/// Greetings that do not begin with the host's name.
pub(crate) fn banner(config: &Config, report: &mut Report) {
    for (scope, setting) in
        config.effective().into_iter().filter(|(_, setting)| setting.name == "smtpd_banner")
    {
        let text = scope.expand(&setting.value);
        let first = text.split_whitespace().next().unwrap_or_default();
        if !first.eq_ignore_ascii_case(&scope.text("myhostname")) {
            let what = format!("the greeting begins with \"{first}\", not with the host's name");
            let why = "RFC 5321 wants the name first; without it, clients cannot notice a loop";
            report.warning(&setting.spot, what, why, "begin with $myhostname");
        }
    }
}

/// `myorigin` from a file that has no name in it.
pub(crate) fn origin_file(config: &Config, report: &mut Report) {
    let scope = config.global();
    let path = scope.text("myorigin");
    if path.starts_with('/') {
        let text = fs::read_to_string(&path).unwrap_or_default();
        if text.lines().next().is_none_or(|line| line.trim().is_empty()) {
            let why = "every program that needs it ends with \"fatal:\"";
            let what = format!("there is no name in the first line of {path}");
            report.error(
                &scope.spot("myorigin"),
                what,
                why,
                "write the domain into that file, or set myorigin to it",
            );
        }
    }
}

/// Milters without a word about what to do when they fail.
pub(crate) fn milter_failure(config: &Config, report: &mut Report) {
    let scope = config.global();
    let uses = ["smtpd_milters", "non_smtpd_milters"].into_iter().find(|name| !scope.text(name).is_empty());
    let Some(name) = uses.filter(|_| scope.setting("milter_default_action").is_none()) else { return };
    let action = scope.text("milter_default_action");
    let what = format!("milter_default_action is not set, and means \"{action}\"");
    let why = "the default changed (it was tempfail before Postfix 3.11): a Milter that is down ends each SMTP session";
    report.note(
        &scope.spot(name),
        what,
        why,
        "set milter_default_action to accept, tempfail, reject or shutdown",
    );
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::{MASTER, lines};

    #[test]
    fn domains_in_two_lists() {
        let main = "mydestination = a.example, b.example\nvirtual_mailbox_domains = c.example,\n B.example\n";
        assert_eq!(
            lines("two-classes", main, MASTER),
            ["warning 3 virtual_mailbox_domains: B.example is in mydestination as well"]
        );
        assert!(
            lines("two-classes", "mydestination = a\nvirtual_alias_domains = hash:/b c\n", MASTER).is_empty()
        );
    }

    #[test]
    fn greetings() {
        assert_eq!(lines("banner", "smtpd_banner = ESMTP $myhostname\n", MASTER).len(), 1);
        assert!(lines("banner", "smtpd_banner = $myhostname ESMTP NO UCE\n", MASTER).is_empty());
    }

    #[test]
    fn origins() {
        assert_eq!(lines("origin-file", "myorigin = /nonexistent\n", MASTER).len(), 1);
        assert!(lines("origin-file", "myorigin = $mydomain\n", MASTER).is_empty());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "example.com\n").unwrap();
        assert!(lines("origin-file", &format!("myorigin = {}\n", file.path().display()), MASTER).is_empty());
    }

    #[test]
    fn failing_milters() {
        assert_eq!(lines("milter-failure", "smtpd_milters = inet:a:1\n", MASTER).len(), 1);
        assert!(
            lines("milter-failure", "smtpd_milters = inet:a:1\nmilter_default_action = accept\n", MASTER)
                .is_empty()
        );
        assert!(lines("milter-failure", "", MASTER).is_empty());
    }
}
