//! Where mail for an address goes.
//!
//! First the routing that belongs to this system is taken off an address, layer by layer, until its domain is another
//! system's or only a local part remains. The class of the domain then gives a delivery service and a destination,
//! which tables may override.

use address::hostname::{valid_hostaddr, valid_hostname};
use address::idn::{HostnameFault, valid_utf8_hostname};
use address::tok822::{Address, Token, scan};
use address::{quote_822_local, split_at_domain, valid_mailhost_literal, valid_utf8};
use bytes::show;
use dsn::Status;
use ipc::rewrite::{Flags, Purpose, Resolved, Rule, is_plain};
use table::address::{Search, find};
use table::{Maps, StringList};

use crate::classes::Classes;
use crate::params::RewriteParams;
use crate::personality::{Named, NamedMaps, Personality};
use crate::rewrite::{Appended, Rewriting, strip_trailing_dot};
use crate::transport::Route;

/// All that resolving needs.
pub struct Resolver {
    /// How addresses are completed on the way.
    pub rewriting: Rewriting,
    /// The lists of domains.
    pub classes: Classes,
    /// Destinations for delivery.
    pub delivery: Personality,
    /// Destinations for probes.
    pub verification: Personality,
    /// `relocated_maps`.
    pub relocated: Option<Maps>,
    /// The rest.
    pub params: RewriteParams,
    /// `DIRECTORY/main.cf`, for warnings.
    pub main_cf: String,
    /// `append_dot_mydomain` is on for compatibility's sake only, which is worth a notice.
    pub is_append_dot_legacy: bool,
}

/// What an answer holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// This address and sender.
    Address,
    /// All plain addresses in its domain, and all senders.
    Domain,
}

/// Ends resolving early; what was found out by then is the answer.
enum Stop {
    /// A table could not be asked.
    TryAgain,
    /// The address is malformed.
    Malformed,
}

impl From<table::Error> for Stop {
    fn from(_: table::Error) -> Self {
        Self::TryAgain
    }
}

/// A recipient whose routing has been taken off.
struct Recipient {
    tree: Address,
    is_local: bool,
}

impl Resolver {
    /// The standard form of an address in external form.
    pub async fn rewrite(&self, rule: Rule, address: &[u8]) -> Vec<u8> {
        let (rewritten, appended) = self.rewriting.text(rule, address);
        self.notice(appended).await;
        rewritten
    }

    /// Where mail from `sender` for `address` goes; both in internal form.
    pub async fn resolve(&self, purpose: Purpose, sender: &[u8], address: &[u8]) -> Resolved {
        let mut resolved = Resolved {
            transport: b"CHANNEL NOT UPDATED".to_vec(),
            nexthop: b"NEXTHOP NOT UPDATED".to_vec(),
            recipient: b"NEXTRCPT NOT UPDATED".to_vec(),
            flags: Flags::NONE,
        };
        let mut route = Route { channel: resolved.transport.clone(), nexthop: resolved.nexthop.clone() };
        let outcome = self.find_route(purpose, sender, address, &mut resolved, &mut route).await;
        match outcome {
            Ok(()) => (),
            Err(Stop::TryAgain) => resolved.flags |= Flags::FAIL,
            Err(Stop::Malformed) => resolved.flags |= Flags::ERROR,
        }
        resolved.transport = route.channel;
        resolved.nexthop = route.nexthop;
        resolved
    }

    /// What the answer about an address holds for: the whole domain where neither local parts nor senders are looked
    /// up. Not where a class is in another process's table: a change there counts from the next question on, while one
    /// in a file counts only some seconds later anyway.
    pub fn scope(&self, purpose: Purpose, address: &[u8], resolved: &Resolved) -> Scope {
        let is_usual = is_plain(address)
            && resolved.recipient == address
            && !resolved.flags.has(Flags::FAIL | Flags::ERROR | Flags::ROUTED);
        let looks_no_further = self.personality(purpose).is_by_domain()
            && self.relocated.is_none()
            && self.classes.is_in_files();
        if is_usual && looks_no_further { Scope::Domain } else { Scope::Address }
    }

    fn personality(&self, purpose: Purpose) -> &Personality {
        match purpose {
            Purpose::Delivery => &self.delivery,
            Purpose::Verification => &self.verification,
        }
    }

    async fn find_route(
        &self,
        purpose: Purpose,
        sender: &[u8],
        address: &[u8],
        resolved: &mut Resolved,
        route: &mut Route,
    ) -> Result<(), Stop> {
        let Recipient { tree, mut is_local } = self.strip_routing(address).await?;
        resolved.recipient = tree.internalize();
        match self.check_domain(&mut resolved.recipient) {
            Ok(Checked::Good) => (),
            Ok(Checked::Bracketed) => {
                let domain = split_at_domain(&resolved.recipient).1.unwrap_or_default();
                is_local |= self.classes.is_local(domain).await?;
            }
            Err(stop) => {
                resolved.flags |= Flags::CLASS_DEFAULT;
                return Err(stop);
            }
        }
        let domain = split_at_domain(&resolved.recipient).1.unwrap_or_default();
        if has_routing(&resolved.recipient, domain) {
            resolved.flags |= Flags::ROUTED;
        }
        let personality = self.personality(purpose);
        let blame = if is_local {
            self.local_route(personality, domain, &mut resolved.flags, route).await
        } else {
            self.remote_route(personality, sender, domain, &mut resolved.flags, route).await?
        };
        self.split_destination(blame, route)?;
        if let Some(transports) = &personality.transports
            && !resolved.flags.has(Flags::CLASS_ALIAS)
        {
            let found = transports.apply(&self.classes, &resolved.recipient, domain, route).await;
            found.map_err(|_| lookup_failure(personality.transports_name))?;
        }
        self.bounce_relocated(&resolved.recipient, route).await?;
        // Programs could take such an address for an option.
        if !self.params.allow_min_user && resolved.recipient.starts_with(b"-") {
            return Err(Stop::Malformed);
        }
        Ok(())
    }

    /// Takes off all instances of local domains, with the routing operators that come to light.
    ///
    /// Quoted routing operators count too where `resolve_dequoted_address` says so: it is wrong by the standards and
    /// stops `user@domain@domain` relay attempts through systems that look there.
    async fn strip_routing(&self, address: &[u8]) -> Result<Recipient, Stop> {
        let params = &self.params;
        let mut tree = Address::scan(&quote_822_local(address));
        let mut saved_domain: Vec<Token> = Vec::new();
        for _ in 0..=address.len() + 100 {
            if tree.rfind_op(b'@').is_some() {
                strip_trailing_dot(&mut tree);
            }
            if params.resolve_null_domain && tree.tokens.last().is_some_and(|last| last.is_op(b'@')) {
                tree.tokens.pop();
            }
            if let Some(at) = tree.rfind_op(b'@') {
                let is_null = at + 1 == tree.tokens.len();
                if !is_null && !self.classes.is_local(&tree.internalize_from(at + 1)).await? {
                    return Ok(Recipient { tree, is_local: false });
                }
                saved_domain = tree.tokens.split_off(at);
            }
            if tree.rfind_op(b'@').is_some()
                || (params.swap_bangpath && tree.rfind_op(b'!').is_some())
                || (params.allow_percent_hack && tree.rfind_op(b'%').is_some())
            {
                self.complete(&mut tree).await;
                continue;
            }
            if let [Token::Quoted(local)] = tree.tokens.as_slice()
                && let Some(opened) = self.crack_open(local)
            {
                tree = Address::scan(&opened);
                self.complete(&mut tree).await;
                continue;
            }
            if matches!(tree.tokens.as_slice(), [] | [Token::Quoted(_)]) && tree.internalize().is_empty() {
                tree = Address::scan(params.empty_address_recipient.as_bytes());
                continue;
            }
            if saved_domain.is_empty() {
                tree.tokens.push(Token::Op(b'@'));
                tree.tokens.extend(scan(params.myhostname.as_bytes()));
                continue;
            }
            tree.tokens.append(&mut saved_domain);
            return Ok(Recipient { tree, is_local: true });
        }
        let count = address.len() + 101;
        log::warning!("resolve_addr: <{}>: giving up after {count} iterations", show(address));
        Err(Stop::TryAgain)
    }

    /// The text of a quoted local part that has routing operators, ready to be scanned again.
    fn crack_open(&self, local: &[u8]) -> Option<Vec<u8>> {
        let params = &self.params;
        if !params.resolve_dequoted_address {
            return None;
        }
        let last = |op: u8| local.iter().rposition(|&byte| byte == op);
        let percent = || if params.allow_percent_hack { last(b'%') } else { None };
        let bang = || if params.swap_bangpath { last(b'!') } else { None };
        if let Some(at) = last(b'@').or_else(percent) {
            let mut text = local.to_vec();
            if let Some(byte) = text.get_mut(at) {
                *byte = b'@';
            }
            return Some(quote_822_local(&text));
        }
        bang().map(|_| local.to_vec())
    }

    async fn complete(&self, tree: &mut Address) {
        let appended = self.rewriting.tree(Rule::Local, tree);
        self.notice(appended).await;
    }

    /// Tells about a default that was used for compatibility's sake only.
    async fn notice(&self, appended: Option<Appended>) {
        let Some(Appended(name)) = appended.filter(|_| self.is_append_dot_legacy) else { return };
        let (shown, mydomain) = (show(&name), &self.params.mydomain);
        let text = format!(
            "using backwards-compatible default setting append_dot_mydomain=yes to rewrite \"{shown}\" to \"{shown}.{mydomain}\""
        );
        if !name.eq_ignore_ascii_case(b"localhost") {
            log::info!("{text}");
        } else if matches!(self.classes.of(b"localhost").await, Ok(Flags::CLASS_DEFAULT)) {
            log::info!("{text}; please add \"localhost\" to mydestination or other address class");
        }
    }

    /// Checks the domain of a recipient. Addresses must be in brackets, or are put there if `resolve_numeric_domain`.
    fn check_domain(&self, recipient: &mut Vec<u8>) -> Result<Checked, Stop> {
        let (local, domain) = split_at_domain(recipient);
        let domain = domain.ok_or(Stop::Malformed)?;
        if domain.starts_with(b"[") {
            return valid_mailhost_literal(domain).map(|_| Checked::Good).map_err(|_| Stop::Malformed);
        }
        if self.params.smtputf8_enable && !valid_utf8(recipient) {
            return Err(Stop::Malformed);
        }
        if self.is_hostname(domain) {
            return Ok(Checked::Good);
        }
        if !self.params.resolve_numeric_domain || valid_hostaddr(domain).is_err() {
            return Err(Stop::Malformed);
        }
        let at = local.len() + 1;
        recipient.insert(at, b'[');
        recipient.push(b']');
        Ok(Checked::Bracketed)
    }

    fn is_hostname(&self, domain: &[u8]) -> bool {
        if !self.params.smtputf8_enable {
            return valid_hostname(domain).is_ok();
        }
        match valid_utf8_hostname(domain) {
            Ok(()) => true,
            Err(HostnameFault::Malformed(fault)) => {
                log::warning!("{fault}");
                false
            }
            Err(_) => false,
        }
    }

    async fn local_route<'a>(
        &self,
        personality: &'a Personality,
        domain: &[u8],
        flags: &mut Flags,
        route: &mut Route,
    ) -> &'a str {
        if self.params.helpful_warnings {
            self.warn_if_in(&self.classes.alias, domain, "mydestination", "virtual_alias_domains").await;
            self.warn_if_in(&self.classes.mailbox, domain, "mydestination", "virtual_mailbox_domains").await;
        }
        *flags |= Flags::CLASS_LOCAL;
        set(route, &personality.local_transport, domain)
    }

    /// The route to a domain that is not this system's own; the name of the parameter it comes from.
    async fn remote_route<'a>(
        &self,
        personality: &'a Personality,
        sender: &[u8],
        domain: &[u8],
        flags: &mut Flags,
        route: &mut Route,
    ) -> Result<&'a str, Stop> {
        let classes = &self.classes;
        if classes.is_alias(domain).await.map_err(|_| lookup_failure("virtual_alias_domains"))? {
            if self.params.helpful_warnings {
                let title = "virtual_alias_domains";
                self.warn_if_in(&classes.mailbox, domain, title, "virtual_mailbox_domains").await;
                self.warn_if_relay(domain, title).await;
            }
            let table = if self.params.show_user_unknown_table_name { " in virtual alias table" } else { "" };
            route.channel = b"error".to_vec();
            route.nexthop = format!("5.1.1 User unknown{table}").into_bytes();
            *flags |= Flags::CLASS_ALIAS;
            return Ok("virtual_alias_domains");
        }
        if classes.is_mailbox(domain).await.map_err(|_| lookup_failure("virtual_mailbox_domains"))? {
            if self.params.helpful_warnings {
                self.warn_if_relay(domain, "virtual_mailbox_domains").await;
            }
            *flags |= Flags::CLASS_VIRTUAL;
            return Ok(set(route, &personality.virtual_transport, domain));
        }
        let blame = if classes.is_relay(domain).await.map_err(|_| lookup_failure("relay_domains"))? {
            *flags |= Flags::CLASS_RELAY;
            set(route, &personality.relay_transport, domain)
        } else {
            let key = &self.params.empty_address_default_transport_maps_lookup_key;
            let by_sender = self.by_sender(&personality.default_transport_maps, sender, key).await?;
            *flags |= Flags::CLASS_DEFAULT;
            match by_sender {
                Some(transport) => {
                    let is_default = transport.eq_ignore_ascii_case(b"DUNNO");
                    let default = personality.default_transport.value.as_bytes();
                    route.channel = if is_default { default.to_vec() } else { transport };
                    personality.default_transport_maps.name
                }
                None => set(route, &personality.default_transport, domain),
            }
        };
        let key = &self.params.empty_address_relayhost_maps_lookup_key;
        let relay = self.by_sender(&personality.relayhost_maps, sender, key).await?;
        route.nexthop = match relay.filter(|relay| !relay.eq_ignore_ascii_case(b"DUNNO")) {
            Some(relay) => relay,
            None if !personality.relayhost.is_empty() => personality.relayhost.clone().into_bytes(),
            None => domain.to_vec(),
        };
        Ok(blame)
    }

    /// `transport:nexthop` in main.cf overrides the destination so far.
    fn split_destination(&self, blame: &str, route: &mut Route) -> Result<(), Stop> {
        if let Some((channel, nexthop)) = bytes::split_once(&route.channel, b':') {
            if !nexthop.is_empty() {
                route.nexthop = nexthop.to_vec();
            }
            route.channel = channel.to_vec();
        }
        if route.channel.is_empty() {
            log::warning!("file {}: parameter {blame}: null transport is not allowed", self.main_cf);
            return Err(Stop::TryAgain);
        }
        Ok(())
    }

    /// Recipients that have moved, whatever their class.
    async fn bounce_relocated(&self, recipient: &[u8], route: &mut Route) -> Result<(), Stop> {
        let Some(maps) = &self.relocated else { return Ok(()) };
        let found = find(maps, recipient, Search::USUAL, &self.classes).await;
        let Some(found) = found.map_err(|_| lookup_failure("relocated_maps"))? else { return Ok(()) };
        let reply = found.value;
        route.channel = b"error".to_vec();
        if self.params.relocated_prefix_enable {
            route.nexthop = [b"5.1.6 User has moved to ", reply.as_slice()].concat();
            return Ok(());
        }
        route.nexthop = match status_and_text(&reply) {
            Some((status, text)) => [status.as_str().as_bytes(), b" ", text].concat(),
            None => {
                let shown = bytes::show_limited(&reply, 100);
                log::warning!("relocated_maps result must contain RFC 3463 status and text: '{shown}'");
                b"5.2.0 Mailbox is unavailable".to_vec()
            }
        };
        Ok(())
    }

    /// The entry for a sender; the null sender has a key of its own.
    async fn by_sender(
        &self,
        tables: &NamedMaps,
        sender: &[u8],
        null_key: &str,
    ) -> Result<Option<Vec<u8>>, Stop> {
        let Some(maps) = &tables.maps else { return Ok(None) };
        let key = if sender.is_empty() { null_key.as_bytes() } else { sender };
        let found =
            find(maps, key, Search::USUAL, &self.classes).await.map_err(|_| lookup_failure(tables.name))?;
        Ok(found.map(|found| found.value))
    }

    async fn warn_if_in(&self, list: &Option<StringList>, domain: &[u8], first: &str, second: &str) {
        let Some(list) = list else { return };
        if matches!(list.matches(domain).await, Ok(true)) {
            warn_both(domain, first, second);
        }
    }

    async fn warn_if_relay(&self, domain: &[u8], first: &str) {
        if matches!(self.classes.is_relay(domain).await, Ok(true)) {
            warn_both(domain, first, "relay_domains");
        }
    }
}

/// What a check of a domain came to.
enum Checked {
    Good,
    /// It is an address that was put into brackets.
    Bracketed,
}

fn set<'a>(route: &mut Route, transport: &'a Named, domain: &[u8]) -> &'a str {
    route.channel = transport.value.clone().into_bytes();
    route.nexthop = domain.to_vec();
    transport.name
}

/// Whether there are routing operators besides the `@` before the domain, also some that mean nothing here: the next
/// system may understand them.
fn has_routing(recipient: &[u8], domain: &[u8]) -> bool {
    let first = recipient.iter().position(|byte| b"@!%".contains(byte));
    first.and_then(|first| recipient.get(first + 1..)) != Some(domain)
}

fn lookup_failure(name: &str) -> Stop {
    log::warning!("{name} lookup failure");
    Stop::TryAgain
}

fn warn_both(domain: &[u8], first: &str, second: &str) {
    log::warning!("do not list domain {} in BOTH {first} and {second}", show(domain));
}

/// `5.1.6 moved` in its two parts; none when either is missing.
fn status_and_text(reply: &[u8]) -> Option<(Status, &[u8])> {
    let end = reply.iter().position(u8::is_ascii_whitespace)?;
    let (code, text) = reply.split_at_checked(end)?;
    let status = Status::parse(code)?;
    let text = bytes::trim_start(text);
    (!text.is_empty()).then_some((status, text))
}
