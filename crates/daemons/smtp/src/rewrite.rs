//! Addresses on their way out (`smtp_generic_maps`).

use address::tok822::{self, Address};
use address::{Splitter, quote_822_local};
use ipc::rewrite::{Rewriter, Rule};
use table::address::{Extension, Search, Site};
use table::{Error, LocalFuture, Maps, StringList};

/// The tables, and what looking up addresses takes.
pub(crate) struct Generic {
    maps: Maps,
    extension: Extension,
    splitter: Splitter,
    myorigin: Vec<u8>,
    mydestination: StringList,
    own: Vec<std::net::IpAddr>,
    rewriter: Rewriter,
}

/// A table cannot answer: the message waits.
#[derive(Debug)]
pub(crate) struct LookupFailed;

impl Generic {
    pub(crate) fn new(
        maps: Maps,
        extension: Extension,
        splitter: Splitter,
        myorigin: &str,
        mydestination: StringList,
        own: Vec<std::net::IpAddr>,
        rewriter: Rewriter,
    ) -> Self {
        Self {
            maps,
            extension,
            splitter,
            myorigin: myorigin.as_bytes().to_vec(),
            mydestination,
            own,
            rewriter,
        }
    }

    /// What to write in place of an address in internal form, if it is not the same.
    pub(crate) async fn map(&self, address: &[u8]) -> Result<Option<Vec<u8>>, LookupFailed> {
        if address.is_empty() {
            return Ok(None);
        }
        let search = Search { output: address::AddressForm::Internal, ..Search::USUAL };
        match table::address::map(&self.maps, address, search, self.extension, self).await {
            Ok(None) => Ok(None),
            Ok(Some(found)) => {
                if found.len() > 1 {
                    log::warning!("multi-valued {} result for {}", self.maps.title(), bytes::show(address));
                }
                Ok(found.into_iter().next())
            }
            Err(_) => {
                log::warning!("{} map lookup problem for {}", self.maps.title(), bytes::show(address));
                Err(LookupFailed)
            }
        }
    }

    /// The value of an address header with addresses replaced, one element a line; `None` if nothing changed.
    pub(crate) async fn header_value(&self, value: &[u8]) -> Result<Option<Vec<u8>>, LookupFailed> {
        let mut tree = tok822::parse(value);
        let mut changed = false;
        for one in tok822::addresses_mut(&mut tree) {
            let internal = one.internalize();
            if let Some(new) = self.map(&internal).await? {
                *one = Address::scan(&quote_822_local(&new));
                changed = true;
            }
        }
        if !changed {
            return Ok(None);
        }
        let (text, warnings) = tok822::externalize_header(&tree, tok822::Breaks::AfterComma);
        for warning in warnings {
            log::warning!("{warning}");
        }
        Ok(Some(text))
    }
}

impl Site for Generic {
    fn splitter(&self) -> &Splitter {
        &self.splitter
    }

    fn is_local<'a>(&'a self, domain: &'a [u8]) -> LocalFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            if address::eq_fold(domain, &self.myorigin) || self.mydestination.matches(domain).await? {
                return Ok(true);
            }
            let literal = domain.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
            let parsed = literal.and_then(address::inet::parse_address);
            Ok(parsed.is_some_and(|address| self.own.contains(&address)))
        })
    }

    fn canonicalize<'a>(&'a self, address: &'a [u8]) -> LocalFuture<'a, Result<Vec<u8>, Error>> {
        Box::pin(async move { Ok(self.rewriter.rewrite(Rule::Local, address).await) })
    }
}

/// A rewritten address list folded into lines: as many elements on each as fit, the following ones indented by a tab.
pub(crate) fn fold(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for piece in text.split(|&byte| byte == b'\n') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + piece.len() < 70 => {
                line.push(b' ');
                line.extend_from_slice(piece);
            }
            Some(_) if piece.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) => {
                lines.push(piece.to_vec())
            }
            Some(_) => lines.push([b"\t", piece].concat()),
            None => lines.push(piece.to_vec()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_fills_lines() {
        let long = "x".repeat(60);
        let text = format!("To: a,\nb,\n{long},\nc");
        let lines = fold(text.as_bytes());
        assert_eq!(lines, [b"To: a, b,".to_vec(), format!("\t{long}, c").into_bytes()]);
    }
}
