//! What a server says about itself.

use crate::bson::{Document, Elements, Malformed, Value};
use crate::uri::{HOSTS, Host, Preference, Uri};

/// The oldest protocol that has what is spoken here: that of MongoDB 3.6.
const OLDEST: i64 = 6;

/// What a server is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// A server of its own.
    Standalone,
    /// What stands before a cluster.
    Mongos,
    Primary,
    Secondary,
    /// One that has no data, or not yet.
    Other,
}

/// What a server says about itself.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Hello {
    pub(crate) role: Role,
    pub(crate) set: Option<String>,
    /// The members of its set; the primary first.
    pub(crate) members: Vec<Host>,
    /// Ways to log in that the account has.
    pub(crate) mechanisms: Vec<String>,
    newest: i64,
}

/// How well a server will do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fit {
    Good,
    /// When there is no better one.
    Fair,
    /// Not at all, for this reason.
    None(&'static str),
}

/// The question.
pub(crate) fn request(command: &str, uri: &Uri) -> Document {
    let mut client = Document::new();
    let mut part = |name: &str, pairs: &[(&str, &str)]| {
        let mut inner = Document::new();
        for (name, value) in pairs {
            inner.string(name, value);
        }
        client.document(name, &inner);
    };
    if let Some(application) = &uri.application {
        part("application", &[("name", application)]);
    }
    part("driver", &[("name", "Ferrofix"), ("version", env!("CARGO_PKG_VERSION"))]);
    part("os", &[("type", "Linux")]);
    let mut hello = Document::new();
    hello.int32(command, 1).boolean("helloOk", true);
    if let Some(account) = &uri.account
        && !account.user.is_empty()
    {
        hello.string("saslSupportedMechs", &format!("{}.{}", account.source, account.user));
    }
    hello.document("client", &client).string("$db", "admin");
    hello
}

impl Hello {
    /// Reads the answer.
    pub(crate) fn read(answer: Elements<'_>) -> Result<Self, Malformed> {
        let mut hello =
            Self { role: Role::Other, set: None, members: Vec::new(), mechanisms: Vec::new(), newest: 0 };
        let (mut is_primary, mut is_secondary, mut is_hidden, mut is_mongos) = (false, false, false, false);
        let mut is_ghost = false;
        for element in answer {
            let element = element?;
            let is_so = element.value.number().is_some_and(|number| number != 0);
            let mut host = |text: &str| {
                let host = Host::parse(text).filter(|_| hello.members.len() < 2 * HOSTS);
                hello.members.extend(host);
            };
            match (element.name, element.value) {
                (b"isWritablePrimary" | b"ismaster", _) => is_primary |= is_so,
                (b"secondary", _) => is_secondary = is_so,
                (b"hidden", _) => is_hidden = is_so,
                (b"isreplicaset", _) => is_ghost = is_so,
                (b"msg", value) => is_mongos = value.text() == Some("isdbgrid"),
                (b"maxWireVersion", value) => hello.newest = value.number().unwrap_or_default(),
                (b"setName", value) => hello.set = value.text().map(str::to_owned),
                (b"primary", value) => {
                    let primary = value.text().and_then(Host::parse);
                    primary.into_iter().for_each(|primary| hello.members.insert(0, primary));
                }
                (b"hosts" | b"passives", Value::Array(hosts)) => {
                    for element in hosts {
                        element?.value.text().map(&mut host);
                    }
                }
                (b"saslSupportedMechs", Value::Array(mechanisms)) => {
                    for element in mechanisms {
                        let name = element?.value.text().map(str::to_owned);
                        hello.mechanisms.extend(name);
                    }
                }
                _ => {}
            }
        }
        hello.role = match () {
            () if is_mongos => Role::Mongos,
            () if is_ghost => Role::Other,
            () if hello.set.is_none() => Role::Standalone,
            () if is_primary => Role::Primary,
            () if is_hidden => Role::Other,
            () if is_secondary => Role::Secondary,
            () => Role::Other,
        };
        Ok(hello)
    }

    /// Whether the server is to be asked.
    pub(crate) fn fit(&self, uri: &Uri) -> Fit {
        if self.newest < OLDEST {
            return Fit::None("the server is older than MongoDB 3.6");
        }
        if let Some(wanted) = &uri.replica_set
            && self.set.as_ref() != Some(wanted)
        {
            return Fit::None("the server is no member of the replica set");
        }
        if uri.is_direct {
            return Fit::Good;
        }
        match (self.role, uri.preference) {
            (Role::Standalone | Role::Mongos, _) | (_, Preference::Nearest) if self.role != Role::Other => {
                Fit::Good
            }
            (Role::Primary, Preference::Primary | Preference::PrimaryPreferred) => Fit::Good,
            (Role::Secondary, Preference::Secondary | Preference::SecondaryPreferred) => Fit::Good,
            (Role::Primary, Preference::SecondaryPreferred) => Fit::Fair,
            (Role::Secondary, Preference::PrimaryPreferred) => Fit::Fair,
            (Role::Primary, _) => Fit::None("the server is the primary"),
            (Role::Secondary, _) => Fit::None("the server is not the primary"),
            _ => Fit::None("the server has no data for clients"),
        }
    }

    /// The read preference that a question to the server carries.
    pub(crate) fn preference(&self, uri: &Uri) -> Option<Preference> {
        match (self.role, uri.preference) {
            (Role::Standalone, _) => None,
            // Who names one server means this one, also while it is no primary.
            (Role::Mongos, Preference::Primary) => None,
            (_, Preference::Primary) => uri.is_direct.then_some(Preference::PrimaryPreferred),
            (_, preference) => Some(preference),
        }
    }
}
