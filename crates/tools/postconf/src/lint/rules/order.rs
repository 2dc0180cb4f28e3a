//! Restrictions that never act: after the end of the decision, or without what they look at.

use crate::lint::config::{Config, Scope};
use crate::lint::lists::{self, Step};
use crate::lint::report::Report;
use conf::restriction::Name;

/// Restrictions after one that always decides.
pub(crate) fn unreachable(config: &Config, report: &mut Report) {
    for list in lists::all(config) {
        let Some(end) = list.steps.iter().position(Step::is_final) else { continue };
        let (Some(last), Some(after)) = (list.steps.get(end), list.steps.get(end + 1)) else { continue };
        let spot = list.scope.spot_of(&list.name, &after.word);
        let what = format!("\"{}\" comes after \"{}\"", after.word, last.word);
        let why = "the decision is made there, so nothing after it is ever looked at";
        report.warning(&spot, what, why, &format!("put it before \"{}\", or remove it", last.word));
    }
}

/// Restrictions that can never match. A list of main.cf that several servers share is right when it works in one.
pub(crate) fn idle(config: &Config, report: &mut Report) {
    let lists = lists::all(config);
    for list in &lists {
        for (at, step) in list.steps.iter().enumerate() {
            let Some(name) = step.name() else { continue };
            let earlier = list.steps.get(..at).unwrap_or_default();
            let spot = list.scope.spot_of(&list.name, &step.word);
            let is_shared = |other: &&lists::List<'_>| {
                other.name == list.name && other.scope.spot(&list.name) == list.scope.spot(&list.name)
            };
            let without = |list: &lists::List<'_>| without_means(&list.scope, &list.name, name);
            let rejects = |other: &Step, name| other.name() == Some(name) && !other.only_warns;
            if let Some(other) =
                shadowing(name).filter(|other| earlier.iter().any(|step| rejects(step, *other)))
            {
                let what = format!("\"{}\" after \"{}\" never matches", step.word, other.text());
                let why = "what it would reject was rejected before";
                report.note(&spot, what, why, "put it first, if its reply matters, or remove it");
            } else if let Some((why, mend)) =
                without(list).filter(|_| lists.iter().filter(is_shared).all(|other| without(other).is_some()))
            {
                report.warning(&spot, format!("\"{}\" never matches", step.word), why, mend);
            } else if earlier.contains(step) {
                let what = format!("\"{}\" stands here twice", step.word);
                report.note(&spot, what, "the second one never finds anything new", "remove one of the two");
            }
        }
    }
}

/// The restriction that rejects all that this one would.
fn shadowing(name: Name) -> Option<Name> {
    Some(match name {
        Name::RejectInvalidHeloHostname => Name::RejectNonFqdnHeloHostname,
        Name::RejectUnknownReverseClientHostname => Name::RejectUnknownClientHostname,
        _ => return None,
    })
}

/// Why a restriction has nothing to work on, and what it needs.
fn without_means(scope: &Scope<'_>, list: &str, name: Name) -> Option<(&'static str, &'static str)> {
    let asks = || scope.is_on("smtpd_tls_ask_ccert") || scope.is_on("smtpd_tls_req_ccert");
    match name {
        Name::PermitTlsClientcerts if scope.text("relay_clientcerts").is_empty() => {
            Some(("relay_clientcerts is empty", "list the fingerprints of certificates in relay_clientcerts"))
        }
        Name::PermitTlsClientcerts | Name::PermitTlsAllClientcerts | Name::CheckCcertAccess if !asks() => {
            Some(("clients are not asked for a certificate", "set smtpd_tls_ask_ccert = yes"))
        }
        Name::RejectSenderLoginMismatch
        | Name::RejectAuthenticatedSenderLoginMismatch
        | Name::RejectKnownSenderLoginMismatch
        | Name::RejectUnauthenticatedSenderLoginMismatch
            if !scope.is_on("smtpd_sasl_auth_enable") =>
        {
            Some((
                "clients cannot log in here: smtpd_sasl_auth_enable is off",
                "remove it, or turn logins on",
            ))
        }
        Name::RejectSenderLoginMismatch | Name::RejectKnownSenderLoginMismatch
            if scope.text("smtpd_sender_login_maps").is_empty() =>
        {
            Some((
                "smtpd_sender_login_maps is empty: no address belongs to anybody",
                "set smtpd_sender_login_maps",
            ))
        }
        _ if !scope.is_on("smtpd_delay_reject") && is_early(list, name) => Some((
            "with smtpd_delay_reject = no, the address is not known yet when this list is used",
            "move it to the list of the stage that knows it, or set smtpd_delay_reject = yes",
        )),
        _ => None,
    }
}

/// Whether what the restriction looks at comes only after the stage of the list.
fn is_early(list: &str, name: Name) -> bool {
    let stage = |text: &str| match text {
        _ if text.contains("recipient") || text.contains("_destination") => 3,
        _ if text.contains("sender") => 2,
        _ if text.contains("helo") => 1,
        _ => 0,
    };
    let of_list = match list {
        "smtpd_client_restrictions" => 0,
        "smtpd_helo_restrictions" => 1,
        "smtpd_sender_restrictions" => 2,
        _ => return false,
    };
    stage(name.text()) > of_list
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::{MASTER, lines};

    #[test]
    fn after_the_end() {
        let main = "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, permit,\n \
                    reject_rbl_client x.example\nsmtpd_relay_restrictions = warn_if_reject reject, permit\n";
        assert_eq!(
            lines("unreachable-restriction", main, MASTER),
            ["warning 2 smtpd_recipient_restrictions: \"reject_rbl_client\" comes after \"permit\""]
        );
        let fine = "smtpd_recipient_restrictions = permit_mynetworks, reject\n";
        assert!(lines("unreachable-restriction", fine, MASTER).is_empty());
    }

    #[test]
    fn without_anything_to_match() {
        let main = "smtpd_helo_restrictions = reject_non_fqdn_hostname, reject_invalid_hostname\n\
                    smtpd_relay_restrictions = permit_tls_clientcerts, permit_sasl_authenticated, reject\n\
                    smtpd_sender_restrictions = reject_sender_login_mismatch, reject_non_fqdn_sender, reject_non_fqdn_sender\n";
        assert_eq!(
            lines("idle-restriction", main, MASTER),
            [
                "note 1 smtpd_helo_restrictions: \"reject_invalid_hostname\" after \"reject_non_fqdn_helo_hostname\" never matches",
                "warning 2 smtpd_relay_restrictions: \"permit_tls_clientcerts\" never matches",
                "warning 3 smtpd_sender_restrictions: \"reject_sender_login_mismatch\" never matches",
                "note 3 smtpd_sender_restrictions: \"reject_non_fqdn_sender\" stands here twice",
            ]
        );
        let shared = "25 inet n - n - - smtpd\n587 inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes\n";
        let sender = "smtpd_sender_restrictions = reject_authenticated_sender_login_mismatch\n";
        assert!(lines("idle-restriction", sender, shared).is_empty());
        let early = "smtpd_delay_reject = no\nsmtpd_client_restrictions = check_recipient_access hash:/a\n";
        assert_eq!(lines("idle-restriction", early, MASTER).len(), 1);
        let fine = "smtpd_helo_restrictions = reject_invalid_hostname, reject_non_fqdn_hostname\n\
                    smtpd_client_restrictions = check_recipient_access hash:/a\n";
        assert!(lines("idle-restriction", fine, MASTER).is_empty());
    }
}
