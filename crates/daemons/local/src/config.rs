//! What local(8) reads, and what it opens.

use std::rc::Rc;

use address::Splitter;
use bytes::NameMask;
use conf::MainCf;
use ipc::rewrite::Rewriter;
use mailbox::{Identity, Locks, Rights, find_user};
use table::{Env, Flags, Maps};

conf::param_set! {
    /// What local(8) reads.
    pub struct LocalParams {
        alias_maps, allow_mail_to_commands, allow_mail_to_files, biff, command_execution_directory,
        command_expansion_filter, command_time_limit, default_privs, double_bounce_sender,
        duplicate_filter_limit, enable_original_recipient, execution_directory_expansion_filter,
        expand_owner_alias, fallback_transport, fallback_transport_maps, forward_expansion_filter, forward_path,
        frozen_delivered_to, home_mailbox, line_length_limit, local_command_shell,
        local_delivery_status_filter, luser_relay, mail_name, mail_spool_directory, mailbox_command,
        mailbox_command_maps, mailbox_delivery_lock, mailbox_size_limit, mailbox_transport,
        mailbox_transport_maps, message_size_limit, myhostname, owner_request_special,
        prepend_delivered_header, propagate_unmatched_extensions, recipient_delimiter,
        require_home_directory, reset_owner_alias, rewrite_service_name, cleanup_service_name,
        smtputf8_autodetect_classes, strict_mailbox_ownership, sun_mailtool_compatibility
    }
}

/// By what kind of list an address came up; bits, as sets of them are parameters.
pub(crate) mod expansion {
    pub(crate) const ALIAS: u32 = 1;
    pub(crate) const FORWARD: u32 = 2;
    pub(crate) const INCLUDE: u32 = 4;
}

/// Deliveries that get a `Delivered-To:` header.
pub(crate) mod delivered_header {
    pub(crate) const COMMAND: u32 = 1;
    pub(crate) const FILE: u32 = 2;
    pub(crate) const FORWARD: u32 = 4;
}

const EXPANSIONS: NameMask = NameMask(&[
    ("alias", expansion::ALIAS),
    ("forward", expansion::FORWARD),
    ("include", expansion::INCLUDE),
]);

const HEADERS: NameMask = NameMask(&[
    ("command", delivered_header::COMMAND),
    ("file", delivered_header::FILE),
    ("forward", delivered_header::FORWARD),
]);

// The rest of the names are for cleanup(8) and the SMTP client.
const PROPAGATIONS: NameMask = NameMask(&[
    ("canonical", 0),
    ("virtual", 0),
    ("alias", expansion::ALIAS),
    ("forward", expansion::FORWARD),
    ("include", expansion::INCLUDE),
    ("generic", 0),
]);

/// The configuration, live.
pub(crate) struct Config {
    pub(crate) params: LocalParams,
    /// The service's name, under which trivial-rewrite(8) knows it as a transport.
    pub(crate) service: String,
    pub(crate) rights: Rights,
    pub(crate) locks: Locks,
    /// `default_privs`.
    pub(crate) default: Identity,
    /// Expansions in which `|command` is allowed.
    pub(crate) commands: u32,
    /// Expansions in which `/file/name` is allowed.
    pub(crate) files: u32,
    /// Expansions that pass an unmatched extension on.
    pub(crate) propagation: u32,
    /// Deliveries with a `Delivered-To:` header.
    pub(crate) headers: u32,
    pub(crate) splitter: Splitter,
    pub(crate) aliases: Maps,
    pub(crate) mailbox_transports: Maps,
    pub(crate) fallback_transports: Maps,
    pub(crate) mailbox_commands: Maps,
    pub(crate) rewriter: Rewriter,
    /// `export_environment`
    pub(crate) export: Vec<String>,
    /// Whether forwarded mail is looked through for the need of SMTPUTF8.
    pub(crate) autodetects_utf8: bool,
}

impl Config {
    pub(crate) fn load(main: &MainCf, env: &Rc<Env>, service: &str) -> Result<Self, conf::Error> {
        let params = LocalParams::load(main)?;
        let default = find_user(params.default_privs.as_bytes()).ok().flatten().ok_or_else(|| {
            let file = format!("file {}/main.cf", main.path().display());
            let text = format!("parameter default_privs: unknown user name value: {}", params.default_privs);
            conf::Error::Value(format!("{file}: {text}"))
        })?;
        let default = Identity::of(&default);
        if default.uid == 0 || default.gid == 0 {
            return Err(conf::Error::Value("privileged default user or group id".to_owned()));
        }
        let mut locks = Locks::load(main, &params.mailbox_delivery_lock)?;
        if params.sun_mailtool_compatibility {
            let instead = "use \"mailbox_delivery_lock = dotlock\" instead";
            log::warning!("sun_mailtool_compatibility: deprecated parameter, {instead}");
            locks = Locks { flock: false, fcntl: false, ..locks };
        }
        if locks.is_none() {
            let text = "parameter mailbox_delivery_lock specifies no applicable mailbox locking method";
            return Err(conf::Error::Value(text.to_owned()));
        }
        let transport_flags = Flags::LOCK | Flags::NO_REGSUB | Flags::UTF8_REQUEST;
        let command_flags = Flags::LOCK | Flags::PARANOID | Flags::UTF8_REQUEST;
        let maps = |title: &str, specs: &str, flags| Maps::open(title, specs, env, flags);
        let classes = &params.smtputf8_autodetect_classes;
        let autodetects_utf8 = bytes::list::split(classes, bytes::list::SEPARATORS)
            .any(|class| class.eq_ignore_ascii_case("forward") || class.eq_ignore_ascii_case("all"));
        Ok(Self {
            service: service.to_owned(),
            rights: Rights::load(main)?,
            locks,
            default,
            commands: set(&EXPANSIONS, "allow_mail_to_commands", &params.allow_mail_to_commands)?,
            files: set(&EXPANSIONS, "allow_mail_to_files", &params.allow_mail_to_files)?,
            propagation: set(
                &PROPAGATIONS,
                "propagate_unmatched_extensions",
                &params.propagate_unmatched_extensions,
            )?,
            headers: set(&HEADERS, "prepend_delivered_header", &params.prepend_delivered_header)?,
            splitter: Splitter::new(params.recipient_delimiter.as_str())
                .with_double_bounce_sender(params.double_bounce_sender.as_str())
                .with_owner_request_special(params.owner_request_special),
            aliases: maps("aliases", &params.alias_maps, Flags::LOOKUP | Flags::PARANOID),
            mailbox_transports: maps(
                "mailbox_transport_maps",
                &params.mailbox_transport_maps,
                transport_flags,
            ),
            fallback_transports: maps(
                "fallback_transport_maps",
                &params.fallback_transport_maps,
                transport_flags,
            ),
            mailbox_commands: maps("mailbox_command_maps", &params.mailbox_command_maps, command_flags),
            rewriter: Rewriter::new(format!("private/{}", params.rewrite_service_name)),
            export: conf::environment::export_list(main)?,
            autodetects_utf8,
            params,
        })
    }
}

fn set(names: &NameMask, parameter: &str, value: &str) -> Result<u32, conf::Error> {
    names.parse(value).map_err(|unknown| {
        conf::Error::Value(format!("unknown {parameter} value \"{}\" in \"{value}\"", unknown.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::main_cf;

    fn load(settings: &[(&str, &str)]) -> Result<Config, conf::Error> {
        let main = main_cf(settings);
        Config::load(&main, &Env::load(&main)?, "local")
    }

    #[test]
    fn sets_of_names() {
        let config = load(&[("allow_mail_to_files", "alias,include")]).unwrap();
        assert_eq!((config.commands, config.files), (3, 5));
        assert_eq!((config.propagation, config.headers), (0, 7));
        let error = load(&[("allow_mail_to_commands", "alias, all")]).err().unwrap();
        assert_eq!(error.to_string(), "unknown allow_mail_to_commands value \"all\" in \"alias, all\"");
        assert!(load(&[("propagate_unmatched_extensions", "canonical generic forward")]).is_ok());
    }

    #[test]
    fn locks_there_must_be() {
        let error = load(&[("mailbox_delivery_lock", "fcntl"), ("sun_mailtool_compatibility", "yes")]);
        assert_eq!(
            error.err().unwrap().to_string(),
            "parameter mailbox_delivery_lock specifies no applicable mailbox locking method"
        );
    }
}
