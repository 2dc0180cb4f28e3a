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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(document: &Document) -> Hello {
        Hello::read(Elements::read(&document.bytes()).unwrap()).unwrap()
    }

    fn of(role: Role) -> Hello {
        let mut hello = Document::new();
        hello.int32("maxWireVersion", 21).boolean("secondary", role == Role::Secondary);
        hello.boolean("isWritablePrimary", matches!(role, Role::Primary | Role::Standalone | Role::Mongos));
        match role {
            Role::Standalone => {}
            Role::Mongos => {
                hello.string("msg", "isdbgrid");
            }
            Role::Primary | Role::Secondary | Role::Other => {
                hello.string("setName", "rs");
            }
        }
        let hello = read(&hello);
        assert_eq!(hello.role, role);
        hello
    }

    #[test]
    fn members() {
        let mut hosts = Document::new();
        hosts.string("0", "a:1").string("1", "b").int32("2", 1).string("3", "c:x");
        let mut hello = Document::new();
        hello.array("hosts", &hosts).string("primary", "B:27017").array("saslSupportedMechs", &hosts);
        let hello = read(&hello);
        let host = |name: &str, port| Host::Network(name.to_owned(), port);
        assert_eq!(hello.members, [host("b", 27017), host("a", 1), host("b", 27017)]);
        assert_eq!(hello.mechanisms, ["a:1", "b", "c:x"]);
    }

    #[test]
    fn who_is_asked() {
        let fit =
            |role, options: &str| match of(role).fit(&Uri::parse(&format!("mongodb://{options}")).unwrap()) {
                Fit::Good => "good",
                Fit::Fair => "fair",
                Fit::None(_) => "none",
            };
        let all = [Role::Standalone, Role::Mongos, Role::Primary, Role::Secondary, Role::Other];
        for (options, want) in [
            ("a", ["good", "good", "good", "good", "good"]),
            ("a,b", ["good", "good", "good", "none", "none"]),
            ("a/?replicaSet=rs", ["none", "none", "good", "none", "none"]),
            ("a/?replicaSet=xx", ["none", "none", "none", "none", "none"]),
            ("a/?replicaSet=rs&directConnection=true", ["none", "none", "good", "good", "good"]),
            ("a/?replicaSet=rs&readPreference=primaryPreferred", ["none", "none", "good", "fair", "none"]),
            ("a,b/?readPreference=secondary", ["good", "good", "none", "good", "none"]),
            ("a,b/?readPreference=secondaryPreferred", ["good", "good", "fair", "good", "none"]),
            ("a,b/?readPreference=nearest", ["good", "good", "good", "good", "none"]),
        ] {
            assert_eq!(all.map(|role| fit(role, options)), want, "{options}");
        }
    }

    #[test]
    fn what_questions_say() {
        let preference =
            |role, options: &str| of(role).preference(&Uri::parse(&format!("mongodb://{options}")).unwrap());
        assert_eq!(preference(Role::Standalone, "a/?readPreference=nearest"), None);
        assert_eq!(preference(Role::Mongos, "a"), None);
        assert_eq!(preference(Role::Mongos, "a/?readPreference=nearest"), Some(Preference::Nearest));
        assert_eq!(preference(Role::Primary, "a,b"), None);
        assert_eq!(preference(Role::Secondary, "a"), Some(Preference::PrimaryPreferred));
        assert_eq!(preference(Role::Secondary, "a,b/?readPreference=secondary"), Some(Preference::Secondary));
    }

    proptest! {
        #[test]
        fn any_hello_is_read_or_refused(at in 0usize..200, byte in any::<u8>()) {
            let mut hosts = Document::new();
            hosts.string("0", "a:1").string("1", "[::1]:2");
            let mut hello = Document::new();
            hello.array("hosts", &hosts).string("setName", "x").int32("maxWireVersion", 21).int64("x", 1);
            hello.document("y", &hosts).boolean("secondary", true).binary("z", 0, b"1234");
            let mut bytes = hello.bytes();
            if let Some(changed) = bytes.get_mut(at) {
                *changed = byte;
            }
            if let Ok(elements) = Elements::read(&bytes) {
                let _read = Hello::read(elements);
            }
        }
    }
}
