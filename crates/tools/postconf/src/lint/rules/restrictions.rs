//! Words of restriction lists: misspelt, no longer supported, without what must follow them.

use crate::lint::config::Config;
use crate::lint::lists::{self, Takes, What, takes};
use crate::lint::nearest::{did_you_mean, nearest};
use crate::lint::report::Report;
use conf::restriction::Name;

/// Words that are no restriction.
pub(crate) fn unknown(config: &Config, report: &mut Report) {
    for list in lists::all(config) {
        for step in list.steps.iter().filter(|step| step.what == What::Unknown) {
            let names = Name::ALL.iter().map(|(name, _)| *name);
            let mend = did_you_mean(
                nearest(&step.word, names),
                "correct the name, or add it to smtpd_restriction_classes",
            );
            let why = "a client that comes as far as this word gets \"451 4.3.5 Server configuration error\"";
            let spot = list.scope.spot_of(&list.name, &step.word);
            report.error(&spot, format!("unknown restriction \"{}\"", step.word), why, &mend);
        }
    }
}

/// Restrictions that Postfix has given up, or will.
pub(crate) fn removed(config: &Config, report: &mut Report) {
    for list in lists::all(config) {
        for step in &list.steps {
            let Some((_, instead)) = REMOVED.iter().find(|(name, _)| Some(*name) == step.name()) else {
                continue;
            };
            let spot = list.scope.spot_of(&list.name, &step.word);
            if step.name() == Some(Name::PermitMxBackup) {
                let why = "whoever names this host in the MX record of a domain may relay to it; support will be removed";
                report.note(&spot, "\"permit_mx_backup\" is deprecated".to_owned(), why, instead);
                continue;
            }
            let why = "a client that comes as far as this word gets \"451 4.3.5 Server configuration error\"";
            report.error(&spot, format!("\"{}\" is no longer supported", step.word), why, instead);
        }
    }
}

const REMOVED: &[(Name, &str)] = &[
    (
        Name::PermitNakedIpAddress,
        "remove it; permit_mynetworks or permit_sasl_authenticated let your own clients in",
    ),
    (Name::RejectMapsRbl, "write reject_rbl_client with the list's domain"),
    (Name::CheckRelayDomains, "write reject_unauth_destination"),
    (Name::PermitMxBackup, "list the domains in relay_domains"),
];

/// Restrictions without the table, domain or server that must follow.
pub(crate) fn missing_arguments(config: &Config, report: &mut Report) {
    for list in lists::all(config) {
        for step in &list.steps {
            let Some(name) = step.name() else { continue };
            let argument = step.argument.as_deref();
            let missing = match takes(name) {
                Takes::Table if argument.is_none_or(|text| !text.contains(':')) => "a table, type:name",
                Takes::Domain if argument.is_none() => "the domain of a DNS list",
                Takes::Server if argument.is_none() => {
                    "a server, such as unix:private/policy or inet:host:port"
                }
                Takes::Number if argument.is_none() => "a number of seconds",
                _ => continue,
            };
            let spot = list.scope.spot_of(&list.name, &step.word);
            let why = "a client that comes as far as this word gets \"451 4.3.5 Server configuration error\"";
            let what = format!("\"{}\" is not followed by {missing}", step.word);
            report.error(&spot, what, why, &format!("add {missing}"));
        }
    }
}

/// DNS lists that are closed for good.
pub(crate) fn dead_lists(config: &Config, report: &mut Report) {
    for list in lists::all(config) {
        for step in
            list.steps.iter().filter(|step| step.name().is_some_and(|name| takes(name) == Takes::Domain))
        {
            let Some(domain) = step.argument.as_deref() else { continue };
            let zone = domain.split('=').next().unwrap_or(domain).to_ascii_lowercase();
            let is_dead = |dead: &&&str| {
                zone == **dead || zone.strip_suffix(**dead).is_some_and(|rest| rest.ends_with('.'))
            };
            if DEAD.iter().find(is_dead).is_some() {
                let spot = list.scope.spot_of(&list.name, domain);
                let why = "the list is closed: it finds nobody, slows each client down, and may one day answer for everybody";
                report.warning(&spot, format!("the DNS list {zone} no longer exists"), why, "remove it");
            }
        }
    }
}

const DEAD: &[&str] = &[
    "ordb.org",
    "sorbs.net",
    "njabl.org",
    "dsbl.org",
    "ahbl.org",
    "spamcannibal.org",
    "blitzed.org",
    "visi.com",
];

#[cfg(test)]
mod tests {
    use crate::lint::testing::{MASTER, findings, lines};

    #[test]
    fn misspelt_words() {
        let main = "smtpd_helo_restrictions = permit_nakid_ip_address,\n reject_unknown_client_hostnam\n\
                    smtpd_restriction_classes = mine\nmine = permit_foo\nsmtpd_sender_restrictions = mine hash:/a\n";
        assert_eq!(
            lines("unknown-restriction", main, MASTER),
            [
                "error 1 smtpd_helo_restrictions: unknown restriction \"permit_nakid_ip_address\"",
                "error 2 smtpd_helo_restrictions: unknown restriction \"reject_unknown_client_hostnam\"",
                "error 4 mine: unknown restriction \"permit_foo\"",
            ]
        );
        let mends: Vec<_> =
            findings("unknown-restriction", main, MASTER).into_iter().map(|one| one.mend).collect();
        assert_eq!(mends[1], "did you mean \"reject_unknown_client_hostname\"?");
        let fine = "smtpd_client_restrictions = permit_mynetworks, Reject_Unknown_Client, sleep 1\n";
        assert!(lines("unknown-restriction", fine, MASTER).is_empty());
        let master = "smtp inet n - n - - smtpd\n -o smtpd_client_restrictions=rejekt\n";
        assert_eq!(
            lines("unknown-restriction", "", master),
            ["error 2 smtp/inet/smtpd_client_restrictions: unknown restriction \"rejekt\""]
        );
    }

    #[test]
    fn given_up() {
        let main = "smtpd_helo_restrictions = permit_naked_ip_address\nsmtpd_relay_restrictions = permit_mx_backup, reject\n";
        assert_eq!(
            lines("removed-restriction", main, MASTER),
            [
                "error 1 smtpd_helo_restrictions: \"permit_naked_ip_address\" is no longer supported",
                "note 2 smtpd_relay_restrictions: \"permit_mx_backup\" is deprecated"
            ]
        );
    }

    #[test]
    fn arguments() {
        let main = "smtpd_client_restrictions = check_client_access /a, reject_rbl_client,\n reject_unauth_pipelining\n";
        assert_eq!(lines("missing-argument", main, MASTER).len(), 2);
        let fine = "smtpd_client_restrictions = check_client_access hash:/a, reject_rbl_client b, check_policy_service unix:p\n";
        assert!(lines("missing-argument", fine, MASTER).is_empty());
    }

    #[test]
    fn lists_that_are_gone() {
        let main = "smtpd_client_restrictions = reject_rbl_client relays.ordb.org,\n reject_rbl_client zen.spamhaus.org,\n \
                    reject_rbl_client dnsbl.sorbs.net=127.0.0.2\n";
        assert_eq!(
            lines("dead-dns-list", main, MASTER),
            [
                "warning 1 smtpd_client_restrictions: the DNS list relays.ordb.org no longer exists",
                "warning 3 smtpd_client_restrictions: the DNS list dnsbl.sorbs.net no longer exists"
            ]
        );
    }
}
