//! What every program reads, and the checks that every program makes first.

use crate::computed::valid_hostname;
use crate::{Error, MainCf};
use sys::{Group, User};

crate::param_set! {
    /// What every program reads.
    pub struct CommonParams {
        compatibility_level, mail_version, syslog_facility, inet_protocols, multi_instance_directories, multi_instance_group, multi_instance_name, maillog_file, maillog_file_prefixes, maillog_file_compressor, maillog_file_rotate_suffix, maillog_file_permissions, postlog_service_name, dnssec_probe, known_tcp_ports, service_name, daemon_table_open_error_is_fatal, dns_ncache_ttl_fix_enable, smtputf8_enable, enable_idna2003_compatibility, respectful_logging, requiretls_enable, tls_required_enable, non_bdb_migration_log_redirect, myhostname, mydomain, mail_name, syslog_name, mail_owner, setgid_group, mydestination, myorigin, relayhost, daemon_directory, data_directory, command_directory, meta_directory, queue_directory, shlib_directory, process_id_directory, inet_interfaces, proxy_interfaces, double_bounce_sender, default_privs, mail_release_date, default_database_type, default_cache_db_type, alias_database, hash_queue_names, recipient_delimiter, relay_domains, fast_flush_domains, export_environment, import_environment, mynetworks_style, debug_peer_list, default_verp_delimiters, verp_delimiter_filter, parent_domain_matches_subdomains, alternate_config_directories, bounce_service_name, cleanup_service_name, defer_service_name, pickup_service_name, queue_service_name, rewrite_service_name, showq_service_name, error_service_name, flush_service_name, address_verify_service_name, trace_service_name, proxymap_service_name, proxywrite_service_name, internal_mail_filter_classes, multi_instance_wrapper, default_delivery_status_filter, smtputf8_autodetect_classes, message_drop_headers, info_log_address_format, non_bdb_migration_level, non_bdb_migration_service_name, non_bdb_custom_mapping, mynetworks, default_process_limit, max_use, dont_remove, line_length_limit, hash_queue_depth, fork_attempts, deliver_lock_attempts, debug_peer_level, fault_injection_code, berkeley_db_create_buffer_size, berkeley_db_read_buffer_size, header_size_limit, header_address_token_limit, mime_nesting_limit, mime_boundary_length_limit, delay_logging_resolution_limit, tcp_windowsize, socketmap_max_reply_size, message_size_limit, lmdb_map_size, application_event_drain_time, max_idle, ipc_timeout, ipc_idle, ipc_ttl, trigger_timeout, fork_delay, deliver_lock_delay, stale_lock_time, daemon_timeout, in_flow_delay, disable_dns_lookups, soft_bounce, owner_request_special, strict_8bitmime, strict_7bit_headers, strict_8bitmime_body, strict_mime_encoding_domain, disable_mime_input_processing, disable_mime_output_conversion, address_verify_negative_cache, backwards_bounce_logfile_compatibility, helpful_warnings, send_cyrus_sasl_authzid, multi_instance_enable, enable_long_queue_ids, strict_smtputf8, enable_original_recipient, process_id, process_name
    }
}

/// The system accounts that the configuration names, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accounts {
    /// `mail_owner`.
    pub owner_uid: u32,
    /// The group of `mail_owner`.
    pub owner_gid: u32,
    /// `setgid_group`.
    pub setgid_gid: u32,
    /// `default_privs`.
    pub default_uid: u32,
    /// The group of `default_privs`.
    pub default_gid: u32,
}

impl CommonParams {
    /// Checks what does not depend on one parameter alone, in Postfix's order, and finds the accounts.
    pub fn check(&self, main: &MainCf) -> Result<Accounts, Error> {
        let file = format!("file {}/main.cf", main.path().display());
        for (name, value) in [("myhostname", &self.myhostname), ("mydomain", &self.mydomain)] {
            if let Err(problem) = valid_hostname(value) {
                log::warning!("valid_hostname: {problem}");
                return Err(Error::Value(format!("{file}: parameter {name}: bad parameter value: {value}")));
            }
        }
        let accounts = self.accounts(&file)?;
        if self.myhostname.eq_ignore_ascii_case(&self.relayhost) {
            let problem = "myhostname and relayhost parameter settings must not be identical";
            return Err(Error::Value(format!("{problem}: {}", self.myhostname)));
        }
        if self.myorigin.contains([',', ' ', '\t', '\r', '\n']) {
            let problem = "myorigin parameter setting must not contain multiple values";
            return Err(Error::Value(format!("{problem}: {}", self.myorigin)));
        }
        if let Some(problem) = self.bad_verp_delimiters() {
            let names = "default_verp_delimiters and verp_delimiter_filter";
            return Err(Error::Value(format!("{file}: parameters {names}: {problem}")));
        }
        Ok(accounts)
    }

    /// Finds the accounts and refuses those that are privileged or shared.
    fn accounts(&self, file: &str) -> Result<Accounts, Error> {
        let (default_uid, default_gid) = unprivileged(file, "default_privs", &self.default_privs)?;
        let (owner_uid, owner_gid) = unprivileged(file, "mail_owner", &self.mail_owner)?;
        let sharer = User::from_uid(owner_uid.into()).ok().flatten().map(|user| user.name);
        if let Some(sharer) = sharer.filter(|name| *name != self.mail_owner) {
            return Err(Error::Value(format!(
                "{file}: parameter mail_owner: user {} has the same user ID {owner_uid} as user {sharer}",
                self.mail_owner
            )));
        }
        let setgid_gid = unprivileged_group(file, &self.setgid_group)?;
        let accounts = Accounts { owner_uid, owner_gid, setgid_gid, default_uid, default_gid };
        match self.overlap(accounts) {
            Some(problem) => Err(Error::Value(format!("{file}: parameters {problem}"))),
            None => Ok(accounts),
        }
    }

    fn overlap(&self, accounts: Accounts) -> Option<String> {
        let Accounts { owner_uid, owner_gid, setgid_gid, default_uid, default_gid } = accounts;
        let (privs, owner, group) = (&self.default_privs, &self.mail_owner, &self.setgid_group);
        if privs == owner {
            return Some(format!("default_privs and mail_owner specify the same user {privs}"));
        }
        let users = format!("default_privs and mail_owner: users {privs} and {owner} have the same");
        if default_uid == owner_uid {
            return Some(format!("{users} user ID: {owner_uid}"));
        }
        if default_gid == owner_gid {
            return Some(format!("{users} group ID: {owner_gid}"));
        }
        let same = "have the same group ID";
        if default_gid == setgid_gid {
            return Some(format!(
                "default_privs and setgid_group: user {privs} and group {group} {same}: {setgid_gid}"
            ));
        }
        if owner_gid == setgid_gid {
            return Some(format!(
                "mail_owner and setgid_group: user {owner} and group {group} {same}: {setgid_gid}"
            ));
        }
        None
    }

    fn bad_verp_delimiters(&self) -> Option<&'static str> {
        let filter = self.verp_delimiter_filter.as_bytes();
        match *self.default_verp_delimiters.as_bytes() {
            [first, _] if !filter.contains(&first) => Some("bad first VERP delimiter character"),
            [_, second] if !filter.contains(&second) => Some("bad second VERP delimiter character"),
            [_, _] => None,
            _ => Some("bad VERP delimiter character count"),
        }
    }
}

fn unprivileged(file: &str, parameter: &str, name: &str) -> Result<(u32, u32), Error> {
    let failed = |problem: String| Error::Value(format!("{file}: parameter {parameter}: {problem}"));
    let Some(user) = User::from_name(name).ok().flatten() else {
        return Err(failed(format!("unknown user name value: {name}")));
    };
    match (user.uid.as_raw(), user.gid.as_raw()) {
        (0, _) => Err(failed(format!("user {name} has privileged user ID"))),
        (_, 0) => Err(failed(format!("user {name} has privileged group ID"))),
        ids => Ok(ids),
    }
}

fn unprivileged_group(file: &str, name: &str) -> Result<u32, Error> {
    let failed = |problem: String| Error::Value(format!("{file}: parameter setgid_group: {problem}"));
    let Some(group) = Group::from_name(name).ok().flatten() else {
        return Err(failed(format!("unknown group name: {name}")));
    };
    let gid = group.gid.as_raw();
    if gid == 0 {
        return Err(failed(format!("group {name} has privileged group ID")));
    }
    let sharer = Group::from_gid(group.gid).ok().flatten().map(|group| group.name);
    match sharer.filter(|sharer| sharer != name) {
        Some(sharer) => Err(failed(format!("group {name} has the same group ID {gid} as group {sharer}"))),
        None => Ok(gid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(settings: &[(&str, &str)]) -> (MainCf, CommonParams) {
        let mut main = MainCf::empty(std::path::Path::new("/etc/postfix"));
        main.set("myhostname", "mail.example.com");
        settings.iter().for_each(|(name, value)| main.set(name, value));
        let params = CommonParams::load(&main).unwrap();
        (main, params)
    }

    #[test]
    fn checks() {
        for (name, value, problem) in [
            (
                "myhostname",
                "a b",
                "file /etc/postfix/main.cf: parameter myhostname: bad parameter value: a b",
            ),
            (
                "default_privs",
                "root",
                "file /etc/postfix/main.cf: parameter default_privs: user root has privileged user ID",
            ),
            (
                "default_privs",
                "no-such",
                "file /etc/postfix/main.cf: parameter default_privs: unknown user name value: no-such",
            ),
        ] {
            let (main, params) = common(&[(name, value)]);
            assert_eq!(params.check(&main).unwrap_err().to_string(), problem);
        }
    }

    #[test]
    fn sharing() {
        let (_, params) = common(&[]);
        let ids = |owner_uid, owner_gid, setgid_gid| Accounts {
            owner_uid,
            owner_gid,
            setgid_gid,
            default_uid: 9,
            default_gid: 9,
        };
        assert_eq!(params.overlap(ids(1, 1, 2)), None);
        assert_eq!(
            params.overlap(ids(1, 2, 2)).unwrap(),
            "mail_owner and setgid_group: user postfix and group postdrop have the same group ID: 2"
        );
        assert_eq!(
            params.overlap(ids(9, 1, 2)).unwrap(),
            "default_privs and mail_owner: users nobody and postfix have the same user ID: 9"
        );
    }
}
