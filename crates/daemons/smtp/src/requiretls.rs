//! `smtp_requiretls_policy`: how strictly REQUIRETLS is taken for a next hop.

use std::rc::Rc;

use smtp::client::RequireTls;
use table::{Env, Flags, Table};

/// The policy, parsed and opened.
pub(crate) struct RequireTlsPolicy(Vec<Item>);

enum Item {
    Level(RequireTls),
    Table(Table),
    Unknown(String),
}

/// The policy cannot be evaluated: mail waits.
#[derive(Debug)]
pub(crate) struct PolicyError;

impl RequireTlsPolicy {
    pub(crate) fn open(text: &str, env: &Rc<Env>) -> Self {
        let item = |word: &str| match level(word) {
            Some(level) => Item::Level(level),
            None if word.contains(':') => {
                Item::Table(Table::open(word, env, Flags::LOCK | Flags::FOLD_FIX | Flags::UTF8_REQUEST))
            }
            None => Item::Unknown(word.to_owned()),
        };
        Self(bytes::list::split_braced(text, bytes::list::SEPARATORS).map(item).collect())
    }

    pub(crate) async fn level(&self, nexthop: &str) -> Result<RequireTls, PolicyError> {
        let name = if nexthop.is_ascii() {
            nexthop.to_owned()
        } else {
            match address::idn::to_ascii(nexthop.as_bytes()) {
                Ok(name) => name,
                Err(_) => {
                    log::warning!(
                        "smtp_requiretls_policy: malformed next-hop destination: '{nexthop}' -- using default policy 'enforce'"
                    );
                    return Ok(RequireTls::Enforce);
                }
            }
        };
        for item in &self.0 {
            match item {
                Item::Level(level) => return Ok(*level),
                Item::Table(table) => {
                    if let Some(level) = in_table(table, &name).await? {
                        return Ok(level);
                    }
                }
                Item::Unknown(word) => {
                    log::warning!(
                        "smtp_requiretls_policy: unknown policy \"{word}\" -- ignoring remainder of policy"
                    );
                    return Err(PolicyError);
                }
            }
        }
        Ok(RequireTls::Enforce)
    }
}

async fn in_table(table: &Table, name: &str) -> Result<Option<RequireTls>, PolicyError> {
    let is_name = address::valid_hostaddr(name.as_bytes()).is_err();
    let mut key = name;
    loop {
        match table.lookup(key.as_bytes()).await {
            Ok(Some(value)) => {
                let value = String::from_utf8_lossy(&value).into_owned();
                return level(&value).map(Some).ok_or_else(|| {
                    log::warning!(
                        "table {}: bad lookup result \"{value}\" -- ignoring remainder of policy",
                        table.name()
                    );
                    PolicyError
                });
            }
            Ok(None) => {}
            Err(_) => {
                log::warning!(
                    "{}: table lookup error -- ignoring the remainder of this policy",
                    table.name()
                );
                return Err(PolicyError);
            }
        }
        // A table that wants exact keys is asked for `.parent` as well.
        match key.get(1..).and_then(|rest| rest.find('.')) {
            Some(dot) if is_name && table.flags().contains(Flags::FIXED) => {
                key = key.get(dot + 1..).unwrap_or_default()
            }
            _ => return Ok(None),
        }
    }
}

fn level(word: &str) -> Option<RequireTls> {
    match word.to_ascii_lowercase().as_str() {
        "enforce" => Some(RequireTls::Enforce),
        "opportunistic+starttls" => Some(RequireTls::OpportunisticTls),
        "opportunistic" => Some(RequireTls::Opportunistic),
        "disable" => Some(RequireTls::No),
        _ => None,
    }
}
