//! `permit_mx_backup`: mail for domains that name this host as a backup mail exchanger.

use super::servers::error_text;
use super::{Check, Verdict, class};
use crate::error_class::ErrorClass;
use crate::outside::Class;
use crate::session::Session;
use crate::text::{show, split_domain};
use dns::{Data, Family, Status, Type};
use std::cell::Cell;

thread_local! {
    /// The warning about this restriction has been logged; once a process is enough.
    static WARNED: Cell<bool> = const { Cell::new(false) };
}

impl Session {
    pub(super) async fn permit_mx_backup(&mut self, recipient: &[u8]) -> Check {
        let server = self.server.clone();
        if !WARNED.replace(true) {
            log::warning!(
                "support for restriction \"permit_mx_backup\" will be removed from {}; \
                 instead, specify \"relay_domains\"",
                server.settings.mail_name
            );
        }
        let resolved = self.resolve_for(recipient, class::RECIPIENT).await?;
        let Some((_, domain)) = split_domain(&resolved.recipient) else {
            return Ok(Verdict::Permit);
        };
        if !server.settings.allow_untrusted_routing && resolved.routed {
            return Ok(Verdict::Dunno);
        }
        if resolved.class.is_final() {
            return Ok(Verdict::Permit);
        }
        if resolved.class == Class::Relay {
            server.note_relay_domains_default(&format!("domain \"{}\"", show(domain)));
            return Ok(Verdict::Permit);
        }
        if domain.starts_with(b"[") && domain.ends_with(b"]") {
            return Ok(Verdict::Dunno);
        }
        let shown = show(recipient).into_owned();
        let ascii = address::idn::ascii_or_same(domain);
        let answer = match server.dns.lookup(&show(&ascii), Type::Mx, &server.dns_how).await {
            Ok(answer) => answer,
            Err(failure) => {
                let why = match failure.status {
                    Status::Policy => "DNS reply filter policy",
                    Status::Retry => error_text(&failure),
                    _ => return Ok(Verdict::Dunno),
                };
                let text = format!(
                    "<{shown}>: {} rejected: Unable to look up mail exchanger information: {why}",
                    class::RECIPIENT
                );
                self.defer_if_reject(ErrorClass::POLICY, 450, "4.4.4", &text);
                return Ok(Verdict::Dunno);
            }
        };
        let mut exchangers: Vec<(u16, String)> = answer
            .records
            .into_iter()
            .filter_map(|record| match record.data {
                Data::Mx { preference, host } => Some((preference, host)),
                _ => None,
            })
            .collect();
        exchangers.sort_by_key(|(preference, _)| *preference);
        let best = exchangers.first().map_or(0, |(preference, _)| *preference);
        let split = exchangers.partition_point(|(preference, _)| *preference == best);
        let hosts: Vec<String> = exchangers.into_iter().map(|(_, host)| host).collect();
        let (primaries, backups) = hosts.split_at(split);
        if self.is_exchanger(primaries, &shown).await
            || backups.is_empty()
            || !self.is_exchanger(backups, &shown).await
        {
            return Ok(Verdict::Dunno);
        }
        if !server.lists.backup_networks.is_empty() {
            for host in primaries {
                if !self.is_in_backup_networks(host, &shown).await {
                    return Ok(Verdict::Dunno);
                }
            }
        }
        Ok(Verdict::Permit)
    }

    /// Whether this host is one of the exchangers, by name or else by address.
    async fn is_exchanger(&mut self, hosts: &[String], shown: &str) -> bool {
        let server = self.server.clone();
        for host in hosts {
            if server.site.is_destination(host.as_bytes()).await == Ok(true) {
                return true;
            }
        }
        for host in hosts {
            match server.dns.native_addresses_of(host, Family::Any).await {
                Ok(addresses) => {
                    let mut wanted = addresses.into_iter().filter(|ip| server.families.includes(*ip));
                    if wanted.any(|ip| server.site.is_own_or_proxy(ip)) {
                        return true;
                    }
                }
                Err(error) => {
                    let text = format!(
                        "<{shown}>: {} rejected: Unable to look up mail exchanger host {host}: {error}",
                        class::RECIPIENT
                    );
                    self.defer_if_reject(ErrorClass::POLICY, 450, "4.4.4", &text);
                }
            }
        }
        false
    }

    /// Whether all addresses of a primary exchanger are in `$permit_mx_backup_networks`.
    async fn is_in_backup_networks(&mut self, host: &str, shown: &str) -> bool {
        let server = self.server.clone();
        let kinds = server.address_types();
        let found = server.dns.lookup_types(host, kinds, &server.dns_how, dns::Stop::default()).await;
        let answer = match found {
            Ok(answer) => answer,
            Err(failure) => {
                let why = match failure.status {
                    Status::Policy => "DNS reply filter policy",
                    _ => error_text(&failure),
                };
                let text = format!(
                    "<{shown}>: {} rejected: Unable to look up host {host} as mail exchanger: {why}",
                    class::RECIPIENT
                );
                self.defer_if_reject(ErrorClass::POLICY, 450, "4.4.4", &text);
                return false;
            }
        };
        for ip in answer.addresses() {
            let address = address::inet::printable_address(ip);
            match server.lists.backup_networks.matches(host.as_bytes(), address.as_bytes()).await {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => {
                    log::warning!(
                        "all_auth_mx_addr: permit_mx_backup_networks lookup error for address {address} for {host}"
                    );
                    let text = format!(
                        "<{shown}>: {} rejected: Unable to verify host {host} as mail exchanger",
                        class::RECIPIENT
                    );
                    self.defer_if_reject(ErrorClass::POLICY, 450, "4.4.4", &text);
                    return false;
                }
            }
        }
        true
    }
}
