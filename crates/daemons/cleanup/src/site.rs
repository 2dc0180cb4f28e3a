//! What a lookup of an address has to know about this site.

use address::{AddressForm, Splitter};
use table::address::{AddressFound, Extension, LocalDomains, Search, Site};
use table::{Error, LocalFuture, Maps, StringList};

use crate::state::Context;
use ipc::rewrite::Rule;

conf::param_set! {
    /// Which domains are local, and how extensions look.
    pub struct SiteParams { double_bounce_sender, mydestination, myorigin, owner_request_special, recipient_delimiter }
}

/// Local domains and address extensions.
pub struct LocalSite {
    splitter: Splitter,
    domains: LocalDomains,
}

impl LocalSite {
    /// Reads the configuration.
    pub fn load(main: &conf::MainCf, env: &std::rc::Rc<table::Env>) -> Result<Self, conf::Error> {
        let params = SiteParams::load(main)?;
        let mut own: Vec<_> =
            conf::interfaces::own_addresses(main)?.into_iter().map(|interface| interface.address).collect();
        own.extend(conf::interfaces::proxy_addresses(main)?);
        Ok(Self::new(params, own, env))
    }

    /// From parameters and this host's addresses.
    pub fn new(params: SiteParams, own: Vec<std::net::IpAddr>, env: &std::rc::Rc<table::Env>) -> Self {
        Self {
            splitter: Splitter::new(params.recipient_delimiter)
                .with_double_bounce_sender(params.double_bounce_sender)
                .with_owner_request_special(params.owner_request_special),
            domains: LocalDomains {
                myorigin: params.myorigin.into_bytes(),
                mydestination: StringList::open(
                    "mydestination",
                    &params.mydestination,
                    env,
                    Default::default(),
                ),
                is_own_address: Box::new(move |address| own.contains(&address)),
            },
        }
    }
}

impl Site for Context {
    fn splitter(&self) -> &Splitter {
        &self.site.splitter
    }

    fn is_local<'a>(&'a self, domain: &'a [u8]) -> LocalFuture<'a, Result<bool, Error>> {
        Box::pin(self.site.domains.contains(domain))
    }

    fn canonicalize<'a>(&'a self, address: &'a [u8]) -> LocalFuture<'a, Result<Vec<u8>, Error>> {
        Box::pin(async move { Ok(self.peers.rewrite(Rule::Local, address).await) })
    }
}

impl Context {
    /// What a canonical map makes of an address; external form in and out.
    pub(crate) async fn map_external(
        &self,
        maps: &Maps,
        address: &[u8],
        extension: Extension,
    ) -> Result<Option<Vec<Vec<u8>>>, Error> {
        let search = Search {
            input: AddressForm::External,
            query: AddressForm::External,
            output: AddressForm::External,
            ..Search::USUAL
        };
        table::address::map(maps, address, search, extension, self).await
    }

    /// What an alias map makes of an address; internal form in and out.
    pub(crate) async fn map_internal(
        &self,
        maps: &Maps,
        address: &[u8],
        extension: Extension,
    ) -> Result<Option<Vec<Vec<u8>>>, Error> {
        let search = Search { query: AddressForm::External, output: AddressForm::Internal, ..Search::USUAL };
        table::address::map(maps, address, search, extension, self).await
    }

    /// What a table says about an address in internal form.
    pub(crate) async fn find_address(&self, maps: &Maps, address: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let found = table::address::find(maps, address, Search::USUAL, self).await?;
        Ok(found.map(|AddressFound { value, .. }| value))
    }
}
