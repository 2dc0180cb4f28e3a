//! DNS lists of clients and domains, to reject (DNSBL, RHSBL) or to permit (DNSWL, RHSWL).

mod pattern;

use super::reject::{fix_status, split_status};
use super::{Check, Cursor, Halt, Name, Verdict, class};
use crate::error_class::ErrorClass;
use crate::peer::UNKNOWN;
use crate::session::Session;
use crate::text::{all_digits, clip, show, split_domain};
use dns::{Data, Status, Type};
use pattern::Pattern;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What a list says about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listing {
    /// It is not listed.
    No,
    /// The list did not answer.
    Unknown,
    /// It is listed.
    Yes {
        /// The addresses in the answer.
        codes: Vec<Ipv4Addr>,
        /// The TXT record, or nothing.
        text: String,
    },
}

const CACHE_SIZE: usize = 100;
const CACHE_TIME: Duration = Duration::from_secs(60);
const TEXT_LIMIT: usize = 500;

/// Recent answers, for all sessions of the process.
#[derive(Debug, Default)]
pub(crate) struct ListingCache(RefCell<HashMap<String, (Instant, Rc<Listing>)>>);

impl ListingCache {
    fn find(&self, query: &str) -> Option<Rc<Listing>> {
        let entries = self.0.borrow();
        let (asked, listing) = entries.get(query)?;
        (asked.elapsed() < CACHE_TIME).then(|| listing.clone())
    }

    fn keep(&self, query: String, listing: Rc<Listing>) {
        let mut entries = self.0.borrow_mut();
        if entries.len() >= CACHE_SIZE {
            entries.retain(|_, (asked, _)| asked.elapsed() < CACHE_TIME);
        }
        if entries.len() >= CACHE_SIZE {
            entries.clear();
        }
        entries.insert(query, (Instant::now(), listing));
    }
}

impl Session {
    /// Restrictions that look up the client in a list.
    pub(super) async fn client_listing(&mut self, name: Name, cursor: &mut Cursor) -> Check {
        let Some(list) = self.listing_argument(name, cursor) else {
            return Ok(Verdict::Dunno);
        };
        let (client, namaddr) = (self.peer.name.clone(), self.peer.namaddr.clone());
        let is_named = |host: &str| !host.eq_ignore_ascii_case(UNKNOWN);
        match name {
            Name::RejectRblClient => {
                let address = self.peer.address.clone();
                match *self.address_listing(&list, &address).await? {
                    Listing::Yes { ref text, .. } => {
                        self.reject_listed(&list, text, &address, class::CLIENT).await
                    }
                    _ => Ok(Verdict::Dunno),
                }
            }
            Name::RejectRhsblClient if is_named(&client) => {
                self.reject_listed_domain(&list, client.as_bytes(), class::CLIENT).await
            }
            Name::RejectRhsblReverseClient if is_named(&self.peer.reverse_name) => {
                let host = self.peer.reverse_name.clone();
                self.reject_listed_domain(&list, host.as_bytes(), class::REVERSE_CLIENT).await
            }
            Name::PermitDnswlClient | Name::PermitRhswlClient => {
                let by_name = name == Name::PermitRhswlClient;
                if by_name && !is_named(&client) {
                    return Ok(Verdict::Dunno);
                }
                match self.permit_listed(&list, if by_name { Some(&client) } else { None }).await? {
                    Verdict::Permit => Ok(self.permit(name.text(), class::CLIENT, &namaddr, "").await),
                    verdict => Ok(verdict),
                }
            }
            _ => Ok(Verdict::Dunno),
        }
    }

    /// Rejects a domain, or that of a mail address, if it is listed.
    pub(super) async fn reject_listed_domain(
        &mut self,
        list: &str,
        what: &[u8],
        kind: &'static str,
    ) -> Check {
        match *self.domain_listing(list, what).await? {
            Listing::Yes { ref text, .. } => {
                let shown = show(what).into_owned();
                self.reject_listed(list, text, &shown, kind).await
            }
            _ => Ok(Verdict::Dunno),
        }
    }

    async fn permit_listed(&mut self, list: &str, name: Option<&str>) -> Check {
        // Nobody's word makes this host a relay.
        if self.stage_name == "RCPT"
            && let Some(recipient) = self.recipient.clone()
            && self.permit_auth_destination(&recipient).await? != Verdict::Permit
        {
            return Ok(Verdict::Dunno);
        }
        let what = name.map_or_else(|| self.peer.address.clone(), str::to_owned);
        let listing = match name {
            Some(name) => self.domain_listing(list, name.as_bytes()).await?,
            None => self.address_listing(list, &what).await?,
        };
        match *listing {
            Listing::Yes { .. } => Ok(Verdict::Permit),
            Listing::No => Ok(Verdict::Dunno),
            Listing::Unknown => {
                let text = format!("<{what}>: {} rejected: Service unavailable", class::CLIENT);
                self.defer_if_reject(ErrorClass::POLICY, 450, "4.7.1", &text);
                Ok(Verdict::Dunno)
            }
        }
    }

    async fn address_listing(&mut self, list: &str, address: &str) -> Result<Rc<Listing>, Halt> {
        let reversed = match address.parse::<IpAddr>() {
            Ok(IpAddr::V6(ip)) => ip.octets().iter().rev().fold(String::new(), |mut text, octet| {
                text.push_str(&format!("{:x}.{:x}.", octet & 0xf, octet >> 4));
                text
            }),
            _ => address.rsplit('.').fold(String::new(), |text, octet| text + octet + "."),
        };
        self.listing(&reversed, list).await
    }

    async fn domain_listing(&mut self, list: &str, what: &[u8]) -> Result<Rc<Listing>, Halt> {
        let domain = split_domain(what).map_or(what, |(_, domain)| domain);
        let last_label = domain.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
        // Some lists refuse questions that look like addresses.
        if domain.is_empty() || domain.starts_with(b"[") || all_digits(last_label) {
            return Ok(Rc::new(Listing::No));
        }
        let ascii = address::idn::ascii_or_same(domain);
        if address::valid_hostname(&ascii).is_err() {
            return Ok(Rc::new(Listing::No));
        }
        self.listing(&format!("{}.", show(&ascii)), list).await
    }

    /// Asks a list, which may name the codes that count: `domain=127.0.0.[2..4]`.
    async fn listing(&mut self, prefix: &str, list: &str) -> Result<Rc<Listing>, Halt> {
        let (zone, wanted) = match list.split_once('=') {
            Some((zone, wanted)) => (zone, Some(wanted)),
            None => (list, None),
        };
        let query = format!("{prefix}{zone}");
        let server = self.server.clone();
        let listing = match server.listings.find(&query) {
            Some(listing) => listing,
            None => {
                let listing = Rc::new(self.ask_list(&query).await);
                server.listings.keep(query, listing.clone());
                listing
            }
        };
        let (Some(wanted), Listing::Yes { codes, .. }) = (wanted, &*listing) else {
            return Ok(listing);
        };
        match Pattern::parse(wanted) {
            Ok(pattern) if codes.iter().any(|code| pattern.matches(*code)) => Ok(listing),
            Ok(_) => Ok(Rc::new(Listing::No)),
            Err(fault) => {
                log::error!("RBL reply error: {fault}");
                Err(self.server_error())
            }
        }
    }

    async fn ask_list(&self, query: &str) -> Listing {
        let (dns, how) = (&self.server.dns, &self.server.dns_how);
        let answer = match dns.lookup(query, Type::A, how).await {
            Ok(answer) => answer,
            Err(failure) if failure.status == Status::NotFound => return Listing::No,
            Err(failure) => {
                log::warning!("{query}: RBL lookup error: {failure}");
                return Listing::Unknown;
            }
        };
        let codes = answer
            .records
            .iter()
            .filter_map(|record| match record.data {
                Data::A(address) => Some(address),
                _ => None,
            })
            .collect();
        let text = match dns.lookup(query, Type::Txt, how).await {
            Ok(answer) => joined(answer.records.iter().filter_map(|record| match &record.data {
                Data::Txt(text) => Some(text.as_str()),
                _ => None,
            })),
            Err(failure) => {
                if failure.status == Status::Policy {
                    log::warning!("{query}: TXT lookup error: DNS reply filter drops all results");
                }
                String::new()
            }
        };
        Listing::Yes { codes, text }
    }

    async fn reject_listed(&mut self, list: &str, text: &str, what: &str, kind: &'static str) -> Check {
        let zone = list.split_once('=').map_or(list, |(zone, _)| zone);
        let server = self.server.clone();
        let mut template = None;
        for key in [list, zone] {
            match server.maps.rbl_reply.find(key.as_bytes()).await {
                Ok(Some(found)) => {
                    template = Some(show(&found.value).into_owned());
                    break;
                }
                Ok(None) if key != zone => {}
                Ok(None) => break,
                Err(_) => return Err(self.server_error()),
            }
        }
        let names = |name: &str| {
            Some(match name {
                "rbl_code" => server.settings.maps_rbl_reject_code.to_string(),
                "rbl_domain" => zone.to_owned(),
                "rbl_reason" | "rbl_txt" => text.to_owned(),
                "rbl_what" => what.to_owned(),
                "rbl_class" => kind.to_owned(),
                _ => return None,
            })
        };
        let mut reply = None;
        if let Some(template) = &template {
            reply = self.expand_with(template, names).ok();
            if reply.is_none() {
                log::warning!("rbl_reject_reply: bad rbl reply template for domain {list}: {template}");
            }
        }
        let default = &server.settings.default_rbl_reply;
        let reply = match reply.map_or_else(|| self.expand_with(default, names), Ok) {
            Ok(reply) => reply,
            Err(()) => {
                log::error!("rbl_reject_reply: bad default rbl reply template: {default}");
                return Err(self.server_error());
            }
        };
        Ok(self.reject_with_reply(&reply, kind))
    }

    fn reject_with_reply(&mut self, reply: &str, kind: &str) -> Verdict {
        let is_reply = matches!(
            reply.as_bytes(),
            [b'4' | b'5', a, b, b' ', ..] if a.is_ascii_digit() && b.is_ascii_digit()
        );
        if !is_reply {
            log::warning!("rbl response code configuration error: {reply}");
            return self.reject(ErrorClass::POLICY, 450, "4.7.1", "Service unavailable");
        }
        let code = reply[..3].parse().unwrap_or(450);
        let (status, text) = split_status("4.7.1", reply[4..].trim_ascii_start());
        let text = if text.is_empty() { "Service unavailable" } else { text };
        let status = fix_status(&status, kind);
        self.reject(ErrorClass::POLICY, code, &status, text)
    }
}

/// TXT records in one text, up to a limit.
fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut all = String::new();
    for text in texts {
        let separator = if all.is_empty() { "" } else { " / " };
        if all.len() + separator.len() >= TEXT_LIMIT {
            break;
        }
        all.push_str(separator);
        all.push_str(clip(text, TEXT_LIMIT - all.len()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_joined_up_to_the_limit() {
        assert_eq!(joined(["a", "b"].into_iter()), "a / b");
        let long = "x".repeat(600);
        assert_eq!(joined([long.as_str(), "b"].into_iter()).len(), TEXT_LIMIT);
    }
}
