//! What main.cf and master.cf say, read once.

#![allow(non_snake_case, reason = "fields are named as in main.cf")]

use std::net::{IpAddr, SocketAddr};

use conf::interfaces::{self, Protocols};
use conf::{MainCf, Mirror};
use daemon::Fatal;
use smtp::client::{HelloSettings, ProbeAt};
use smtp::{Protocol, ehlo::Keywords};

conf::param_set! {
    /// What smtp(8) and lmtp(8) read, each under its own prefix.
    mirrored pub struct Params {
        smtp_address_preference, smtp_address_verify_target, smtp_always_send_ehlo, smtp_balance_inet_protocols,
        smtp_bind_address, smtp_bind_address6, smtp_bind_address_enforce, smtp_body_checks, smtp_connect_timeout,
        smtp_connection_cache_destinations, smtp_connection_cache_on_demand, smtp_connection_cache_time_limit,
        smtp_connection_reuse_count_limit, smtp_connection_reuse_time_limit, smtp_data_done_timeout,
        smtp_data_init_timeout, smtp_data_xfer_timeout, smtp_defer_if_no_mx_address_found,
        smtp_delivery_status_filter, smtp_discard_ehlo_keyword_address_maps, smtp_discard_ehlo_keywords,
        smtp_dns_reply_filter, smtp_dns_resolver_options, smtp_dns_support_level, smtp_enforce_tls,
        smtp_fallback_relay, smtp_generic_maps, smtp_header_checks, smtp_helo_name, smtp_helo_timeout,
        smtp_host_lookup, smtp_line_length_limit, smtp_log_tls_feature_status, smtp_mail_timeout,
        smtp_mime_header_checks, smtp_min_data_rate, smtp_mx_address_limit, smtp_mx_session_limit,
        smtp_nested_header_checks, smtp_never_send_ehlo, smtp_per_request_deadline,
        smtp_pix_workaround_delay_time, smtp_pix_workaround_maps, smtp_pix_workaround_threshold_time,
        smtp_pix_workarounds, smtp_quit_timeout, smtp_quote_rfc821_envelope, smtp_randomize_addresses,
        smtp_rcpt_timeout, smtp_reply_filter, smtp_rset_timeout, smtp_sasl_auth_enable,
        smtp_sasl_password_maps, smtp_send_xforward_command, smtp_sender_dependent_authentication,
        smtp_skip_5xx_greeting, smtp_skip_quit_response, smtp_starttls_timeout, smtp_tcp_port, smtp_tls_CAfile,
        smtp_tls_CApath, smtp_tls_block_early_mail_reply, smtp_tls_cert_file, smtp_tls_chain_files,
        smtp_tls_connection_reuse, smtp_tls_eccert_file, smtp_tls_eckey_file, smtp_tls_enforce_peername,
        smtp_tls_exclude_ciphers, smtp_tls_fingerprint_digest, smtp_tls_key_file, smtp_tls_loglevel,
        smtp_tls_mandatory_exclude_ciphers, smtp_tls_mandatory_protocols, smtp_tls_note_starttls_offer,
        smtp_tls_per_site, smtp_tls_policy_maps, smtp_tls_protocols, smtp_tls_secure_cert_match,
        smtp_tls_session_cache_database,
        smtp_tls_security_level, smtp_tls_servername, smtp_tls_trust_anchor_file, smtp_tls_verify_cert_match,
        smtp_tls_wrappermode, smtp_use_tls, smtp_xforward_timeout
    }
}

conf::param_set! {
    /// What has one name for both.
    pub struct Common {
        best_mx_transport, disable_dns_lookups, disable_mime_output_conversion, double_bounce_sender,
        error_notice_recipient, header_from_format, header_size_limit, helpful_warnings, ignore_mx_lookup_error,
        line_length_limit, lmtp_assume_final, mail_name, mime_boundary_length_limit, mime_nesting_limit,
        minimal_backoff_time, mydestination, myhostname, myorigin, notify_classes, owner_request_special,
        process_name, propagate_unmatched_extensions, recipient_delimiter, relayhost, requiretls_enable,
        rewrite_service_name, soft_bounce, tls_append_default_CA, tls_required_enable, use_srv_lookup
    }
}

/// Which address family comes first among equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefer {
    Any,
    V4,
    V6,
}

/// How host names are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DnsSupport {
    Disabled,
    Enabled,
    Dnssec,
}

/// `flags=` of the master.cf entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServiceFlags {
    pub(crate) delivered_to: bool,
    pub(crate) original_to: bool,
    pub(crate) return_path: bool,
    pub(crate) final_delivery: bool,
}

impl ServiceFlags {
    pub(crate) fn adds_headers(self) -> bool {
        self.delivered_to || self.original_to || self.return_path
    }
}

/// Everything that was said, in the form in which it is used.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) protocol: Protocol,
    pub(crate) service: String,
    pub(crate) params: Params,
    pub(crate) common: Common,
    pub(crate) hello: HelloSettings,
    pub(crate) flags: ServiceFlags,
    pub(crate) prefer: Prefer,
    pub(crate) dns: DnsSupport,
    pub(crate) look_up_dns: bool,
    pub(crate) look_up_native: bool,
    pub(crate) search: dns::Search,
    pub(crate) families: Protocols,
    pub(crate) own: Vec<IpAddr>,
    pub(crate) proxies: Vec<IpAddr>,
    pub(crate) bind: Bind,
    pub(crate) probe_at: ProbeAt,
    pub(crate) discard: Keywords,
    pub(crate) services: Services,
    pub(crate) tls_level: tls::Level,
    pub(crate) tls_log: tls::LogMask,
    pub(crate) notify_protocol: bool,
    pub(crate) notify_data: bool,
}

/// Local addresses to connect from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bind {
    pub(crate) v4: Option<SocketAddr>,
    pub(crate) v6: Option<SocketAddr>,
    /// The address is configured, and must be used.
    pub(crate) enforce: bool,
}

impl Settings {
    pub(crate) fn load(main: &MainCf, service: &str, arguments: &[String]) -> Result<Self, Fatal> {
        let common = Common::load(main)?;
        let (protocol, mirror) = match common.process_name.as_str() {
            "smtp" => (Protocol::Smtp, Mirror::Smtp),
            "lmtp" => (Protocol::Lmtp, Mirror::Lmtp),
            other => {
                return Err(Fatal::new(format!(
                    "unexpected process name \"{other}\" - specify \"smtp\" or \"lmtp\""
                )));
            }
        };
        let params = Params::load_as(main, mirror)?;
        let prefix = if protocol == Protocol::Lmtp { "lmtp" } else { "smtp" };
        let own: Vec<IpAddr> = interfaces::own_addresses(main)?.into_iter().map(|own| own.address).collect();
        let dns = dns_support(&params, &common, prefix)?;
        let (mut look_up_dns, mut look_up_native) = (false, false);
        for word in words(&params.smtp_host_lookup) {
            match word.to_ascii_lowercase().as_str() {
                "dns" => look_up_dns = true,
                "native" => look_up_native = true,
                _ => return Err(unknown(&format!("{prefix}_host_lookup"), word, &params.smtp_host_lookup)),
            }
        }
        if dns == DnsSupport::Disabled {
            (look_up_dns, look_up_native) = (false, true);
        }
        let prefer = match params.smtp_address_preference.as_str() {
            "any" => Prefer::Any,
            "ipv4" => Prefer::V4,
            "ipv6" => Prefer::V6,
            other => return Err(Fatal::new(format!("bad {prefix}_address_preference value: {other}"))),
        };
        let probe_at = match params.smtp_address_verify_target.as_str() {
            "rcpt" => ProbeAt::Rcpt,
            "data" => ProbeAt::Data,
            other => {
                return Err(Fatal::new(format!(
                    "bad protocol stage: \"{prefix}_address_verify_target = {other}\""
                )));
            }
        };
        let notify = |class: &str| words(&common.notify_classes).any(|word| word.eq_ignore_ascii_case(class));
        warn_unsupported(&params, &common, prefix);
        let name = "smtp_tls_security_level";
        if protocol == Protocol::Smtp && conf::compat::is_legacy_default(main, name) {
            log::info!("{}", conf::compat::legacy_notice(name, "(empty)"));
        }
        Ok(Self {
            protocol,
            service: service.to_owned(),
            hello: HelloSettings {
                protocol,
                helo_name: params.smtp_helo_name.clone().into_bytes(),
                my_hostname: common.myhostname.clone().into_bytes(),
                always_ehlo: params.smtp_always_send_ehlo,
                never_ehlo: params.smtp_never_send_ehlo,
                skip_5xx_greeting: params.smtp_skip_5xx_greeting,
                wrapper_mode: params.smtp_tls_wrappermode,
            },
            flags: service_flags(arguments, protocol, &common)?,
            prefer,
            dns,
            look_up_dns,
            look_up_native,
            search: search(&params, prefix)?,
            families: interfaces::protocols(main)?,
            proxies: interfaces::proxy_addresses(main)?,
            bind: bind(&params, prefix, &own)?,
            own,
            probe_at,
            discard: Keywords::parse(&params.smtp_discard_ehlo_keywords),
            services: Services::read(),
            tls_level: tls_level(&params)?,
            tls_log: tls::LogMask::parse(&format!("{prefix}_tls_loglevel"), &params.smtp_tls_loglevel),
            notify_protocol: notify("protocol"),
            notify_data: notify("data"),
            params,
            common,
        })
    }

    /// The name of a parameter as this program knows it; `rest` follows `smtp_`.
    pub(crate) fn name(&self, rest: &str) -> String {
        let prefix = if self.protocol == Protocol::Lmtp { "lmtp" } else { "smtp" };
        format!("{prefix}_{rest}")
    }

    /// Whether `address` is one of ours.
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.own.contains(&address) || self.proxies.contains(&address)
    }
}

pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    bytes::list::split(text, bytes::list::SEPARATORS)
}

fn unknown(parameter: &str, word: &str, text: &str) -> Fatal {
    Fatal::new(format!("unknown {parameter} value \"{word}\" in \"{text}\""))
}

fn dns_support(params: &Params, common: &Common, prefix: &str) -> Result<DnsSupport, Fatal> {
    match params.smtp_dns_support_level.as_str() {
        "" if common.disable_dns_lookups => Ok(DnsSupport::Disabled),
        "" | "enabled" => Ok(DnsSupport::Enabled),
        "disabled" => Ok(DnsSupport::Disabled),
        "dnssec" => Ok(DnsSupport::Dnssec),
        other => Err(Fatal::new(format!("invalid {prefix}_dns_support_level: \"{other}\""))),
    }
}

fn search(params: &Params, prefix: &str) -> Result<dns::Search, Fatal> {
    let (mut default, mut dotted) = (false, false);
    for word in words(&params.smtp_dns_resolver_options) {
        match word.to_ascii_lowercase().as_str() {
            "res_defnames" => default = true,
            "res_dnsrch" => dotted = true,
            _ => {
                return Err(unknown(
                    &format!("{prefix}_dns_resolver_options"),
                    word,
                    &params.smtp_dns_resolver_options,
                ));
            }
        }
    }
    Ok(match (default, dotted) {
        (false, false) => dns::Search::Off,
        (true, false) => dns::Search::DefaultDomain,
        (false, true) => dns::Search::DottedNames,
        (true, true) => dns::Search::List,
    })
}

fn service_flags(arguments: &[String], protocol: Protocol, common: &Common) -> Result<ServiceFlags, Fatal> {
    let mut flags = ServiceFlags::default();
    let mut last = "flags=";
    for argument in arguments {
        let Some(letters) =
            argument.get(6..).filter(|_| bytes::starts_with_ignore_case(argument.as_bytes(), b"flags="))
        else {
            return Err(Fatal::new(format!("unknown attribute name: {argument}")));
        };
        last = argument;
        flags = ServiceFlags::default();
        for letter in letters.chars() {
            match letter {
                'D' => flags.delivered_to = true,
                'O' => flags.original_to = true,
                'R' => flags.return_path = true,
                'X' => flags.final_delivery = true,
                other => return Err(Fatal::new(format!("unknown value '{other}' in \"{argument}\""))),
            }
        }
    }
    if protocol == Protocol::Lmtp && common.lmtp_assume_final && !flags.final_delivery {
        flags.final_delivery = true;
        log::warning!("lmtp_assume_final is obsolete; instead, specify \"{last}X\" in master.cf");
    }
    Ok(flags)
}

fn bind(params: &Params, prefix: &str, own: &[IpAddr]) -> Result<Bind, Fatal> {
    let configured = |name: &str, text: &str| -> Result<Option<SocketAddr>, Fatal> {
        if text.is_empty() {
            return Ok(None);
        }
        let bare = match text.strip_prefix('[') {
            None => text,
            Some(inner) => inner.strip_suffix(']').ok_or_else(|| {
                Fatal::new(format!("smtp_connect_addr: malformed {prefix}_{name} parameter: {text}"))
            })?,
        };
        let address: IpAddr = bare.parse().map_err(|_| {
            Fatal::new(format!(
                "smtp_connect_addr: bad {prefix}_{name} parameter: {bare}: Name or service not known"
            ))
        })?;
        Ok(Some(SocketAddr::new(address, 0)))
    };
    // A virtual host with one address of its own is recognised by it; several addresses leave the choice to the system.
    let only = |wanted: fn(&IpAddr) -> bool| {
        let mut found = own.iter().copied().filter(wanted);
        match (found.next(), found.next()) {
            (Some(address), None) if !address.is_loopback() => Some(SocketAddr::new(address, 0)),
            _ => None,
        }
    };
    let v4 = configured("bind_address", &params.smtp_bind_address)?;
    let v6 = configured("bind_address6", &params.smtp_bind_address6)?;
    Ok(Bind {
        v4: v4.or_else(|| only(IpAddr::is_ipv4)),
        v6: v6.or_else(|| only(IpAddr::is_ipv6)),
        enforce: params.smtp_bind_address_enforce,
    })
}

fn tls_level(params: &Params) -> Result<tls::Level, Fatal> {
    let text = params.smtp_tls_security_level.as_str();
    if !text.is_empty() {
        return tls::Level::by_name(text).ok_or_else(|| Fatal::new(format!("Invalid TLS level \"{text}\"")));
    }
    Ok(match (params.smtp_enforce_tls, params.smtp_tls_enforce_peername, params.smtp_use_tls) {
        (true, true, _) => tls::Level::Verify,
        (true, false, _) => tls::Level::Encrypt,
        (false, _, true) => tls::Level::May,
        _ => tls::Level::None,
    })
}

fn warn_unsupported(params: &Params, common: &Common, prefix: &str) {
    let ignore = |name: &str, why: &str| log::warning!("{prefix}_{name}: {why} -- ignoring this setting");
    if !params.smtp_tls_trust_anchor_file.is_empty() {
        ignore("tls_trust_anchor_file", "separate trust anchors are not supported");
    }
    if !params.smtp_tls_per_site.is_empty() {
        ignore("tls_per_site", "the obsolete per-site tables are not supported; use policy maps");
    }
    if !common.use_srv_lookup.is_empty() {
        log::warning!("use_srv_lookup: SRV lookups are not supported -- ignoring this setting");
    }
}

/// TCP service names, read before the jail.
#[derive(Debug)]
pub(crate) struct Services(Vec<(String, u16)>);

impl Services {
    fn read() -> Self {
        let text = std::fs::read("/etc/services").unwrap_or_default();
        let mut known = Vec::new();
        for line in String::from_utf8_lossy(&text).lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
            let (Some(name), Some(port)) = (words.next(), words.next()) else { continue };
            if let Some(port) = port.strip_suffix("/tcp").and_then(|port| port.parse().ok()) {
                known.push((name.to_owned(), port));
                known.extend(words.map(|alias| (alias.to_owned(), port)));
            }
        }
        Self(known)
    }

    /// The port of a service. The ports of mail do not depend on a file.
    pub(crate) fn port(&self, name: &str) -> Option<u16> {
        const MAIL: [(&str, u16); 6] = [
            ("smtp", 25),
            ("lmtp", 24),
            ("submission", 587),
            ("submissions", 465),
            ("smtps", 465),
            ("ssmtp", 465),
        ];
        let own = MAIL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, port)| *port);
        own.or_else(|| self.0.iter().find(|(known, _)| known == name).map(|(_, port)| *port))
    }
}
