//! Address masquerading: hiding host names below a domain.

use table::StringList;

use crate::config::MasqueradeDomain;

/// The exceptions list could not be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupFailed;

/// What becomes of an address in external form; `None` when it stays as it is.
///
/// Domains are tried in the given order. The first that is the address's domain or a parent of it decides.
pub async fn masquerade(
    address: &[u8],
    domains: &[MasqueradeDomain],
    exceptions: Option<&StringList>,
) -> Result<Option<Vec<u8>>, LookupFailed> {
    let Some((name, domain)) = bytes::rsplit_once(address, b'@') else { return Ok(None) };
    if let Some(exceptions) = exceptions
        && exceptions.matches(name).await.map_err(|_| LookupFailed)?
    {
        return Ok(None);
    }
    let domain = address::casefold(domain);
    let deciding = domains.iter().find(|parent| {
        let Some(host) = domain.strip_suffix(parent.name.as_slice()) else { return false };
        host.is_empty() || host.last() == Some(&b'.')
    });
    Ok(match deciding {
        Some(parent) if parent.hides && parent.name.len() < domain.len() => {
            Some([name, b"@", &parent.name].concat())
        }
        _ => None,
    })
}
