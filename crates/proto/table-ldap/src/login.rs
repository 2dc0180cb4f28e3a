//! From the settings to a connection that can be searched over.

use std::path::PathBuf;
use std::time::Duration;

use database_link::{Name, Secure, link};
use tokio::time::timeout;

use crate::code::Code;
use crate::connection::Connection;
use crate::message::Credentials;
use crate::url::{Scheme, Url};

/// Where the local socket is when a URL does not say so.
const USUAL_SOCKET: &str = "/var/run/slapd/ldapi";
/// What local sockets are worth as protection, in the bits that `sasl_minssf` counts; as in OpenLDAP.
const LOCAL_STRENGTH: i32 = 71;
/// What TLS is worth: no cipher suite here has less.
const TLS_STRENGTH: i32 = 128;

/// How to get a connection.
pub(crate) struct Login {
    /// `server_host`, as URLs.
    pub(crate) servers: String,
    /// Nothing when one of them is no URL.
    pub(crate) places: Option<Vec<Place>>,
    pub(crate) version: u32,
    pub(crate) start_tls: bool,
    pub(crate) secure: Secure,
    pub(crate) bind: Bind,
    pub(crate) limit: Duration,
}

/// Where a server is.
pub(crate) struct Place {
    scheme: Scheme,
    host: String,
    via: Via,
}

enum Via {
    Socket(PathBuf),
    Network(Name, u16),
}

/// How to say who we are.
pub(crate) enum Bind {
    None,
    Simple { name: String, password: String },
    Sasl { name: String, mechanisms: String, authorization: String, least: i32 },
}

/// There is no connection.
pub(crate) enum Failure {
    /// The reason has been logged.
    Logged,
    /// The reason matters to the first search.
    Code(Code),
}

impl Place {
    pub(crate) fn new(url: &Url) -> Self {
        let via = match (url.scheme, url.host.as_str()) {
            (Scheme::Ldapi, "") => Via::Socket(USUAL_SOCKET.into()),
            (Scheme::Ldapi, path) => Via::Socket(path.into()),
            (_, "") => Via::Network(Name::new("localhost"), url.port),
            (_, host) => Via::Network(Name::new(host), url.port),
        };
        Self { scheme: url.scheme, host: url.host.clone(), via }
    }

    async fn connect(&self, secure: &Secure, limit: Duration) -> Option<Connection> {
        let connection = Connection::new(self.open(limit).await?, limit);
        match self.scheme {
            Scheme::Ldaps => connection.encrypt(secure, &self.host).await.ok(),
            Scheme::Ldap | Scheme::Ldapi => Some(connection),
        }
    }

    async fn open(&self, limit: Duration) -> Option<link::Link> {
        match &self.via {
            Via::Socket(path) => timeout(limit, link::local(path)).await.ok()?.ok(),
            Via::Network(name, port) => {
                let addresses = timeout(limit, name.addresses(*port)).await.ok()?.ok()?;
                for address in addresses {
                    if let Ok(Ok(opened)) = timeout(limit, link::remote(address)).await {
                        return Some(opened);
                    }
                }
                None
            }
        }
    }
}

impl Login {
    /// A connection to the first server that there is one to.
    pub(crate) async fn connect(&self) -> Result<Connection, Failure> {
        let Some(places) = &self.places else {
            log::warning!("dict_ldap_connect: Unable to init LDAP server {}", self.servers);
            return Err(Failure::Logged);
        };
        if let Some(why) = self.secure.fault().filter(|_| self.is_encrypted(places)) {
            log::warning!("dict_ldap_set_tls_options: Unable to allocate new TLS context: {why}");
            return Err(Failure::Logged);
        }
        let mut opened = None;
        for place in places {
            if let Some(connection) = place.connect(&self.secure, self.limit).await {
                opened = Some((connection, place));
                break;
            }
        }
        let opened = opened.ok_or(Code::SERVER_DOWN);
        let opened = match opened {
            Ok((connection, place)) if self.start_tls => {
                connection.start_tls(&self.secure, &place.host).await.map(|connection| (connection, place))
            }
            opened => opened,
        };
        if self.start_tls
            && let Err(code) = opened
        {
            log::error!("dict_ldap_connect: Unable to set STARTTLS: {}: {code}", code.0);
            return Err(Failure::Logged);
        }
        let bound = match (&self.bind, opened) {
            (Bind::None, opened) => return opened.map(|(connection, _)| connection).map_err(Failure::Code),
            (_, Err(code)) => Err(code),
            (bind, Ok((mut connection, place))) => {
                self.bind(bind, &mut connection, place).await.map(|()| connection)
            }
        };
        bound.map_err(|code| {
            let name = match &self.bind {
                Bind::Simple { name, .. } | Bind::Sasl { name, .. } if !name.is_empty() => name,
                _ => "empty or implicit",
            };
            log::warning!(
                "dict_ldap_connect: Unable to bind to server {} with dn {name}: {} ({code})",
                self.servers,
                code.0
            );
            Failure::Logged
        })
    }

    /// A connection to a server that another one names, to which we are nobody.
    pub(crate) async fn visit(&self, url: &Url) -> Result<Connection, Code> {
        let place = Place::new(url);
        let mut connection = place.connect(&self.secure, self.limit).await.ok_or(Code::SERVER_DOWN)?;
        connection.bind(3, b"", Credentials::Simple { password: b"" }).await?;
        Ok(connection)
    }

    async fn bind(&self, bind: &Bind, connection: &mut Connection, place: &Place) -> Result<(), Code> {
        match bind {
            Bind::None => Ok(()),
            Bind::Simple { name, password } => {
                let credentials = Credentials::Simple { password: password.as_bytes() };
                connection.bind(self.version, name.as_bytes(), credentials).await
            }
            Bind::Sasl { .. } if self.version < 3 => Err(Code::NOT_SUPPORTED),
            Bind::Sasl { mechanisms, authorization, least, .. } => {
                let mut mechanisms = mechanisms.split_ascii_whitespace().peekable();
                let mechanism = "EXTERNAL";
                let is_wanted = mechanisms.peek().is_none()
                    || mechanisms.any(|wanted| wanted.eq_ignore_ascii_case(mechanism));
                let strength = match place.scheme {
                    Scheme::Ldapi => LOCAL_STRENGTH,
                    Scheme::Ldaps => TLS_STRENGTH,
                    Scheme::Ldap if self.start_tls => TLS_STRENGTH,
                    Scheme::Ldap => 0,
                };
                // Without protection there is nothing from which the server could know who we are.
                if !is_wanted || strength == 0 || *least > strength {
                    return Err(Code::AUTH_UNKNOWN);
                }
                let initial = Some(authorization.as_bytes());
                connection.bind(3, b"", Credentials::Sasl { mechanism, initial }).await
            }
        }
    }

    fn is_encrypted(&self, places: &[Place]) -> bool {
        self.start_tls || places.iter().any(|place| place.scheme == Scheme::Ldaps)
    }
}
