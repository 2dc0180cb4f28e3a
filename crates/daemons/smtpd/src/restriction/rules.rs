//! The restriction lists of main.cf, with the tables that they name.

use super::{Name, Words};
use crate::params::Settings;
use crate::policy::{Client, Options};
use crate::server::parent_style;
use conf::MainCf;
use conf::compat::is_legacy_default;
use std::collections::HashMap;
use std::rc::Rc;
use table::{Env, Flags, ListFlags, MapSearch, Maps};

/// What `smtpd_relay_restrictions` would be by today's default, to find out whom the old one lets through.
const TODAYS_RELAY: &str = "permit_mynetworks, permit_sasl_authenticated, permit_auth_destination";

/// All lists, and the tables that were opened for them.
pub(crate) struct Rules {
    pub(crate) client: Words,
    pub(crate) helo: Words,
    pub(crate) sender: Words,
    pub(crate) relay: Words,
    pub(crate) recipient: Words,
    pub(crate) data: Words,
    pub(crate) end_of_data: Words,
    pub(crate) etrn: Words,
    pub(crate) classes: HashMap<String, Words>,
    pub(crate) local_rewrite_clients: Words,
    /// By `type:table` as in the lists.
    pub(crate) tables: HashMap<String, Rc<Maps>>,
    /// Arguments of `check_ccert_access`.
    pub(crate) searches: HashMap<String, Rc<Search>>,
    /// By the argument of `check_policy_service`.
    pub(crate) policies: HashMap<String, Rc<Client>>,
    /// An entry `example.com` is for its subdomains, too.
    pub(crate) parent_domains: bool,
}

/// A table, and what is looked up in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) table: String,
    pub(crate) order: Vec<String>,
}

impl Rules {
    /// Reads the lists and opens the tables; the error is the text of a fatal log line.
    pub(crate) fn open(main: &MainCf, settings: &Settings, env: &Rc<Env>) -> Result<Rules, String> {
        let mut classes = HashMap::new();
        for name in bytes::list::split(&settings.smtpd_restriction_classes, bytes::list::SEPARATORS) {
            let value = match main.is_set(name) {
                true => main.expand(&format!("${{{name}}}")).map_err(|error| error.to_string())?,
                false => String::new(),
            };
            if value.is_empty() {
                return Err(format!("restriction class `{name}' needs a definition"));
            }
            classes.insert(name.to_owned(), Words::parse(&value));
        }
        let relay = if is_legacy_default(main, "smtpd_relay_restrictions") {
            TODAYS_RELAY
        } else {
            &settings.smtpd_relay_restrictions
        };
        let mut rules = Rules {
            client: Words::parse(&settings.smtpd_client_restrictions),
            helo: Words::parse(&settings.smtpd_helo_restrictions),
            sender: Words::parse(&settings.smtpd_sender_restrictions),
            relay: Words::parse(relay),
            recipient: Words::parse(&settings.smtpd_recipient_restrictions),
            data: Words::parse(&settings.smtpd_data_restrictions),
            end_of_data: Words::parse(&settings.smtpd_end_of_data_restrictions),
            etrn: Words::parse(&settings.smtpd_etrn_restrictions),
            classes,
            local_rewrite_clients: Words::parse(&settings.local_header_rewrite_clients),
            tables: HashMap::new(),
            searches: HashMap::new(),
            policies: HashMap::new(),
            parent_domains: parent_style(settings, "smtpd_access_maps") == ListFlags::Parent,
        };
        let lists = [
            rules.client.clone(),
            rules.helo.clone(),
            rules.sender.clone(),
            rules.relay.clone(),
            rules.recipient.clone(),
            rules.etrn.clone(),
            rules.data.clone(),
            rules.end_of_data.clone(),
            rules.local_rewrite_clients.clone(),
        ];
        let of_classes: Vec<Words> = rules.classes.values().cloned().collect();
        for list in lists.iter().chain(&of_classes) {
            rules.open_tables(list, settings, env)?;
        }
        Ok(rules)
    }

    fn open_tables(&mut self, list: &Words, settings: &Settings, env: &Rc<Env>) -> Result<(), String> {
        let mut previous = None;
        for word in list.iter() {
            let is_policy_server = previous.replace(word.name) == Some(Some(Name::CheckPolicyService));
            if is_policy_server {
                if !self.policies.contains_key(&word.text) {
                    let options = Options::parse(&word.text, settings)?;
                    self.policies.insert(word.text.clone(), Rc::new(Client::new(options)));
                }
                continue;
            }
            if !(word.text.starts_with('{') || word.text.contains(':')) {
                continue;
            }
            let Some(search) = Search::parse(&word.text) else { continue };
            let open = || Rc::new(Maps::open(&search.table, &search.table, env, Flags::LOOKUP));
            self.tables.entry(search.table.clone()).or_insert_with(open);
            self.searches.insert(word.text.clone(), Rc::new(search));
        }
        Ok(())
    }
}

impl Search {
    /// What `search_order` may name, in the order in which it is looked up if nothing is said.
    const NAMES: [&str; 2] = ["cert_fingerprint", "pubkey_fingerprint"];

    /// Reads `type:name` or `{ type:name, search_order = a, b }`. What is wrong has been logged.
    fn parse(text: &str) -> Option<Search> {
        let search = MapSearch::parse(text, &Self::NAMES)?;
        let order = search.order.unwrap_or_else(|| (0..Self::NAMES.len()).collect());
        let named = order.iter().filter_map(|&place| Self::NAMES.get(place).map(|name| (*name).to_owned()));
        Some(Search { table: search.table, order: named.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_orders() {
        let search =
            Search::parse("{ hash:/a, { search_order = pubkey_fingerprint, cert_fingerprint } }").unwrap();
        assert_eq!(search.table, "hash:/a");
        assert_eq!(search.order, ["pubkey_fingerprint", "cert_fingerprint"]);
        assert_eq!(Search::parse("hash:/a").unwrap().order.len(), 2);
        assert!(Search::parse("{ hash:/a, order = x }").is_none());
    }
}
