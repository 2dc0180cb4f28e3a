//! Every parameter, by topic. A topic is a file with one [`params!`](crate::params!) in it, named below twice.

use crate::{Compute, Declaration, Param, Spec};
use std::sync::OnceLock;

/// Names each topic file once: declares the module, re-exports its parameters and lists it for postconf.
macro_rules! topics {
    ($($topic:ident),* $(,)?) => {
        $(
            #[allow(missing_docs)]
            pub mod $topic;
            #[allow(ambiguous_glob_reexports)]
            pub use $topic::*;
        )*

        fn topics() -> &'static [&'static [Declaration]] {
            static TOPICS: &[&[Declaration]] = &[$($topic::ALL),*];
            TOPICS
        }

        const NAMED_DEFAULTS: &[&str] = &[$($topic::DEFAULTS),*];
    };
}

// To add a topic, write its file and add its name here; nothing else.
topics! {
    address, anvil, bounce, cleanup, compat, content, delivery_status, flush, identity, instance, lmtp,
    local, logging, lookup, milter, paths, postscreen, process, qmgr, qmqpd, queue, requiretls, rewrite,
    services, smtp, smtp_sasl, smtp_tls, smtpd, smtpd_access, smtpd_codes, smtpd_limits, smtpd_sasl,
    smtpd_tls, submit, tls, tlsproxy, verify, virtual_mailbox,
}

pub mod legacy;

#[cfg(test)]
mod registry_tests;

/// Every declared parameter, sorted by name.
pub fn all() -> &'static [&'static Declaration] {
    static SORTED: OnceLock<Vec<&'static Declaration>> = OnceLock::new();
    SORTED.get_or_init(|| {
        let mut list: Vec<_> = topics().iter().flat_map(|topic| topic.iter()).collect();
        list.sort_by_key(|declaration| declaration.name);
        list
    })
}

/// The default of a parameter, in main.cf language, for `$name` in values.
pub(crate) fn default_text(name: &str) -> Option<&'static str> {
    for defaults in NAMED_DEFAULTS {
        let mut texts = defaults.split('\0');
        while let (Some(known), Some(default)) = (texts.next(), texts.next()) {
            if known == name {
                return Some(default);
            }
        }
    }
    None
}

/// The name of a parameter whose default is not in writing, and what finds it out.
pub(crate) fn computed(name: &str) -> Option<(&'static str, Compute)> {
    const COMPUTED: [&Spec; 5] =
        [mydomain::SPEC, myhostname::SPEC, mynetworks::SPEC, process_id::SPEC, process_name::SPEC];
    let spec = COMPUTED.iter().find(|spec| spec.name == name)?;
    Some((spec.name, spec.computed?))
}

/// The `lmtp_` parameter for what the SMTP client calls `smtp_REST`.
pub(crate) fn lmtp_mirror(rest: &str) -> Option<&'static Spec> {
    // Where the name has the greeting command in it, that differs too.
    let rest = match rest {
        "helo_name" => "lhlo_name",
        "helo_timeout" => "lhlo_timeout",
        "discard_ehlo_keywords" => "discard_lhlo_keywords",
        "discard_ehlo_keyword_address_maps" => "discard_lhlo_keyword_address_maps",
        other => other,
    };
    lmtp::SPECS.iter().copied().find(|spec| spec.name.strip_prefix("lmtp_") == Some(rest))
}
