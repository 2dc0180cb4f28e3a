//! Who may send mail through this host to anywhere.

use crate::lint::config::{Config, Scope, Service};
use crate::lint::lists::{self, Step, What};
use crate::lint::report::{Report, Spot};
use crate::lint::tables::{self, Row};
use bytes::list::{SEPARATORS, split};
use conf::restriction::Name;

/// Restrictions that keep strangers from relaying, where they work.
const WALLS: [Name; 6] = [
    Name::RejectUnauthDestination,
    Name::DeferUnauthDestination,
    Name::Reject,
    Name::Defer,
    Name::DeferIfPermit,
    Name::CheckRelayDomains,
];

const RELAY_LISTS: [&str; 2] = ["smtpd_relay_restrictions", "smtpd_recipient_restrictions"];

/// Neither list has anything that keeps strangers out: the server refuses to run.
pub(crate) fn no_control(config: &Config, report: &mut Report) {
    for scope in config.smtpd_scopes() {
        if RELAY_LISTS.iter().any(|list| has_wall(&scope, &scope.text(list), DEPTH)) {
            continue;
        }
        let what = "neither list has a working reject_unauth_destination or the like".to_owned();
        let why = "smtpd ends at each connection with \"fatal: in parameter smtpd_relay_restrictions or \
                   smtpd_recipient_restrictions, specify at least one working instance of: reject_unauth_destination, ...\"";
        let mend = "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination";
        let set = RELAY_LISTS.iter().find(|list| scope.setting(list).is_some());
        let spot = set.map_or_else(|| config.global().spot(RELAY_LISTS[0]), |list| scope.spot(list));
        report.error(&spot, what, why, mend);
    }
}

/// Restriction classes within one another.
const DEPTH: usize = 10;

/// Whether a list comes to a wall, as the server itself looks for it.
fn has_wall(scope: &Scope<'_>, list: &str, depth: usize) -> bool {
    for step in lists::steps(list, &lists::classes(scope)) {
        match step.name() {
            _ if step.only_warns => {}
            Some(Name::Permit) => return false,
            Some(name) if WALLS.contains(&name) => return true,
            _ if step.what == What::Class
                && depth > 0
                && has_wall(scope, &scope.text(&step.word), depth - 1) =>
            {
                return true;
            }
            _ => {}
        }
    }
    false
}

/// Something that a stranger can make come true permits before the wall of the only list that has one.
pub(crate) fn open(config: &Config, report: &mut Report) {
    for scope in config.smtpd_scopes() {
        if scope.service.is_some_and(|service| is_for_this_host(&scope, service)) {
            continue;
        }
        let mut leaks = Vec::new();
        let mut has_whole_wall = false;
        for list in RELAY_LISTS {
            if !has_wall(&scope, &scope.text(list), DEPTH) {
                continue;
            }
            let found = leaks_of(&scope, list);
            has_whole_wall |= found.is_empty();
            leaks.extend(found);
        }
        if has_whole_wall {
            continue;
        }
        for leak in leaks {
            report.add(
                leak.severity,
                &leak.spot,
                leak.what,
                leak.why,
                "put it after reject_unauth_destination",
            );
        }
    }
}

struct Leak {
    severity: crate::lint::report::Severity,
    spot: Spot,
    what: String,
    why: &'static str,
}

/// What permits strangers before the wall of a list.
fn leaks_of(scope: &Scope<'_>, list: &str) -> Vec<Leak> {
    let steps = lists::steps(&scope.text(list), &lists::classes(scope));
    let is_wall = |step: &Step| step.name().is_some_and(|name| WALLS.contains(&name)) && !step.only_warns;
    let before = steps.iter().take_while(|step| !is_wall(step));
    before.filter_map(|step| leak(scope, list, step)).collect()
}

fn leak(scope: &Scope<'_>, list: &str, step: &Step) -> Option<Leak> {
    use crate::lint::report::Severity::{Error, Warning};
    let name = step.name()?;
    let argument = step.argument.as_deref().unwrap_or_default();
    let spot = scope.spot_of(list, if argument.is_empty() { &step.word } else { argument });
    let before = format!("\"{} {argument}\"", step.word);
    let (severity, what, why) = match name {
        Name::CheckSenderAccess | Name::CheckHeloAccess | Name::CheckReverseClientAccess => {
            let why = "whoever claims the address or name in it may send anywhere through this host";
            match permitting(&scope.expand(argument)) {
                Some(None) => return None,
                Some(Some(key)) => {
                    (Error, format!("{before} permits \"{key}\" before reject_unauth_destination"), why)
                }
                None => (Warning, format!("an OK in {before} comes before reject_unauth_destination"), why),
            }
        }
        Name::CheckPolicyService => {
            let why = "an OK of the server lets the client send anywhere through this host";
            (Warning, format!("{before} comes before reject_unauth_destination"), why)
        }
        Name::PermitDnswlClient | Name::PermitRhswlClient => {
            let why = "every host of that list may send anywhere through this host";
            (Error, format!("{before} comes before reject_unauth_destination"), why)
        }
        Name::PermitTlsAllClientcerts => {
            let why =
                "everybody with a certificate of any trusted authority may send anywhere through this host";
            (Warning, format!("\"{}\" comes before reject_unauth_destination", step.word), why)
        }
        _ => return None,
    };
    Some(Leak { severity, spot, what, why })
}

/// The key of an entry that permits; nothing when the tables cannot be read here.
fn permitting(argument: &str) -> Option<Option<String>> {
    for table in tables::in_value(argument) {
        let found = table.rows()?.into_iter().find(permits);
        if let Some(Row { key, .. }) = found {
            return Some(Some(key));
        }
    }
    Some(None)
}

fn permits(row: &Row) -> bool {
    let word = row.value.split([',', ' ', '\t']).find(|word| !word.is_empty()).unwrap_or_default();
    let is_code = word.len() == 3 && word.starts_with(['4', '5']);
    let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    word.eq_ignore_ascii_case("ok") || word.eq_ignore_ascii_case("permit") || (is_number && !is_code)
}

/// Whether only this host itself can connect.
fn is_for_this_host(scope: &Scope<'_>, service: &Service) -> bool {
    let name = service.entry.field(0);
    let host = name.rsplit_once(':').map(|(host, _)| host.trim_matches(['[', ']']).to_owned());
    let interfaces = scope.text("inet_interfaces");
    let is_local = |host: &str| {
        host.starts_with("127.") || host == "::1" || host == "localhost" || host == "loopback-only"
    };
    match (service.entry.field(1), host) {
        ("inet", Some(host)) => is_local(&host),
        ("inet", None) => split(&interfaces, SEPARATORS).all(is_local),
        _ => false,
    }
}

/// `permit_mynetworks` with networks of strangers, and `relay_domains` of everybody.
pub(crate) fn wide_networks(config: &Config, report: &mut Report) {
    for scope in config.smtpd_scopes() {
        if scope.service.is_some_and(|service| is_for_this_host(&scope, service)) {
            continue;
        }
        let is_used = RELAY_LISTS.iter().any(|list| scope.text(list).contains("permit_mynetworks"));
        if is_used {
            for network in split(&scope.text("mynetworks"), SEPARATORS).filter(|network| is_wide(network)) {
                let why = "all of these addresses may send anywhere through this host: it is an open relay";
                let spot = scope.spot_of("mynetworks", network);
                report.error(
                    &spot,
                    format!("\"{network}\" is in mynetworks"),
                    why,
                    "list your own networks only",
                );
            }
            if scope.setting("mynetworks").is_none() && scope.text("mynetworks_style") == "class" {
                let why = "it trusts the whole class A, B or C network, most of which belongs to others";
                report.warning(
                    &scope.spot("mynetworks_style"),
                    "trusts strangers".to_owned(),
                    why,
                    "set mynetworks",
                );
            }
        }
        if let Some(table) =
            tables::in_value(&scope.text("relay_domains")).iter().find(|table| table.kind == "static")
        {
            let why = "every domain is one that this host relays to: it is an open relay";
            let spot = scope.spot("relay_domains");
            report.error(
                &spot,
                format!("\"{}\" matches every domain", table.title()),
                why,
                "list the domains",
            );
        }
    }
}

/// A network larger than any one owner's, other than the loopback network.
fn is_wide(network: &str) -> bool {
    let Some((address, bits)) = network.rsplit_once('/') else {
        return matches!(network, "static:all" | "0.0.0.0");
    };
    let Ok(bits) = bits.parse::<u8>() else { return false };
    let is_private = ["10.", "127.", "[fc", "[fd", "[fe8"].iter().any(|start| address.starts_with(start));
    let least = if address.contains(':') { 16 } else { 8 };
    bits < least && !(is_private && bits >= 7) && !network.starts_with('!')
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::{MASTER, lines};

    #[test]
    fn without_control() {
        assert_eq!(lines("no-relay-control", "", MASTER).len(), 1);
        assert!(lines("no-relay-control", "", "smtp unix - - n - - smtp\n").is_empty());
        assert!(lines("no-relay-control", "compatibility_level = 2\n", MASTER).is_empty());
        let permit = "smtpd_recipient_restrictions = permit_mynetworks, permit, reject_unauth_destination\n";
        assert_eq!(
            lines("no-relay-control", permit, MASTER),
            [
                "error 1 smtpd_recipient_restrictions: neither list has a working reject_unauth_destination or the like"
            ]
        );
        let class = "smtpd_restriction_classes = mine\nmine = permit_mynetworks, reject\nsmtpd_relay_restrictions = mine\n";
        assert!(lines("no-relay-control", class, MASTER).is_empty());
        let master =
            "smtp inet n - n - - smtpd\n25 inet n - n - - smtpd\n -o smtpd_relay_restrictions=permit\n";
        let main = "smtpd_relay_restrictions = reject_unauth_destination\n";
        assert_eq!(lines("no-relay-control", main, master).len(), 1);
    }

    #[test]
    fn leaks() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "bad@example.com REJECT\n").unwrap();
        let main = format!(
            "smtpd_recipient_restrictions = check_sender_access hash:{},\n reject_unauth_destination\n",
            file.path().display()
        );
        assert!(lines("open-relay", &main, MASTER).is_empty());
        std::fs::write(file.path(), "bad@example.com REJECT\nme@example.com OK\n").unwrap();
        let found = lines("open-relay", &main, MASTER);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("error 1 ") && found[0].contains("permits \"me@example.com\""),
            "{found:?}"
        );
        let walled =
            format!("{main}smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n");
        assert!(lines("open-relay", &walled, MASTER).is_empty());
        let unread =
            "smtpd_recipient_restrictions = check_sender_access mysql:/x, reject_unauth_destination\n";
        assert!(lines("open-relay", unread, MASTER)[0].starts_with("warning 1 "));
        let after =
            "smtpd_recipient_restrictions = reject_unauth_destination, check_sender_access mysql:/x\n";
        assert!(lines("open-relay", after, MASTER).is_empty());
        let local = "127.0.0.1:10025 inet n - n - - smtpd\n";
        assert!(lines("open-relay", unread, local).is_empty());
        let policy =
            "smtpd_relay_restrictions = check_policy_service unix:p, permit_dnswl_client x.example, reject\n";
        assert_eq!(lines("open-relay", policy, MASTER).len(), 2);
    }

    #[test]
    fn networks() {
        let main = |networks: &str| {
            format!("smtpd_relay_restrictions = permit_mynetworks, reject\nmynetworks = {networks}\n")
        };
        assert_eq!(
            lines("wide-mynetworks", &main("127.0.0.0/8,\n 0.0.0.0/0 [::]/0"), MASTER),
            [
                "error 3 mynetworks: \"0.0.0.0/0\" is in mynetworks",
                "error 3 mynetworks: \"[::]/0\" is in mynetworks"
            ]
        );
        let fine =
            "127.0.0.0/8 10.0.0.0/8 [::1]/128 [::ffff:127.0.0.0]/104 [fe80::]/10 192.168.0.0/16 hash:/x";
        assert_eq!(lines("wide-mynetworks", &main(fine), MASTER), [] as [&str; 0]);
        assert_eq!(lines("wide-mynetworks", "relay_domains = static:all\n", MASTER).len(), 1);
    }
}
