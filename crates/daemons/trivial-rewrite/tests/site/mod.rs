//! A system to resolve addresses on.

#![allow(dead_code, unreachable_pub)]

use ferrofix_trivial_rewrite::params::RewriteParams;
use ferrofix_trivial_rewrite::resolve::{Resolver, Scope};
use ipc::rewrite::{Purpose, Resolved, Rule};
use tokio::runtime::Runtime;

/// A resolver and the runtime that its questions need.
pub struct Site {
    resolver: Resolver,
    runtime: Runtime,
}

impl Site {
    /// A system with these settings and no addresses but 192.0.2.1 and 2001:db8::1.
    pub fn new<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut main = conf::MainCf::empty(std::path::Path::new("/nonexistent"));
        main.set("compatibility_level", "3.11");
        main.set("myhostname", "host.example.com");
        for (name, value) in settings {
            main.set(name, value);
        }
        let env = table::Env::load(&main).unwrap();
        let params = RewriteParams::load(&main).unwrap();
        let addresses = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let resolver = Resolver::with_addresses(&main, params, addresses, &env);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { resolver, runtime }
    }

    pub fn rewrite(&self, rule: Rule, address: &str) -> Vec<u8> {
        self.runtime.block_on(self.resolver.rewrite(rule, address.as_bytes()))
    }

    pub fn resolve_for(&self, purpose: Purpose, sender: &str, address: &str) -> Resolved {
        self.runtime.block_on(self.resolver.resolve(purpose, sender.as_bytes(), address.as_bytes()))
    }

    /// What the answer about an address holds for.
    pub fn scope(&self, address: &str) -> Scope {
        let resolved = self.resolve_for(Purpose::Delivery, "", address);
        self.resolver.scope(Purpose::Delivery, address.as_bytes(), &resolved)
    }

    pub fn is_local(&self, domain: &str) -> Result<bool, table::Error> {
        self.runtime.block_on(self.resolver.classes.is_local(domain.as_bytes()))
    }

    /// `transport nexthop recipient flags` for delivery.
    pub fn route(&self, sender: &str, address: &str) -> String {
        line(&self.resolve_for(Purpose::Delivery, sender, address))
    }

    /// The same for probes.
    pub fn probe(&self, sender: &str, address: &str) -> String {
        line(&self.resolve_for(Purpose::Verification, sender, address))
    }
}

fn line(resolved: &Resolved) -> String {
    let [transport, nexthop, recipient] =
        [&resolved.transport, &resolved.nexthop, &resolved.recipient].map(|text| shown(text));
    format!("{transport}|{nexthop}|{recipient}|{}", resolved.flags)
}

pub fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
