//! The two sets of destinations: for delivery, and for address verification probes.

use std::rc::Rc;

use table::{Env, Flags, ListFlags, Maps};

use crate::params::RewriteParams;
use crate::transport::Transports;

/// A parameter's name and value.
#[derive(Clone, Debug)]
pub struct Named {
    /// The name, for warnings.
    pub name: &'static str,
    /// The value.
    pub value: String,
}

/// A parameter's name and its tables, if it names any.
pub struct NamedMaps {
    /// The name, for warnings.
    pub name: &'static str,
    /// The tables.
    pub maps: Option<Maps>,
}

/// Where mail goes, by class and by sender.
pub struct Personality {
    /// For the local class.
    pub local_transport: Named,
    /// For virtual mailboxes.
    pub virtual_transport: Named,
    /// For relay domains.
    pub relay_transport: Named,
    /// For all others.
    pub default_transport: Named,
    /// In place of `default_transport`, by sender.
    pub default_transport_maps: NamedMaps,
    /// The host that takes mail for other systems, empty if there is none.
    pub relayhost: String,
    /// In place of `relayhost`, by sender.
    pub relayhost_maps: NamedMaps,
    /// The name of the transport tables, for warnings.
    pub transports_name: &'static str,
    /// In place of all the above, by recipient.
    pub transports: Option<Transports>,
}

// Senders and recipients come from the network: no part of them may become part of a result.
fn flags() -> Flags {
    Flags::LOOKUP | Flags::NO_REGSUB
}

impl Personality {
    /// For delivery.
    pub fn delivery(params: &RewriteParams, parents: ListFlags, env: &Rc<Env>) -> Self {
        Self::open(
            [
                ("local_transport", &params.local_transport),
                ("virtual_transport", &params.virtual_transport),
                ("relay_transport", &params.relay_transport),
                ("default_transport", &params.default_transport),
            ],
            &params.relayhost,
            [
                ("sender_dependent_default_transport_maps", &params.sender_dependent_default_transport_maps),
                ("sender_dependent_relayhost_maps", &params.sender_dependent_relayhost_maps),
                ("transport_maps", &params.transport_maps),
            ],
            parents,
            env,
        )
    }

    /// For probes.
    pub fn verification(params: &RewriteParams, parents: ListFlags, env: &Rc<Env>) -> Self {
        Self::open(
            [
                ("address_verify_local_transport", &params.address_verify_local_transport),
                ("address_verify_virtual_transport", &params.address_verify_virtual_transport),
                ("address_verify_relay_transport", &params.address_verify_relay_transport),
                ("address_verify_default_transport", &params.address_verify_default_transport),
            ],
            &params.address_verify_relayhost,
            [
                (
                    "address_verify_sender_dependent_default_transport_maps",
                    &params.address_verify_sender_dependent_default_transport_maps,
                ),
                (
                    "address_verify_sender_dependent_relayhost_maps",
                    &params.address_verify_sender_dependent_relayhost_maps,
                ),
                ("address_verify_transport_maps", &params.address_verify_transport_maps),
            ],
            parents,
            env,
        )
    }

    /// Whether destinations depend on the domain of the recipient only.
    pub fn is_by_domain(&self) -> bool {
        let by_sender = [&self.default_transport_maps, &self.relayhost_maps];
        self.transports.is_none() && by_sender.iter().all(|tables| tables.maps.is_none())
    }

    fn open(
        transports: [(&'static str, &String); 4],
        relayhost: &str,
        maps: [(&'static str, &String); 3],
        parents: ListFlags,
        env: &Rc<Env>,
    ) -> Self {
        let [local_transport, virtual_transport, relay_transport, default_transport] =
            transports.map(|(name, value)| Named { name, value: value.clone() });
        let [default_transport_maps, relayhost_maps, transports] = maps.map(|(name, specs)| {
            let maps = (!specs.is_empty()).then(|| Maps::open(name, specs, env, flags()));
            NamedMaps { name, maps }
        });
        Self {
            local_transport,
            virtual_transport,
            relay_transport,
            default_transport,
            default_transport_maps,
            relayhost: relayhost.to_owned(),
            relayhost_maps,
            transports_name: transports.name,
            transports: transports.maps.map(|maps| Transports::new(maps, parents)),
        }
    }
}
