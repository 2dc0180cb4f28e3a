//! Restriction lists, with what belongs to each restriction.

use super::config::{Config, Scope};
use bytes::list::{SEPARATORS, split, split_braced};
use conf::restriction::Name;

/// The lists of the SMTP server, in the order in which they are used.
pub(crate) const LISTS: [&str; 8] = [
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
    "smtpd_data_restrictions",
    "smtpd_end_of_data_restrictions",
    "smtpd_etrn_restrictions",
];

/// A restriction with its argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// As written.
    pub(crate) word: String,
    pub(crate) what: What,
    /// The table, domain, server or number that follows.
    pub(crate) argument: Option<String>,
    /// After `warn_if_reject`: it rejects nobody.
    pub(crate) only_warns: bool,
}

/// What a word of a list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Known(Name),
    /// The name of another list.
    Class,
    /// A table without a restriction before it.
    Table,
    Unknown,
}

impl Step {
    /// The known restriction.
    pub(crate) fn name(&self) -> Option<Name> {
        match self.what {
            What::Known(name) => Some(name),
            _ => None,
        }
    }

    /// Whether nothing after it is ever looked at.
    pub(crate) fn is_final(&self) -> bool {
        let ends = matches!(self.name(), Some(Name::Permit | Name::Reject | Name::Defer));
        ends && !(self.only_warns && self.name() != Some(Name::Permit))
    }
}

/// The names of the restriction classes.
pub(crate) fn classes(scope: &Scope<'_>) -> Vec<String> {
    split(&scope.text("smtpd_restriction_classes"), SEPARATORS).map(str::to_owned).collect()
}

/// A list as an SMTP server has it.
#[derive(Debug)]
pub(crate) struct List<'a> {
    pub(crate) scope: Scope<'a>,
    /// The parameter.
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
}

/// All lists of all SMTP servers, also those of restriction classes.
pub(crate) fn all(config: &Config) -> Vec<List<'_>> {
    let mut all = Vec::new();
    for scope in config.smtpd_scopes() {
        let classes = classes(&scope);
        for name in LISTS.iter().map(|name| (*name).to_owned()).chain(classes.clone()) {
            let steps = steps(&scope.text(&name), &classes);
            let scope = Scope { main: scope.main.clone(), ..scope };
            all.push(List { scope, name, steps });
        }
    }
    all
}

/// The restrictions of a list.
pub(crate) fn steps(list: &str, classes: &[String]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut only_warns = false;
    let mut words = split_braced(list, SEPARATORS).peekable();
    while let Some(word) = words.next() {
        let what = match Name::parse(word) {
            Some(Name::WarnIfReject) => {
                only_warns = true;
                continue;
            }
            Some(name) => What::Known(name),
            None if classes.iter().any(|class| class == word) => What::Class,
            None if word.contains(':') || word.starts_with('{') => What::Table,
            None => What::Unknown,
        };
        let argument = match what {
            What::Known(name) if takes(name) != Takes::Nothing => {
                words.next_if(|next| Name::parse(next).is_none()).map(str::to_owned)
            }
            _ => None,
        };
        steps.push(Step { word: word.to_owned(), what, argument, only_warns });
        only_warns = false;
    }
    steps
}

/// What must follow a restriction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    Table,
    Domain,
    Server,
    Number,
}

/// What must follow this restriction.
pub(crate) fn takes(name: Name) -> Takes {
    let text = name.text();
    match name {
        Name::CheckPolicyService => Takes::Server,
        Name::Sleep => Takes::Number,
        Name::RejectRblClient | Name::PermitDnswlClient | Name::PermitRhswlClient => Takes::Domain,
        _ if text.starts_with("reject_rhsbl_") => Takes::Domain,
        _ if text.starts_with("check_") && text.ends_with("_access") => Takes::Table,
        _ => Takes::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restrictions_and_arguments() {
        let steps = steps(
            "permit_mynetworks, warn_if_reject reject_rbl_client bl.example, check_sender_access hash:/a mine hash:/b \
             reject_unauth_destinaton check_helo_access permit",
            &["mine".to_owned()],
        );
        let shown: Vec<_> = steps
            .iter()
            .map(|step| {
                format!("{} {} {}", step.word, step.argument.as_deref().unwrap_or("-"), step.only_warns)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "permit_mynetworks - false",
                "reject_rbl_client bl.example true",
                "check_sender_access hash:/a false",
                "mine - false",
                "hash:/b - false",
                "reject_unauth_destinaton - false",
                "check_helo_access - false",
                "permit - false"
            ]
        );
        assert_eq!(steps[3].what, What::Class);
        assert_eq!(steps[4].what, What::Table);
        assert_eq!(steps[5].what, What::Unknown);
        assert!(steps[7].is_final() && !steps[0].is_final());
    }
}
