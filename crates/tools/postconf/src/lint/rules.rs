//! The rules. Each looks at all of the configuration, and says what it finds.

mod body;
mod chroot;
mod clients;
mod files;
mod master;
mod names;
mod network;
mod order;
mod proxies;
mod relay;
mod restrictions;
mod sizes;
mod tls;
mod transports;
mod values;

use super::config::Config;
use super::report::Report;

/// A rule and its name, which stands behind each of its findings.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) check: fn(&Config, &mut Report),
}

/// Every rule.
pub(crate) const RULES: &[Rule] = &[
    Rule { name: "broken-line", check: master::broken_lines },
    Rule { name: "broken-option", check: master::broken_options },
    Rule { name: "private-inet", check: master::private_inet },
    Rule { name: "duplicate-service", check: master::duplicate_services },
    Rule { name: "missing-program", check: master::missing_programs },
    Rule { name: "stray-argument", check: master::stray_arguments },
    Rule { name: "unknown-parameter", check: names::unknown },
    Rule { name: "deprecated-parameter", check: names::deprecated },
    Rule { name: "undefined-name", check: names::undefined },
    Rule { name: "repeated-parameter", check: values::repeated },
    Rule { name: "same-as-default", check: values::same_as_default },
    Rule { name: "comment-after-value", check: values::comments },
    Rule { name: "bad-value", check: values::bad },
    Rule { name: "unknown-restriction", check: restrictions::unknown },
    Rule { name: "removed-restriction", check: restrictions::removed },
    Rule { name: "missing-argument", check: restrictions::missing_arguments },
    Rule { name: "dead-dns-list", check: restrictions::dead_lists },
    Rule { name: "unreachable-restriction", check: order::unreachable },
    Rule { name: "idle-restriction", check: order::idle },
    Rule { name: "no-relay-control", check: relay::no_control },
    Rule { name: "open-relay", check: relay::open },
    Rule { name: "wide-mynetworks", check: relay::wide_networks },
    Rule { name: "table-type", check: files::types },
    Rule { name: "table-file", check: files::missing },
    Rule { name: "stale-index", check: files::stale },
    Rule { name: "empty-value", check: files::empty_values },
    Rule { name: "missing-file", check: files::named_files },
    Rule { name: "table-setting", check: clients::settings },
    Rule { name: "empty-result", check: clients::empty_results },
    Rule { name: "readable-password", check: clients::passwords },
    Rule { name: "unapproved-table", check: proxies::unapproved },
    Rule { name: "jailed-program", check: chroot::programs },
    Rule { name: "jailed-socket", check: chroot::sockets },
    Rule { name: "jailed-database", check: chroot::databases },
    Rule { name: "tls-not-offered", check: tls::not_offered },
    Rule { name: "tls-without-certificate", check: tls::without_certificate },
    Rule { name: "unknown-transport", check: transports::unknown },
    Rule { name: "recipient-limit", check: transports::recipient_limits },
    Rule { name: "size-limits", check: sizes::limits },
    Rule { name: "mime-part-pattern", check: body::mime_parts },
    Rule { name: "two-classes", check: network::two_classes },
    Rule { name: "banner", check: network::banner },
    Rule { name: "origin-file", check: network::origin_file },
    Rule { name: "milter-failure", check: network::milter_failure },
];
