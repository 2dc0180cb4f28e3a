//! The registry against itself, and against a table of the reference's parameters where that is at hand.

use super::{all, computed, default_text, legacy};
use crate::{Kind, MainCf, Spec, values};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Names, kinds, defaults and bounds as extracted from the reference's sources (one release later than ours,
/// with C constants unresolved) and the defaults its Debian package prints (some releases earlier).
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/facts/parameters.tsv");

/// Defaults that neither column of the table has, and why.
const OTHER_DEFAULT: &[(&str, &str)] = &[
    ("alias_database", "3.11 mentions $default_database_type"),
    ("alias_maps", "3.11 mentions $default_database_type; NIS is not supported"),
    ("default_cache_db_type", "new since 3.7; the table has a C constant"),
    ("lmtp_log_tls_feature_status", "log lines change with compatibility level 3.11 only"),
    ("mail_release_date", "our release"),
    ("mail_version", "our release"),
    ("mydomain", "found out at run time"),
    ("myhostname", "found out at run time"),
    ("mynetworks", "found out at run time"),
    ("non_bdb_migration_level", "new since 3.7; the table has a C constant"),
    ("non_empty_end_of_header_action", "new since 3.7; the table has a C constant"),
    ("process_id", "found out at run time"),
    ("process_name", "found out at run time"),
    ("proxy_read_maps", "grew after 3.7, and again after 3.11"),
    ("service_name", "shown as read-only in the table"),
    ("smtp_log_tls_feature_status", "log lines change with compatibility level 3.11 only"),
    ("tls_high_cipherlist", "3.11 excludes more; the table has a C constant"),
    ("tls_medium_cipherlist", "3.11 excludes more; the table has a C constant"),
    ("tls_null_cipherlist", "3.11 excludes more; the table has a C constant"),
    ("tlsproxy_client_policy_maps", "3.11 has another form; the table has a C constant"),
    ("tlsproxy_client_security_level", "3.11 has another form; the table has a C constant"),
];

/// Names of the table that are no parameters of ours, and why. A `*` stands for any ending.
const NOT_OURS: &[(&str, &str)] = &[
    ("seconds", "from a test program"),
    ("minutes", "from a test program"),
    ("hours", "from a test program"),
    ("days", "from a test program"),
    ("weeks", "from a test program"),
    ("domain_to_ascii", "a function in $name expressions"),
    ("lmtp_tls_loglevel_maps", "3.12"),
    ("lmtp_tls_trace_size_limit", "3.12"),
    ("postscreen_starttls_timeout", "3.12"),
    ("postscreen_tls_*", "3.12"),
    ("smtp_tls_loglevel_maps", "3.12"),
    ("smtp_tls_trace_size_limit", "3.12"),
    ("smtpd_tls_loglevel_maps", "3.12"),
    ("smtpd_tls_trace_size_limit", "3.12"),
    ("socketmap_max_query_size", "3.12"),
    ("tls_trace_rate_limit", "3.12"),
    ("tls_trust_server_ccerts", "3.12"),
    ("enable_errors_to", "documented, gone before 3.11"),
    ("lmtp_cache_connection", "documented, gone before 3.11"),
    ("sender_based_routing", "documented, gone before 3.11"),
    ("smtp_skip_4xx_greeting", "documented, gone before 3.11"),
    ("smtp_tls_cipherlist", "documented, gone before 3.11"),
    ("smtpd_sasl_application_name", "documented, gone before 3.11"),
    ("smtpd_tls_cipherlist", "documented, gone before 3.11"),
    ("tls_dane_digest_agility", "documented, gone before 3.11"),
    ("tls_dane_trust_anchor_digest_enable", "documented, gone before 3.11"),
    ("tls_legacy_public_key_fingerprints", "documented, gone before 3.11"),
    ("tlsproxy_tls_session_cache_timeout", "documented, gone before 3.11"),
];

/// Endings of names that are made from master.cf, one for each transport.
const PER_TRANSPORT: &[&str] = &[
    "_delivery_slot_cost",
    "_delivery_slot_discount",
    "_delivery_slot_loan",
    "_destination_concurrency_failed_cohort_limit",
    "_destination_concurrency_limit",
    "_destination_concurrency_negative_feedback",
    "_destination_concurrency_positive_feedback",
    "_destination_rate_delay",
    "_destination_recipient_limit",
    "_extra_recipient_limit",
    "_initial_destination_concurrency",
    "_minimum_delivery_slots",
    "_recipient_limit",
    "_recipient_refill_delay",
    "_recipient_refill_limit",
    "_time_limit",
    "_transport_rate_delay",
];

/// Names that the table lacks, since its maker looked for lower case only.
const TABLE_LACKS: &[&str] = &["_CAfile", "_CApath", "_CA"];

#[test]
fn names_are_unique_and_sorted() {
    let names: Vec<_> = all().iter().map(|declaration| declaration.name).collect();
    for pair in names.windows(2) {
        assert!(pair[0] < pair[1], "{} before {}", pair[0], pair[1]);
    }
    for name in legacy::NAMES {
        assert!(!names.contains(&name.name), "{} is both declared and legacy", name.name);
        let successor = all().iter().find(|declaration| declaration.name == name.successor);
        let default = successor.map(|declaration| declaration.default).unwrap_or_default();
        assert!(default.contains(name.name), "{} does not mention {}", name.successor, name.name);
    }
}

#[test]
fn lmtp_mirrors_smtp() {
    let mirror = |rest| super::lmtp_mirror(rest).map(|spec| spec.name);
    assert_eq!(mirror("connect_timeout"), Some("lmtp_connect_timeout"));
    assert_eq!(mirror("helo_name"), Some("lmtp_lhlo_name"));
    assert_eq!(mirror("discard_ehlo_keywords"), Some("lmtp_discard_lhlo_keywords"));
    assert_eq!(mirror("never_send_ehlo"), None);
}

#[test]
fn every_parameter_has_prose() {
    for declaration in all() {
        let prose = declaration.doc.trim();
        assert!(prose.ends_with('.'), "{}: {prose}", declaration.name);
    }
}

#[test]
fn literal_defaults_pass_their_own_checks() {
    let main = MainCf::default();
    for declaration in all() {
        let spec = declaration.spec;
        if spec.default.contains('$') || spec.computed.is_some() || may_be_unset(spec) {
            continue;
        }
        let outcome = match spec.kind {
            Kind::Str => values::text(&main, spec).map(drop),
            Kind::Raw => values::raw(&main, spec).map(drop),
            Kind::Int | Kind::Nint => values::int(&main, spec).map(drop),
            Kind::Long => values::long(&main, spec).map(drop),
            Kind::Time => values::time(&main, spec).map(drop),
            Kind::Bool | Kind::Nbool => values::boolean(&main, spec).map(drop),
        };
        assert!(outcome.is_ok(), "{}: {outcome:?}", spec.name);
    }
}

/// The program that needs it insists on a value; there is no useful default.
fn may_be_unset(spec: &Spec) -> bool {
    spec.name == "virtual_mailbox_base"
}

#[test]
fn names_in_defaults_are_known() {
    let known: BTreeSet<_> = all().iter().map(|declaration| declaration.name).collect();
    let legacy: BTreeSet<_> = legacy::NAMES.iter().map(|legacy| legacy.name).collect();
    // Values of the moment, set by the program that expands the text.
    let momentary = [
        "domain_to_ascii",
        "domain",
        "extension",
        "home",
        "local",
        "rbl_class",
        "rbl_code",
        "rbl_domain",
        "rbl_reason",
        "rbl_what",
        "recipient",
        "user",
    ];
    for declaration in all() {
        for name in mentioned(declaration.default) {
            assert!(
                known.contains(name) || legacy.contains(name) || momentary.contains(&name),
                "{} mentions ${name}",
                declaration.name
            );
        }
    }
}

/// The names that follow a dollar sign.
fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).filter_map(|rest| {
        let rest = rest.trim_start_matches(['{', '(']);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest.get(..end).filter(|name| !name.is_empty())
    })
}

struct Row {
    kind: String,
    default: String,
    min: String,
    max: String,
    packaged: String,
}

#[test]
fn names_and_defaults_agree_with_the_reference() {
    let Ok(table) = std::fs::read_to_string(Path::new(TABLE)) else {
        println!("skipped: no table of the reference's parameters beside this tree");
        return;
    };
    let rows: BTreeMap<&str, Row> = table.lines().skip(1).filter_map(row).collect();
    let mut problems = Vec::new();
    for declaration in all() {
        match rows.get(declaration.name) {
            Some(row) => problems.extend(differences(declaration.spec, row)),
            None if TABLE_LACKS.iter().any(|ending| declaration.name.ends_with(ending)) => {}
            None => problems.push(format!("{}: not in the table", declaration.name)),
        }
    }
    for name in rows.keys() {
        if !all().iter().any(|declaration| declaration.name == *name) && !accounted_for(name) {
            problems.push(format!("{name}: not declared"));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

fn row(line: &str) -> Option<(&str, Row)> {
    let columns: Vec<&str> = line.split('\t').collect();
    let column = |index: usize| columns.get(index).map(|text| text.trim().to_owned()).unwrap_or_default();
    let kind = column(1);
    let default = match (kind.as_str(), column(2).as_str()) {
        ("bool", "0") => "no".to_owned(),
        ("bool", "1") => "yes".to_owned(),
        (_, text) => text.to_owned(),
    };
    Some((columns.first()?, Row { kind, default, min: column(3), max: column(4), packaged: column(8) }))
}

fn differences(spec: &Spec, row: &Row) -> Vec<String> {
    let mut problems = Vec::new();
    let excused = OTHER_DEFAULT.iter().any(|(name, _)| *name == spec.name);
    let agrees = spec.default == row.default || spec.default == row.packaged;
    if agrees == excused {
        problems.push(format!("{}: default {:?}, excused: {excused}", spec.name, spec.default));
    }
    let kind = format!("{:?}", spec.kind).to_lowercase();
    if !row.kind.is_empty() && row.kind != kind {
        problems.push(format!("{}: {kind}, not {}", spec.name, row.kind));
    }
    for (ours, theirs) in [(spec.min, &row.min), (spec.max, &row.max)] {
        // A C constant, or no bound known.
        let Ok(theirs) = theirs.parse::<i64>() else { continue };
        if !row.kind.is_empty() && ours.unwrap_or(0) != theirs {
            problems.push(format!("{}: bound {ours:?}, not {theirs}", spec.name));
        }
    }
    problems
}

fn accounted_for(name: &str) -> bool {
    NOT_OURS.iter().any(|(pattern, _)| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => *pattern == name,
    }) || PER_TRANSPORT.iter().any(|ending| name.ends_with(ending))
        || legacy::NAMES.iter().any(|legacy| legacy.name == name)
}

#[test]
fn every_default_is_found_by_name() {
    for declaration in all() {
        assert_eq!(default_text(declaration.name), Some(declaration.default), "{}", declaration.name);
        let found = computed(declaration.name).is_some_and(|(name, _)| name == declaration.name);
        assert_eq!(found, declaration.computed.is_some(), "{}", declaration.name);
    }
    assert_eq!(default_text("no_such_name"), None);
}
