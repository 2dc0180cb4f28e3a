//! From main.cf to open lists and tables.

use std::net::IpAddr;
use std::rc::Rc;

use conf::MainCf;
use table::{Env, Flags, ListFlags, Maps, StringList};

use crate::classes::Classes;
use crate::params::RewriteParams;
use crate::personality::Personality;
use crate::resolve::Resolver;
use crate::rewrite::Rewriting;

impl Resolver {
    /// Reads parameters, finds out this system's addresses and opens all lists and tables.
    pub fn open(main: &MainCf, env: &Rc<Env>) -> Result<Self, conf::Error> {
        let params = RewriteParams::load(main)?;
        let addresses = addresses(main)?;
        Ok(Self::with_addresses(main, params, addresses, env))
    }

    /// As [`open`](Self::open), for a system with these addresses.
    pub fn with_addresses(
        main: &MainCf,
        params: RewriteParams,
        addresses: Vec<IpAddr>,
        env: &Rc<Env>,
    ) -> Self {
        let relay_parents = parent_style("relay_domains", &params, env);
        let parents = parent_style("transport_maps", &params, env);
        let relocated = &params.relocated_maps;
        let open_relocated = || Maps::open("relocated_maps", relocated, env, Flags::LOOKUP);
        Self {
            rewriting: Rewriting::new(&params),
            classes: Classes::open(&params, addresses, relay_parents, env),
            delivery: Personality::delivery(&params, parents, env),
            verification: Personality::verification(&params, parents, env),
            relocated: (!relocated.is_empty()).then(open_relocated),
            main_cf: main.path().join("main.cf").display().to_string(),
            is_append_dot_legacy: conf::compat::is_legacy_default(main, "append_dot_mydomain"),
            params,
        }
    }
}

/// The addresses that this system receives mail on, its own and those of proxies in front of it.
fn addresses(main: &MainCf) -> Result<Vec<IpAddr>, conf::Error> {
    let own = conf::interfaces::own_addresses(main)?;
    let mut addresses: Vec<IpAddr> = own.into_iter().map(|interface| interface.address).collect();
    addresses.extend(conf::interfaces::proxy_addresses(main)?);
    Ok(addresses)
}

/// Whether the names in a parameter's value also stand for what is below them.
fn parent_style(parameter: &str, params: &RewriteParams, env: &Rc<Env>) -> ListFlags {
    let title = "parent_domain_matches_subdomains";
    let list = StringList::open(title, &params.parent_domain_matches_subdomains, env, ListFlags::Exact);
    match list.matches_blocking(parameter.as_bytes()) {
        Ok(true) => ListFlags::Parent,
        _ => ListFlags::Exact,
    }
}
