//! smtpd(8) as master(8) runs it.

use crate::connection::{Conversation, Wire};
use crate::outside::by_hand::{ByHand, simplify};
use crate::outside::postfix::Services;
use crate::params::Settings;
use crate::peer::Peer;
use crate::server::Server;
use crate::session::Session;
use conf::MainCf;
use daemon::{Clients, Connection, Control, Fatal, Service, Startup, Transport};
use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use table::Env;
use tls::{AskCertificate, Keyring, ServerSettings, Tickets};
use tokio::net::UnixStream;

/// The SMTP server.
pub struct Smtpd {
    server: Rc<Server>,
    /// What `server` is to the sessions that begin while there are as many as there may be.
    stressed: Option<Rc<Server>>,
    tls: Option<tls::Server>,
    keyring: Option<Arc<Keyring>>,
    env: Rc<Env>,
    service: Rc<str>,
    is_handed_over: bool,
    is_by_hand: bool,
    control: OnceCell<Control>,
}

impl Service for Smtpd {
    const PROGRAM: &'static str = "smtpd";
    const CLIENTS: Clients = Clients::Many;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        if let Some(argument) = startup.options.arguments.first() {
            return Err(Fatal::new(format!("unexpected command-line argument: {argument}")));
        }
        if startup.options.stand_alone && sys::identity::real_uid() != owner(startup)? {
            return Self::by_hand(startup);
        }
        let env = Env::load(&startup.main)?;
        let settings = Settings::load(&startup.main)?;
        let services = Rc::new(Services::new(&startup.main, &env, &settings)?);
        let resolver = dns::Resolver::system();
        let open = |main: &MainCf| -> Result<Server, Fatal> {
            let outside = services.clone();
            let server = Server::open(main, &env, outside, resolver.clone()).map_err(Fatal::new)?;
            server.require_relay_restriction().map_err(Fatal::new)?;
            Ok(server)
        };
        let mut server = open(&startup.main)?;
        server.check_settings().map_err(Fatal::new)?;
        let mut stressed = startup.stressed().map(|main| open(&main)).transpose()?;
        let keyring = keyring(&settings).filter(|_| server.tls.offered);
        let tls = if server.tls.offered { context(&settings, &server, keyring.clone()) } else { None };
        for server in [Some(&mut server), stressed.as_mut()].into_iter().flatten() {
            server.has_tls_context = tls.is_some();
        }
        if !server.families.ipv4 && !server.families.ipv6 {
            let value = &settings.inet_protocols;
            return Err(Fatal::new(format!("all network protocols are disabled (inet_protocols = {value})")));
        }
        Ok(Smtpd {
            server: Rc::new(server),
            stressed: stressed.map(Rc::new),
            tls,
            keyring,
            env,
            service: startup.options.service.as_str().into(),
            is_handed_over: startup.options.transport == Transport::Pass,
            control: OnceCell::new(),
            is_by_hand: false,
        })
    }

    async fn begin(self: &Rc<Self>, control: &Control) -> Result<(), Fatal> {
        self.control.get_or_init(|| control.clone());
        if let Some(keyring) = self.keyring.clone() {
            let settings = &self.server.settings;
            let manager = ipc::tlsmgr::Manager::new(format!("private/{}", settings.tlsmgr_service_name))
                .limits(settings.ipc_timeout, settings.ipc_ttl);
            tokio::task::spawn_local(async move { keyring.follow(manager).await });
        }
        Ok(())
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        if let Some(table) = self.env.changed_table() {
            log::info!("table {table} has changed -- restarting");
            if let Some(control) = self.control.get() {
                control.retire();
            }
        }
        let server = self.server_now();
        let (wire, peer) = match connection {
            Connection::Tcp(socket, client) => {
                let ends = socket.local_addr().ok().map(|own| (client, own));
                let peer = Box::pin(Peer::connected(&server, ends)).await;
                (Wire::Tcp(socket), peer)
            }
            Connection::Unix(socket) => match UnixStream::from_std(socket) {
                Ok(socket) => (Wire::Unix(socket), Peer::local(&server)),
                Err(error) => return log::warning!("client socket: {}", sys::reason(&error)),
            },
            Connection::Datagrams(_) | Connection::Triggers(_) => return,
        };
        log::info!("connect from {}", peer.namaddr);
        let mut session = Box::new(Session::new(server.clone(), self.service.clone(), peer));
        session.stand_alone = self.is_by_hand;
        if self.is_handed_over {
            session.handed_over();
        }
        let conversation = Conversation::new(server, self.tls.clone(), wire, session);
        drop(self);
        conversation.run().await;
    }
}

/// Where keys for session tickets are kept, if there are to be tickets.
fn keyring(settings: &Settings) -> Option<Arc<Keyring>> {
    let lifetime = settings.smtpd_tls_session_cache_timeout;
    let has_tickets = !lifetime.is_zero() && !settings.tls_session_ticket_cipher.is_empty();
    has_tickets.then(|| Arc::new(Keyring::new(lifetime)))
}

impl Smtpd {
    fn server_now(&self) -> Rc<Server> {
        let is_stressed = self.control.get().is_some_and(Control::is_stressed);
        let stressed = self.stressed.as_ref().filter(|_| is_stressed);
        Rc::clone(stressed.unwrap_or(&self.server))
    }

    /// A server that a user started, for `sendmail -bs`.
    fn by_hand(startup: &Startup) -> Result<Self, Fatal> {
        let mut main = startup.main.clone();
        simplify(&mut main);
        let env = Env::load(&main)?;
        let places = Places::load(&main)?;
        let outside = Rc::new(ByHand::new(&places.command_directory));
        let server = Server::open(&main, &env, outside, dns::Resolver::system()).map_err(Fatal::new)?;
        Ok(Smtpd {
            server: Rc::new(server),
            stressed: None,
            tls: None,
            keyring: None,
            env,
            service: startup.options.service.as_str().into(),
            is_handed_over: false,
            control: OnceCell::new(),
            is_by_hand: true,
        })
    }
}

conf::param_set! {
    struct Places { command_directory, mail_owner }
}

/// The user id of `mail_owner`.
fn owner(startup: &Startup) -> Result<u32, Fatal> {
    let name = Places::load(&startup.main)?.mail_owner;
    match sys::identity::User::from_name(&name).map_err(std::io::Error::from)? {
        Some(user) => Ok(user.uid.as_raw()),
        None => Err(Fatal::new(format!("mail_owner: unknown user: {name}"))),
    }
}

/// The TLS context; without one, STARTTLS gets a temporary error.
fn context(settings: &Settings, server: &Server, keyring: Option<Arc<Keyring>>) -> Option<tls::Server> {
    let ask = settings.smtpd_tls_ask_ccert || (server.tls.required && settings.smtpd_tls_req_ccert);
    let chain_files: Vec<PathBuf> =
        bytes::list::split(&settings.smtpd_tls_chain_files, bytes::list::SEPARATORS)
            .map(PathBuf::from)
            .collect();
    let has_legacy_file =
        [&settings.smtpd_tls_cert_file, &settings.smtpd_tls_eccert_file, &settings.smtpd_tls_dcert_file]
            .iter()
            .any(|file| !file.is_empty() && !file.eq_ignore_ascii_case("none"));
    if has_legacy_file && !chain_files.is_empty() {
        log::warning!(
            "Both smtpd_tls_chain_files and one or more of the legacy  smtpd_tls_cert_file, \
             smtpd_tls_eccert_file or smtpd_tls_dcert_file are non-empty; the legacy  parameters will be ignored"
        );
    }
    if !has_legacy_file && chain_files.is_empty() && ask {
        log::warning!("Need a server cert to request client certs");
    }
    if !server.tls.required && settings.smtpd_tls_req_ccert {
        log::warning!("Can't require client certs unless TLS is required");
    }
    if !settings.tls_server_sni_maps.is_empty() {
        log::warning!("tls_server_sni_maps is not supported: all clients get the default certificate");
    }
    let grade = match server.tls.required {
        true => &settings.smtpd_tls_mandatory_ciphers,
        false => &settings.smtpd_tls_ciphers,
    };
    if !tls::knows_grade(grade) {
        log::warning!("invalid cipher grade: \"{grade}\": disabling TLS support");
        return None;
    }
    let mut exclude = settings.smtpd_tls_exclude_ciphers.clone();
    if server.tls.required {
        exclude = format!("{exclude} {}", settings.smtpd_tls_mandatory_exclude_ciphers);
    }
    let protocols = match server.tls.required {
        true => &settings.smtpd_tls_mandatory_protocols,
        false => &settings.smtpd_tls_protocols,
    };
    let made = tls::Server::new(&ServerSettings {
        chain_files,
        cert_file: PathBuf::from(&settings.smtpd_tls_cert_file),
        key_file: PathBuf::from(&settings.smtpd_tls_key_file),
        eccert_file: PathBuf::from(&settings.smtpd_tls_eccert_file),
        eckey_file: PathBuf::from(&settings.smtpd_tls_eckey_file),
        dcert_file: PathBuf::from(&settings.smtpd_tls_dcert_file),
        ca_file: PathBuf::from(&settings.smtpd_tls_CAfile),
        ca_path: PathBuf::from(&settings.smtpd_tls_CApath),
        append_default_ca: settings.tls_append_default_CA,
        ask: if ask { AskCertificate::Yes } else { AskCertificate::No },
        protocols: protocols.clone(),
        exclude_ciphers: exclude,
        fingerprint_digest: settings.smtpd_tls_fingerprint_digest.clone(),
        preempt_cipherlist: settings.tls_preempt_cipherlist,
        tickets: keyring.map_or(Tickets::Off, Tickets::Keyring),
    });
    match made {
        Ok(context) => Some(context),
        Err(error) => {
            error.warn();
            None
        }
    }
}
