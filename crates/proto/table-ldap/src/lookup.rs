//! Lookups.

use database_link::Pool;
use table::client::{Formats, Key, Template, Values};
use table::{Error, LocalFuture, RemoteTable};

use crate::chase::Directory;
use crate::code::Code;
use crate::connection::Connection;
use crate::login::{Failure, Login};
use crate::quote;
use crate::results::{Expansion, Wanted};
use crate::search::{Limits, Scope, Search};

/// A table.
pub(crate) struct Ldap {
    /// `type:name`.
    pub(crate) title: String,
    /// What precedes the text of some warnings.
    pub(crate) name: String,
    pub(crate) formats: Formats,
    pub(crate) base: Template,
    pub(crate) scope: Scope,
    pub(crate) query: Template,
    pub(crate) result: Template,
    pub(crate) wanted: Wanted,
    pub(crate) limits: Limits,
    pub(crate) expansion_limit: usize,
    pub(crate) recursion_limit: usize,
    pub(crate) chases: bool,
    pub(crate) login: Login,
    pub(crate) pool: Pool<Connection>,
}

impl Ldap {
    async fn find(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let name = &self.name;
        if std::str::from_utf8(key).is_err() {
            let key = bytes::show(key);
            log::debug!("dict_ldap_lookup: {name}: Skipping lookup of non-UTF-8 key '{key}'");
            return Ok(None);
        }
        if !self.formats.accepts(key).await? {
            let key = bytes::show(key);
            log::debug!("dict_ldap_lookup: {name}: Skipping lookup of key '{key}': domain mismatch");
            return Ok(None);
        }
        let Some(key) = self.formats.key(key) else { return Ok(None) };
        let search = Search {
            base: self.base.expand(&key, quote::name),
            scope: self.scope,
            filter: self.query.expand(&key, quote::filter),
            attributes: self.wanted.names.clone(),
            limits: self.limits,
        };
        let turn = self.pool.turn().await;
        let mut connection = self.pool.take(&turn);
        // A connection may have ended while nobody used it; a new one is tried once.
        for is_last in [false, true] {
            let mut open = match connection.take() {
                Some(open) => open,
                None => match self.login.connect().await {
                    Ok(open) => open,
                    Err(Failure::Code(code)) => return Err(self.search_error(code)),
                    Err(Failure::Logged) => return Err(self.retry()),
                },
            };
            let found = self.directory(&mut open).search(&search).await;
            match found {
                Ok(entries) => {
                    let value = self.value(&mut open, entries, &key).await;
                    self.keep(open);
                    return value;
                }
                Err(Code::SERVER_DOWN) if !is_last => self.pool.clear(),
                Err(Code::NO_SUCH_OBJECT) => {
                    self.keep(open);
                    return self.without_base(&search.base);
                }
                Err(code) => return Err(self.search_error(code)),
            }
        }
        Err(self.retry())
    }

    async fn value(
        &self,
        connection: &mut Connection,
        entries: Vec<crate::search::Entry>,
        key: &Key<'_>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut expansion = Expansion {
            name: &self.name,
            wanted: &self.wanted,
            limits: self.limits,
            recursion_limit: self.recursion_limit,
            key: key.text(),
            last: Code::SUCCESS,
        };
        let mut values = Values::new(&self.formats, &self.result, key, self.expansion_limit);
        let mut directory = self.directory(connection);
        let expanded = expansion.expand(&mut directory, entries, &mut values).await;
        if !matches!(expansion.last, Code::SUCCESS | Code::DECODING_ERROR) {
            let code = expansion.last;
            log::warning!("dict_ldap_lookup: Had some trouble with entries returned by search: {code}");
        }
        match expanded {
            Ok(()) => Ok(values.finish()),
            Err(_) => Err(self.retry()),
        }
    }

    fn directory<'a>(&'a self, connection: &'a mut Connection) -> Directory<'a> {
        Directory { connection, login: &self.login, chases: self.chases }
    }

    /// Where the search was to begin, there is nothing: which is normal where that depends on the key.
    fn without_base(&self, base: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if self.base.is_dynamic() {
            return Ok(None);
        }
        let (name, base, code) = (&self.name, bytes::show(base), Code::NO_SUCH_OBJECT);
        log::warning!("dict_ldap_lookup: {name}: Search base '{base}' not found: {}: {code}", code.0);
        Err(self.retry())
    }

    fn keep(&self, connection: Connection) {
        if !connection.is_lost() {
            self.pool.put(connection);
        }
    }

    fn search_error(&self, code: Code) -> Error {
        log::warning!("dict_ldap_lookup: Search error {}: {code} ", code.0);
        self.retry()
    }

    /// Nobody knows.
    fn retry(&self) -> Error {
        Error::retry(self.title.clone())
    }
}

impl RemoteTable for Ldap {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> LocalFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(self.find(key))
    }
}
