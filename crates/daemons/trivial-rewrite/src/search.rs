//! Table searches by address: from the whole address to parts of it.

use address::split::{Splitter, Stripped};
use address::{casefold, quote_822_local, split_at_domain};
use table::{FindFlags, ListFlags, Maps};

use crate::local::LocalDomains;
use crate::params::RewriteParams;

/// What a search needs to know about addresses.
pub struct Search {
    splitter: Splitter,
    myorigin: Vec<u8>,
}

type Answer = Result<Option<Vec<u8>>, table::Error>;

impl Search {
    /// With `recipient_delimiter` and `myorigin`.
    pub fn new(params: &RewriteParams) -> Self {
        let splitter = Splitter::new(params.recipient_delimiter.as_bytes())
            .with_double_bounce_sender(params.double_bounce_sender.as_bytes())
            .with_owner_request_special(params.owner_request_special);
        Self { splitter, myorigin: params.myorigin.clone().into_bytes() }
    }

    /// `user+ext@domain`, `user@domain`; for domains of this system `user+ext`, `user`; then `@domain`.
    pub async fn address(&self, maps: &Maps, address: &[u8], local: &LocalDomains) -> Answer {
        let bare = self.splitter.strip(address);
        if let Some(value) = whole(maps, address, bare.as_ref()).await? {
            return Ok(Some(value));
        }
        let (name, Some(domain)) = split_at_domain(address) else { return Ok(None) };
        if casefold(domain) == casefold(&self.myorigin) || local.contains(domain).await? {
            if let Some(value) = either(maps, name, Quoting::LocalPart, FindFlags::Fixed).await? {
                return Ok(Some(value));
            }
            let bare = bare.as_ref().map(|bare| split_at_domain(&bare.address).0);
            if let Some(bare) = bare
                && let Some(value) = either(maps, bare, Quoting::LocalPart, FindFlags::Fixed).await?
            {
                return Ok(Some(value));
            }
        }
        let at_domain = address.get(name.len()..).unwrap_or_default();
        Ok(maps.find_with(at_domain, FindFlags::Fixed).await?.map(|found| found.value))
    }

    /// `user+ext@domain`, `user@domain`, then `domain` and its parents: as they are (`Parent`), or with a dot before.
    pub async fn domain(&self, maps: &Maps, address: &[u8], parents: ListFlags) -> Answer {
        let bare = self.splitter.strip(address);
        if let Some(value) = whole(maps, address, bare.as_ref()).await? {
            return Ok(Some(value));
        }
        let mut name = split_at_domain(address).1.unwrap_or_default();
        while !name.is_empty() {
            if let Some(found) = maps.find_with(name, FindFlags::Fixed).await? {
                return Ok(Some(found.value));
            }
            let Some(dot) = name.iter().skip(1).position(|&byte| byte == b'.') else { break };
            let next = if parents == ListFlags::Parent { dot + 2 } else { dot + 1 };
            name = name.get(next..).unwrap_or_default();
        }
        Ok(None)
    }
}

/// What of a key may need quotes.
#[derive(Clone, Copy)]
enum Quoting {
    Address,
    LocalPart,
}

async fn whole(maps: &Maps, address: &[u8], bare: Option<&Stripped<'_>>) -> Answer {
    if let Some(value) = either(maps, address, Quoting::Address, FindFlags::Any).await? {
        return Ok(Some(value));
    }
    match bare {
        Some(bare) => either(maps, &bare.address, Quoting::Address, FindFlags::Fixed).await,
        None => Ok(None),
    }
}

/// A key with quotes, then, if that is another, without.
async fn either(maps: &Maps, key: &[u8], quoting: Quoting, flags: FindFlags) -> Answer {
    let quoted = match quoting {
        Quoting::Address => quote_822_local(key),
        Quoting::LocalPart => {
            let flags = address::QuoteFlags::EIGHT_BIT_CLEAN.and(address::QuoteFlags::BARE_LOCAL_PART);
            address::quote::quote_822_local_flags(key, flags)
        }
    };
    if let Some(found) = maps.find_with(&quoted, flags).await? {
        return Ok(Some(found.value));
    }
    if quoted == key {
        return Ok(None);
    }
    Ok(maps.find_with(key, flags).await?.map(|found| found.value))
}
