//! Names of parameters: unknown, out of date, or used in `$name` without being anything.

use crate::database::CLIENTS;
use crate::lint::config::{Config, Setting};
use crate::lint::lists;
use crate::lint::nearest::{did_you_mean, nearest};
use crate::lint::report::Report;
use crate::lint::tables;
use crate::registry::Origin;
use crate::unused::alternative;
use conf::expand::Expand;
use std::collections::BTreeSet;

/// Parameters that nothing reads.
pub(crate) fn unknown(config: &Config, report: &mut Report) {
    let users = users_names(config);
    for (_, setting) in config.effective() {
        let name = setting.name.as_str();
        if is_known(config, name) || alternative(name).is_some() {
            continue;
        }
        let elsewhere = OTHERS.iter().find(|(known, _)| match known.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => *known == name,
        });
        // $name of such a one, as in proxy_read_maps, does not make it the user's own.
        if elsewhere.is_none() && users.contains(name) {
            continue;
        }
        let mend = match elsewhere {
            Some((_, mend)) => (*mend).to_owned(),
            None => {
                did_you_mean(nearest(name, config.known_names()), "correct the name, or remove the setting")
            }
        };
        let why = "nothing reads it, and no program says so: what it should do is not done";
        report.warning(&setting.spot, "unknown parameter".to_owned(), why, &mend);
    }
}

/// Parameters that have another name now.
pub(crate) fn deprecated(config: &Config, report: &mut Report) {
    for (_, setting) in config.effective() {
        let Some(instead) = alternative(&setting.name) else { continue };
        if is_known(config, &setting.name) {
            let why = "it still works, but a later release will not know it";
            report.note(&setting.spot, "deprecated parameter".to_owned(), why, &instead);
        } else {
            let why = "nothing reads it any more";
            report.warning(&setting.spot, "removed parameter".to_owned(), why, &instead);
        }
    }
}

/// `$name` of something that is neither declared nor set.
pub(crate) fn undefined(config: &Config, report: &mut Report) {
    for (scope, setting) in config.effective() {
        if is_raw(config, &setting.name) {
            continue;
        }
        for name in mentioned(&setting.value) {
            let is_set = scope.main.is_set(&name)
                || config
                    .services
                    .iter()
                    .any(|service| service.settings.iter().any(|other| other.name == name));
            if is_set || config.registry.nodes.contains_key(&name) {
                continue;
            }
            let mend = did_you_mean(nearest(&name, config.known_names()), "correct or remove the name");
            let why = "a name without a value stands for nothing, so that part of the value is empty";
            report.warning(&setting.spot_of(&name), format!("undefined name \"${name}\""), why, &mend);
        }
    }
}

fn is_known(config: &Config, name: &str) -> bool {
    config.registry.nodes.contains_key(name)
}

fn is_raw(config: &Config, name: &str) -> bool {
    config.registry.nodes.get(name).is_some_and(|node| node.is_raw)
}

/// The names in `$name`.
fn mentioned(value: &str) -> Vec<String> {
    let mut names = Vec::new();
    if value.contains('$') {
        let note = |name: &[u8]| names.push(String::from_utf8_lossy(name).into_owned());
        drop(Expand::MAIN_CF.scan(value.as_bytes(), note));
    }
    names
}

/// The names that the configuration itself makes up: restriction classes, `$name`, and settings of database clients.
fn users_names(config: &Config) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = lists::classes(&config.global()).into_iter().collect();
    for (scope, setting) in config.effective() {
        let is_raw = is_raw(config, &setting.name);
        if setting.name == "smtpd_restriction_classes" {
            names.extend(lists::classes(&scope));
        }
        if !is_raw {
            names.extend(mentioned(&setting.value));
        }
        if is_declared(config, setting) {
            let text = scope.expand(&setting.value);
            for table in tables::in_value(&text) {
                let client = CLIENTS.iter().find(|(kind, _)| *kind == table.kind);
                let settings = client.map_or(&[][..], |(_, settings)| *settings);
                names.extend(settings.iter().map(|setting| format!("{}_{setting}", table.name)));
            }
        }
    }
    names
}

fn is_declared(config: &Config, setting: &Setting) -> bool {
    let node = config.registry.nodes.get(&setting.name);
    node.is_some_and(|node| matches!(node.origin, Origin::Builtin | Origin::Service))
        || !is_known(config, &setting.name)
}

/// Names that old guides have, and what became of them; `*` stands for any end.
const OTHERS: &[(&str, &str)] = &[
    ("program_directory", "remove it; \"daemon_directory\" and \"command_directory\" say where programs are"),
    (
        "smtpd_bind_address",
        "remove it; the address stands before the port in the service's name in master.cf",
    ),
    ("virtual_create_maildirsize", QUOTA_PATCH),
    ("virtual_mailbox_extended", QUOTA_PATCH),
    ("virtual_mailbox_limit_*", QUOTA_PATCH),
    ("virtual_maildir_*", QUOTA_PATCH),
    ("virtual_overquota_bounce", QUOTA_PATCH),
    ("virtual_trash_*", QUOTA_PATCH),
];

const QUOTA_PATCH: &str = "it belongs to a patch for quotas (VDA); leave quotas to the program that keeps the mailboxes, by LMTP or pipe";

#[cfg(test)]
mod tests {
    use crate::lint::testing::{MASTER, findings, lines};

    fn mends(main: &str, master: &str) -> Vec<String> {
        let findings = findings("unknown-parameter", main, master);
        findings.iter().map(|finding| format!("{}: {}", finding.spot.subject, finding.mend)).collect()
    }

    #[test]
    fn misspelt_names() {
        assert_eq!(
            mends(
                "smtpd_sender_restriction = x\nprogram_directory = /x\nmy_own = 1\n",
                "a inet n - n - - smtpd -o mynetwork=1\n"
            ),
            [
                "smtpd_sender_restriction: did you mean \"smtpd_sender_restrictions\"?",
                "program_directory: remove it; \"daemon_directory\" and \"command_directory\" say where programs are",
                "my_own: correct the name, or remove the setting",
                "a/inet/mynetwork: did you mean \"mynetworks\"?",
            ]
        );
    }

    #[test]
    fn names_of_the_users() {
        let main = "mine = permit_mynetworks\nsmtpd_restriction_classes = mine\nours = 1\nmyorigin = $ours\n\
                    slow_destination_rate_delay = 1s\nvirtual_alias_maps = mysql:a\na_dbname = x\nfallback_relay = y\n";
        assert!(mends(main, "slow unix - - n - - smtp\n b unix - - n - - smtp\n").is_empty());
        let master = "a unix - - n - - smtp -o syslog_name=$far -o far=1\n";
        assert!(mends("", master).is_empty());
    }

    #[test]
    fn older_names() {
        let main = "smtpd_use_tls = yes\ndeleted-test-only = no\n";
        assert_eq!(
            lines("deprecated-parameter", main, MASTER),
            ["note 1 smtpd_use_tls: deprecated parameter", "warning 2 deleted-test-only: removed parameter"]
        );
        assert!(lines("deprecated-parameter", "smtpd_tls_security_level = may\n", MASTER).is_empty());
    }

    #[test]
    fn names_without_a_value() {
        let main =
            "myorigin = $mydomian\nmynetworks = 10.0.0.1,\n $mine\nmynetworks_style = ${stress?host}\n";
        assert_eq!(
            lines("undefined-name", main, MASTER),
            [
                "warning 1 myorigin: undefined name \"$mydomian\"",
                "warning 3 mynetworks: undefined name \"$mine\""
            ]
        );
        assert!(
            lines(
                "undefined-name",
                "mailbox_command = x $USER
forward_path = $home/x
",
                MASTER
            )
            .is_empty()
        );
    }
}
