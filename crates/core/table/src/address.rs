//! Lookups of mail addresses: the whole address, then parts of it, in Postfix's order.

use ::address::split::Splitter;
use ::address::{AddressForm, QuoteFlags, crunch, eq_fold, quote};

use crate::error::Error;
use crate::list::StringList;
use crate::local::LocalFuture;
use crate::maps::{FindFlags, Found, Maps};

/// Which parts of an address are looked up, when the whole is not found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strategy(u16);

impl Strategy {
    /// `user+ext@domain`
    pub const FULL: Self = Self(1 << 0);
    /// `user@domain`
    pub const WITHOUT_EXTENSION: Self = Self(1 << 1);
    /// `user+ext` and `user`, when the domain is local.
    pub const LOCAL_PART_IF_LOCAL: Self = Self(1 << 2);
    /// `user+ext@` and `user@`, when the domain is local.
    pub const LOCAL_PART_AT_IF_LOCAL: Self = Self(1 << 3);
    /// `@domain`
    pub const AT_DOMAIN: Self = Self(1 << 4);
    /// `domain`
    pub const DOMAIN: Self = Self(1 << 5);
    /// With [`Strategy::DOMAIN`]: parent domains, as `parent`.
    pub const PARENTS: Self = Self(1 << 6);
    /// With [`Strategy::DOMAIN`]: parent domains, as `.parent`.
    pub const DOT_PARENTS: Self = Self(1 << 7);
    /// `user+ext@` and `user@`, whatever the domain.
    pub const LOCAL_PART_AT: Self = Self(1 << 8);
    /// What address rewriting uses.
    pub const DEFAULT: Self =
        Self::FULL.and(Self::WITHOUT_EXTENSION).and(Self::LOCAL_PART_IF_LOCAL).and(Self::AT_DOMAIN);

    /// Both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// In which form the address is given, looked up and wanted, and which parts of it are looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Search {
    /// The form of the address.
    pub input: AddressForm,
    /// The form of the keys in the tables.
    pub query: AddressForm,
    /// The form of the result.
    pub output: AddressForm,
    /// The parts that are looked up.
    pub strategy: Strategy,
}

impl Search {
    /// What most of Postfix uses: an address in internal form; keys in external form, and if they are not found, in
    /// internal form; results as they stand in the table.
    pub const USUAL: Self = Self {
        input: AddressForm::Internal,
        query: AddressForm::ExternalFirst,
        output: AddressForm::External,
        strategy: Strategy::DEFAULT,
    };

    /// The same search with other parts.
    pub const fn with_strategy(self, strategy: Strategy) -> Self {
        Self { strategy, ..self }
    }
}

/// What a search has to know about this site.
pub trait Site {
    /// How extensions are split off (`recipient_delimiter`).
    fn splitter(&self) -> &Splitter;

    /// Whether a domain is `$myorigin`, in `$mydestination`, or an address of an interface in brackets.
    fn is_local<'a>(&'a self, domain: &'a [u8]) -> LocalFuture<'a, Result<bool, Error>>;

    /// The canonical form of an address in external form: what the rewriting service answers.
    fn canonicalize<'a>(&'a self, address: &'a [u8]) -> LocalFuture<'a, Result<Vec<u8>, Error>> {
        Box::pin(async move { Ok(address.to_vec()) })
    }
}

/// What was found for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFound {
    /// The table's value, in the wanted form.
    pub value: Vec<u8>,
    /// The extension, with its delimiter, when the entry was found without it.
    pub extension: Option<Vec<u8>>,
    /// `type:name` of the table.
    pub table_name: String,
}

/// Looks up an address.
pub async fn find(
    maps: &Maps,
    address: &[u8],
    search: Search,
    site: &impl Site,
) -> Result<Option<AddressFound>, Error> {
    let internal = match search.input {
        AddressForm::External | AddressForm::ExternalFirst => quote::unquote_822_local(address),
        AddressForm::Internal | AddressForm::InternalFirst => address.to_vec(),
    };
    let stripped = match search.strategy.has(Strategy::WITHOUT_EXTENSION) {
        true => site.splitter().strip(&internal),
        false => None,
    };
    let (bare, extension) = match &stripped {
        Some(stripped) => (Some(stripped.address.as_slice()), Some(stripped.extension)),
        None => (None, None),
    };
    let finder = Finder { maps, search, full: &internal, bare };
    let hit = finder.run(site).await?;
    let shown = bytes::show(address);
    let Some(Hit { found, is_bare }) = hit else {
        log::debug!("mail_addr_find: {shown} -> (not found)");
        return Ok(None);
    };
    log::debug!("mail_addr_find: {shown} -> {}", bytes::show(&found.value));
    let value = match search.output {
        AddressForm::Internal | AddressForm::InternalFirst => quote::unquote_822_local(&found.value),
        AddressForm::External | AddressForm::ExternalFirst => found.value,
    };
    let extension = if is_bare { extension.map(<[u8]>::to_vec) } else { None };
    Ok(Some(AddressFound { value, extension, table_name: found.table_name }))
}

/// Looks up an address in tables of addresses, and makes addresses of the result: completed, with the extension that
/// was not looked up if `extension` says so. A result `@domain` keeps the local part. `None`: not found.
pub async fn map(
    maps: &Maps,
    address: &[u8],
    search: Search,
    extension: Extension,
    site: &impl Site,
) -> Result<Option<Vec<Vec<u8>>>, Error> {
    let internal = match search.input {
        AddressForm::External | AddressForm::ExternalFirst => quote::unquote_822_local(address),
        AddressForm::Internal | AddressForm::InternalFirst => address.to_vec(),
    };
    let inner = Search { input: AddressForm::Internal, output: AddressForm::External, ..search };
    let Some(found) = find(maps, &internal, inner, site).await? else { return Ok(None) };
    let left_over = found.extension.unwrap_or_default();
    let text = if found.value.starts_with(b"@") {
        let local = ::address::local_part(&internal);
        let local = local.strip_suffix(left_over.as_slice()).unwrap_or(local);
        quote::quote_822_local(&[local, found.value.as_slice()].concat())
    } else {
        found.value
    };
    let added: &[u8] = if extension == Extension::Propagate { &left_over } else { b"" };
    let mut results = Vec::new();
    for one in crunch::split_list(&text, AddressForm::External) {
        let canonical = site.canonicalize(&one).await?;
        results.push(crunch::finish(&canonical, added, search.output));
    }
    if results.is_empty() {
        let (title, address, text) = (maps.title(), bytes::show(address), bytes::show(&text));
        log::warning!("{title} lookup of {address} returns non-address result \"{text}\"");
        return Err(Error::retry(found.table_name));
    }
    Ok(Some(results))
}

/// What happens with an extension that was not part of the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extension {
    /// Each resulting address gets it.
    Propagate,
    /// It is lost.
    Drop,
}

struct Finder<'a> {
    maps: &'a Maps,
    search: Search,
    full: &'a [u8],
    /// The address without its extension, when it has one and that is wanted.
    bare: Option<&'a [u8]>,
}

struct Hit {
    found: Found,
    /// Whether the extension was not part of the key.
    is_bare: bool,
}

/// Whether a key is a whole address or a local part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Address,
    LocalPart,
}

impl Finder<'_> {
    async fn run(&self, site: &impl Site) -> Result<Option<Hit>, Error> {
        let strategy = self.search.strategy;
        if strategy.has(Strategy::FULL)
            && let Some(found) = self.ask(self.full, FindFlags::Any, Part::Address).await?
        {
            return Ok(Some(Hit { found, is_bare: false }));
        }
        if let Some(bare) = self.bare
            && let Some(found) = self.ask(bare, FindFlags::Fixed, Part::Address).await?
        {
            return Ok(Some(Hit { found, is_bare: true }));
        }
        let Some(domain) = ::address::domain(self.full) else {
            return match strategy.has(Strategy::LOCAL_PART_AT) {
                true => self.local_part(Part::Address).await,
                false => Ok(None),
            };
        };
        if strategy.has(Strategy::LOCAL_PART_IF_LOCAL.and(Strategy::LOCAL_PART_AT_IF_LOCAL))
            && site.is_local(domain).await?
        {
            for (wanted, part) in [
                (Strategy::LOCAL_PART_IF_LOCAL, Part::LocalPart),
                (Strategy::LOCAL_PART_AT_IF_LOCAL, Part::Address),
            ] {
                if strategy.has(wanted)
                    && let Some(hit) = self.local_part(part).await?
                {
                    return Ok(Some(hit));
                }
            }
        }
        let whole = |found| Hit { found, is_bare: false };
        if strategy.has(Strategy::AT_DOMAIN) {
            let key = [b"@", domain].concat();
            if let Some(found) = self.maps.find_with(&key, FindFlags::Fixed).await? {
                return Ok(Some(whole(found)));
            }
        }
        if strategy.has(Strategy::DOMAIN)
            && let Some(found) = self.domain(domain).await?
        {
            return Ok(Some(whole(found)));
        }
        if strategy.has(Strategy::LOCAL_PART_AT) {
            return self.local_part(Part::Address).await;
        }
        Ok(None)
    }

    /// Looks up `user+ext` and `user`, or the same with `@` behind.
    async fn local_part(&self, part: Part) -> Result<Option<Hit>, Error> {
        for (address, is_bare) in [(Some(self.full), false), (self.bare, true)] {
            let Some(address) = address else { continue };
            let mut key = ::address::local_part(address).to_vec();
            if part == Part::Address {
                key.push(b'@');
            }
            if let Some(found) = self.ask(&key, FindFlags::Fixed, part).await? {
                return Ok(Some(Hit { found, is_bare }));
            }
        }
        Ok(None)
    }

    async fn domain(&self, domain: &[u8]) -> Result<Option<Found>, Error> {
        let strategy = self.search.strategy;
        let mut name = domain;
        while !name.is_empty() {
            if let Some(found) = self.maps.find_with(name, FindFlags::Fixed).await? {
                return Ok(Some(found));
            }
            if !strategy.has(Strategy::PARENTS.and(Strategy::DOT_PARENTS)) {
                break;
            }
            let Some(dot) = name.iter().skip(1).position(|&byte| byte == b'.').map(|at| at + 1) else {
                break;
            };
            let start = if strategy.has(Strategy::DOT_PARENTS) { dot } else { dot + 1 };
            name = name.get(start..).unwrap_or_default();
        }
        Ok(None)
    }

    /// Looks up a key in the wanted forms.
    async fn ask(&self, key: &[u8], tables: FindFlags, part: Part) -> Result<Option<Found>, Error> {
        let flags = match part {
            Part::Address => QuoteFlags::default(),
            Part::LocalPart => QuoteFlags::default().and(QuoteFlags::BARE_LOCAL_PART),
        };
        let quoted = || quote::quote_822_local_flags(key, flags);
        let (first, second) = match self.search.query {
            AddressForm::External => (quoted(), None),
            AddressForm::ExternalFirst => (quoted(), Some(key.to_vec())),
            AddressForm::Internal => (key.to_vec(), None),
            AddressForm::InternalFirst => (key.to_vec(), Some(quoted())),
        };
        if let Some(found) = self.maps.find_with(&first, tables).await? {
            return Ok(Some(found));
        }
        match second.filter(|second| *second != first) {
            Some(second) => self.maps.find_with(&second, tables).await,
            None => Ok(None),
        }
    }
}

/// The domains that are this site: `$myorigin`, `$mydestination`, and the interfaces' addresses in brackets.
pub struct LocalDomains {
    /// `$myorigin`.
    pub myorigin: Vec<u8>,
    /// `$mydestination`.
    pub mydestination: StringList,
    /// Whether an address is one of `$inet_interfaces` or `$proxy_interfaces`.
    pub is_own_address: Box<dyn Fn(std::net::IpAddr) -> bool>,
}

impl LocalDomains {
    /// Whether a domain is `$myorigin`, or [`LocalDomains::is_destination`].
    pub async fn contains(&self, domain: &[u8]) -> Result<bool, Error> {
        if eq_fold(domain, &self.myorigin) {
            return Ok(true);
        }
        self.is_destination(domain).await
    }

    /// Whether a domain is in `$mydestination`, or the address of an interface in brackets. One dot at the end does not
    /// count.
    pub async fn is_destination(&self, domain: &[u8]) -> Result<bool, Error> {
        let domain = domain.strip_suffix(b".").unwrap_or(domain);
        if domain.is_empty() || domain.ends_with(b".") {
            return Ok(false);
        }
        if self.mydestination.matches(domain).await? {
            return Ok(true);
        }
        let literal = domain.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
        let Some(literal) = literal else { return Ok(false) };
        let literal = String::from_utf8_lossy(literal);
        let has_prefix = literal.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case("IPv6:"));
        let bare = if has_prefix { literal.get(5..).unwrap_or_default() } else { &literal };
        let is_ours =
            |address: std::net::IpAddr| address.is_ipv6() == has_prefix && (self.is_own_address)(address);
        Ok(bare.parse().is_ok_and(is_ours))
    }
}
