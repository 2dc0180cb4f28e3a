//! What all sessions of a process share: settings, open tables, restriction lists, ways to other services.

use crate::ehlo::Keywords;
use crate::error_class::ErrorClass;
use crate::line::BareNewline;
use crate::outside::{Outside, Resolved};
use crate::params::Settings;
use crate::restriction::{ListingCache, Rules, TempfailAction, has_required, required_text};
use crate::site::Site;
use crate::text::Encoding;
use address::inet::Families;
use conf::MainCf;
use conf::compat::is_legacy_default;
use std::cell::OnceCell;
use std::rc::Rc;
use table::{Env, Flags, HostList, ListFlags, Maps, StringList};

/// The live configuration of a process.
pub struct Server {
    pub(crate) settings: Settings,
    pub(crate) compat: Compat,
    pub(crate) lists: Lists,
    pub(crate) maps: RecipientMaps,
    pub(crate) rules: Rules,
    pub(crate) tempfail: Tempfail,
    pub(crate) overrides: Overrides,
    pub(crate) bare_newline: BareNewline,
    pub(crate) notify: ErrorClass,
    pub(crate) discard_keywords: Keywords,
    pub(crate) encoding: Encoding,
    pub(crate) expansion_filter: Vec<u8>,
    pub(crate) families: Families,
    pub(crate) internal_addresses_in_log: bool,
    pub(crate) is_autodetect: bool,
    pub(crate) site: Site,
    pub(crate) dns: dns::Resolver,
    pub(crate) dns_how: dns::Lookup,
    pub(crate) outside: Rc<dyn Outside>,
    pub(crate) listings: ListingCache,
    pub(crate) tls: TlsLevel,
    pub(crate) has_tls_context: bool,
    pub(crate) tls_log: tls::LogMask,
    pub(crate) probe_template: OnceCell<Vec<u8>>,
}

/// Old defaults in force because of `compatibility_level`; their use is logged.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Compat {
    pub(crate) relay_restrictions: bool,
    pub(crate) relay_domains: bool,
    pub(crate) relay_before_recipient: bool,
    pub(crate) smtputf8: bool,
    pub(crate) fingerprint_digest: bool,
}

/// Lists of clients and strings.
pub(crate) struct Lists {
    pub(crate) mynetworks: HostList,
    /// What `mynetworks` would be by today's default, when it is the old one.
    pub(crate) mynetworks_of_host: Option<HostList>,
    pub(crate) backup_networks: HostList,
    pub(crate) verp: HostList,
    pub(crate) xclient: HostList,
    pub(crate) xforward: HostList,
    pub(crate) event_exceptions: HostList,
    pub(crate) bare_exclusions: HostList,
    pub(crate) noop: StringList,
    pub(crate) forbidden: StringList,
    pub(crate) log_permit: StringList,
}

/// Lookup tables.
pub(crate) struct RecipientMaps {
    pub(crate) local_recipient: Maps,
    pub(crate) relay_recipient: Maps,
    pub(crate) virtual_alias: Maps,
    pub(crate) virtual_mailbox: Maps,
    pub(crate) canonical: Maps,
    pub(crate) sender_canonical: Maps,
    pub(crate) recipient_canonical: Maps,
    pub(crate) rbl_reply: Maps,
    pub(crate) relay_clientcerts: Maps,
    pub(crate) discard_keywords: Option<Maps>,
    pub(crate) reject_filter: Option<Maps>,
    pub(crate) reject_footer: Option<Maps>,
    pub(crate) command_filter: Option<Maps>,
    pub(crate) milters: Option<Maps>,
}

/// What happens when a DNS lookup fails on which a rejection depends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tempfail {
    pub(crate) helo: TempfailAction,
    pub(crate) address: TempfailAction,
    pub(crate) sender: TempfailAction,
    pub(crate) recipient: TempfailAction,
}

/// `receive_override_options`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    pub(crate) no_unknown_recipient_checks: bool,
    pub(crate) no_address_mappings: bool,
    pub(crate) no_header_body_checks: bool,
    pub(crate) no_milters: bool,
}

/// How much TLS is asked of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TlsLevel {
    pub(crate) offered: bool,
    pub(crate) required: bool,
}

impl Server {
    /// Reads main.cf and opens everything; the error is the text of a fatal log line.
    pub fn open(
        main: &MainCf,
        env: &Rc<Env>,
        outside: Rc<dyn Outside>,
        dns: dns::Resolver,
    ) -> Result<Server, String> {
        let text = |error: conf::Error| error.to_string();
        let settings = Settings::load(main).map_err(text)?;
        let protocols = conf::interfaces::protocols(main).map_err(text)?;
        let rules = Rules::open(main, &settings, env)?;
        Ok(Server {
            compat: Compat {
                relay_restrictions: is_legacy_default(main, "smtpd_relay_restrictions"),
                relay_domains: is_legacy_default(main, "relay_domains"),
                relay_before_recipient: is_legacy_default(main, "smtpd_relay_before_recipient_restrictions"),
                smtputf8: is_legacy_default(main, "smtputf8_enable"),
                fingerprint_digest: is_legacy_default(main, "smtpd_tls_fingerprint_digest"),
            },
            lists: Lists::open(main, &settings, env).map_err(text)?,
            maps: RecipientMaps::open(&settings, env),
            rules,
            tempfail: Tempfail {
                sender: tempfail(
                    "unverified_sender_tempfail_action",
                    &settings.unverified_sender_tempfail_action,
                )?,
                recipient: tempfail(
                    "unverified_recipient_tempfail_action",
                    &settings.unverified_recipient_tempfail_action,
                )?,
                helo: tempfail(
                    "unknown_helo_hostname_tempfail_action",
                    &settings.unknown_helo_hostname_tempfail_action,
                )?,
                address: tempfail(
                    "unknown_address_tempfail_action",
                    &settings.unknown_address_tempfail_action,
                )?,
            },
            overrides: Overrides::parse(&settings.receive_override_options)?,
            bare_newline: BareNewline::parse(&settings.smtpd_forbid_bare_newline).ok_or_else(|| {
                let value = &settings.smtpd_forbid_bare_newline;
                format!("bad parameter value: 'smtpd_forbid_bare_newline = {value}'")
            })?,
            notify: ErrorClass::parse(&settings.notify_classes).map_err(|word| {
                format!("unknown notify_classes value \"{word}\" in \"{}\"", settings.notify_classes)
            })?,
            discard_keywords: Keywords::parse(&settings.smtpd_discard_ehlo_keywords),
            encoding: if settings.smtputf8_enable { Encoding::Utf8 } else { Encoding::Ascii },
            expansion_filter: crate::text::unescape(&settings.smtpd_expansion_filter),
            families: Families { ipv4: protocols.ipv4, ipv6: protocols.ipv6 },
            internal_addresses_in_log: settings.info_log_address_format.eq_ignore_ascii_case("internal"),
            is_autodetect: autodetects(&settings),
            site: Site::open(main, env).map_err(text)?,
            dns_how: reply_filter(&settings.smtpd_dns_reply_filter, env),
            dns,
            outside,
            listings: ListingCache::default(),
            tls: TlsLevel::parse(&settings)?,
            has_tls_context: false,
            tls_log: tls::LogMask::parse("smtpd_tls_loglevel", &settings.smtpd_tls_loglevel),
            probe_template: OnceCell::new(),
            settings,
        })
    }

    /// A server that would relay for everybody does not start.
    pub fn require_relay_restriction(&self) -> Result<(), String> {
        if has_required(&self.rules.recipient, &self.rules.classes)
            || has_required(&self.rules.relay, &self.rules.classes)
        {
            return Ok(());
        }
        Err(format!(
            "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, \
             specify at least one working instance of: {}",
            required_text()
        ))
    }

    /// Says what is set and not supported, and what does not fit together.
    pub fn check_settings(&mut self) -> Result<(), String> {
        let settings = &self.settings;
        if !settings.smtpd_proxy_filter.is_empty() {
            return Err("smtpd_proxy_filter: before-queue content filters are not supported".to_owned());
        }
        if !settings.smtpd_upstream_proxy_protocol.is_empty() {
            return Err(format!(
                "unsupported smtpd_upstream_proxy_protocol value: {}",
                settings.smtpd_upstream_proxy_protocol
            ));
        }
        if settings.smtpd_sasl_auth_enable {
            log::warning!("smtpd_sasl_auth_enable is true, but SASL support is not compiled in");
        }
        let (room, size) = (settings.queue_minfree, settings.message_size_limit);
        if room > 0 && size > 0 && (room as f64) / 1.5 < size as f64 {
            log::warning!("queue_minfree({room}) should be at least 1.5*message_size_limit({size})");
        }
        Ok(())
    }

    /// Resolves an address as mail from `sender` to it would be.
    pub(crate) async fn resolve(&self, sender: Option<&[u8]>, address: &[u8]) -> Rc<Resolved> {
        Rc::new(self.outside.resolve(sender, address).await)
    }

    /// Says that mail is taken for a domain only because of an old default.
    pub(crate) fn note_relay_domains_default(&self, what: &str) {
        if self.compat.relay_domains {
            log::info!(
                "using backwards-compatible default setting relay_domains=$mydestination to accept mail for {what}"
            );
        }
    }

    /// The DNS types of the addresses in use.
    pub(crate) fn address_types(&self) -> &'static [dns::Type] {
        match (self.families.ipv4, self.families.ipv6) {
            (true, false) => &[dns::Type::A],
            (false, true) => &[dns::Type::Aaaa],
            _ => &[dns::Type::A, dns::Type::Aaaa],
        }
    }
}

impl Lists {
    fn open(main: &MainCf, settings: &Settings, env: &Rc<Env>) -> Result<Lists, conf::Error> {
        let parents = |name: &str| parent_style(settings, name);
        let exact = parents("");
        let hosts = |title: &str, list: &str, flags| HostList::open(title, list, env, flags);
        let strings = |title: &str, list: &str| StringList::open(title, list, env, exact);
        let strict = if is_legacy_default(main, "mynetworks_style") {
            let networks = conf::computed::networks_of_host(main)?;
            Some(hosts("mynetworks", &networks, parents("mynetworks")))
        } else {
            None
        };
        Ok(Lists {
            mynetworks: hosts("mynetworks", &settings.mynetworks, parents("mynetworks")),
            mynetworks_of_host: strict,
            backup_networks: hosts(
                "permit_mx_backup_networks",
                &settings.permit_mx_backup_networks,
                parents("permit_mx_backup_networks"),
            ),
            verp: hosts("smtpd_authorized_verp_clients", &settings.smtpd_authorized_verp_clients, exact),
            xclient: hosts("smtpd_authorized_xclient_hosts", &settings.smtpd_authorized_xclient_hosts, exact),
            xforward: hosts(
                "smtpd_authorized_xforward_hosts",
                &settings.smtpd_authorized_xforward_hosts,
                exact,
            ),
            event_exceptions: hosts(
                "smtpd_client_event_limit_exceptions",
                &settings.smtpd_client_event_limit_exceptions,
                parents("smtpd_client_event_limit_exceptions"),
            ),
            bare_exclusions: hosts(
                "smtpd_forbid_bare_newline_exclusions",
                &settings.smtpd_forbid_bare_newline_exclusions,
                parents("mynetworks"),
            ),
            noop: strings("smtpd_noop_commands", &settings.smtpd_noop_commands),
            forbidden: strings("smtpd_forbidden_commands", &settings.smtpd_forbidden_commands),
            log_permit: strings("smtpd_log_access_permit_actions", &settings.smtpd_log_access_permit_actions),
        })
    }
}

impl RecipientMaps {
    fn open(settings: &Settings, env: &Rc<Env>) -> RecipientMaps {
        let lookup = |title: &str, specs: &str| Maps::open(title, specs, env, Flags::LOOKUP);
        let optional = |title: &str, specs: &str, flags| {
            (!specs.is_empty()).then(|| Maps::open(title, specs, env, flags))
        };
        RecipientMaps {
            local_recipient: lookup("local_recipient_maps", &settings.local_recipient_maps),
            relay_recipient: lookup("relay_recipient_maps", &settings.relay_recipient_maps),
            virtual_alias: lookup("virtual_alias_maps", &settings.virtual_alias_maps),
            virtual_mailbox: lookup("virtual_mailbox_maps", &settings.virtual_mailbox_maps),
            canonical: lookup("canonical_maps", &settings.canonical_maps),
            sender_canonical: lookup("sender_canonical_maps", &settings.sender_canonical_maps),
            recipient_canonical: lookup("recipient_canonical_maps", &settings.recipient_canonical_maps),
            rbl_reply: lookup("rbl_reply_maps", &settings.rbl_reply_maps),
            relay_clientcerts: lookup("relay_clientcerts", &settings.relay_clientcerts),
            discard_keywords: optional(
                "smtpd_discard_ehlo_keyword_address_maps",
                &settings.smtpd_discard_ehlo_keyword_address_maps,
                Flags::LOCK,
            ),
            reject_filter: optional(
                "smtpd_reject_filter_maps",
                &settings.smtpd_reject_filter_maps,
                Flags::LOCK,
            ),
            reject_footer: optional(
                "smtpd_reject_footer_maps",
                &settings.smtpd_reject_footer_maps,
                Flags::LOCK,
            ),
            command_filter: optional(
                "smtpd_command_filter",
                &settings.smtpd_command_filter,
                Flags::LOCK | Flags::FOLD_FIX,
            ),
            milters: optional("smtpd_milter_maps", &settings.smtpd_milter_maps, Flags::LOCK),
        }
    }
}

impl Overrides {
    fn parse(list: &str) -> Result<Overrides, String> {
        let mut set = Overrides::default();
        for word in bytes::list::split(list, bytes::list::SEPARATORS) {
            let flag = match word {
                "no_unknown_recipient_checks" => &mut set.no_unknown_recipient_checks,
                "no_address_mappings" => &mut set.no_address_mappings,
                "no_header_body_checks" => &mut set.no_header_body_checks,
                "no_milters" => &mut set.no_milters,
                _ => return Err(format!("unknown receive_override_options value \"{word}\" in \"{list}\"")),
            };
            *flag = true;
        }
        Ok(set)
    }
}

impl TlsLevel {
    fn parse(settings: &Settings) -> Result<TlsLevel, String> {
        let mut level = TlsLevel { offered: settings.smtpd_use_tls, required: settings.smtpd_enforce_tls };
        let text = &settings.smtpd_tls_security_level;
        if !settings.smtpd_tls_wrappermode && !text.is_empty() {
            level = match tls::Level::by_name(text) {
                Some(tls::Level::None) => TlsLevel { offered: false, required: false },
                Some(tls::Level::May) => TlsLevel { offered: true, required: false },
                Some(tls::Level::Encrypt) => TlsLevel { offered: true, required: true },
                Some(tls::Level::Fingerprint | tls::Level::Verify | tls::Level::Secure) => {
                    log::warning!(
                        "smtpd_tls_security_level: unsupported TLS level \"{text}\", using \"encrypt\""
                    );
                    TlsLevel { offered: true, required: true }
                }
                _ => return Err(format!("Invalid TLS level \"{text}\"")),
            };
        }
        level.required |= settings.smtpd_tls_wrappermode;
        level.offered |= level.required;
        Ok(level)
    }
}

/// Whether a list matches the parents of the names in it.
pub(crate) fn parent_style(settings: &Settings, parameter: &str) -> ListFlags {
    let listed = &settings.parent_domain_matches_subdomains;
    if bytes::list::split(listed, bytes::list::SEPARATORS).any(|name| name.eq_ignore_ascii_case(parameter)) {
        ListFlags::Parent
    } else {
        ListFlags::Exact
    }
}

fn tempfail(parameter: &str, value: &str) -> Result<TempfailAction, String> {
    TempfailAction::parse(value).ok_or_else(|| format!("bad configuration: {parameter} = {value}"))
}

fn autodetects(settings: &Settings) -> bool {
    let classes = bytes::list::split(&settings.smtputf8_autodetect_classes, bytes::list::SEPARATORS);
    settings.smtputf8_enable
        && classes
            .into_iter()
            .any(|class| class.eq_ignore_ascii_case("all") || class.eq_ignore_ascii_case("smtpd"))
}

/// Lookups through `smtpd_dns_reply_filter`.
fn reply_filter(specs: &str, env: &Rc<Env>) -> dns::Lookup {
    if specs.is_empty() {
        return dns::Lookup::new();
    }
    let title = "smtpd_dns_reply_filter";
    let maps = Rc::new(Maps::open(title, specs, env, Flags::LOCK));
    dns::Lookup::new().filter(
        title,
        Rc::new(move |record: String| {
            let maps = maps.clone();
            Box::pin(async move {
                match maps.find(record.as_bytes()).await {
                    Ok(found) => Ok(found.map(|found| crate::text::show(&found.value).into_owned())),
                    Err(_) => Err(()),
                }
            })
        }),
    )
}
