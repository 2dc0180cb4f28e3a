//! Searches, and what servers say about other servers: the `chase_referrals` setting.

use crate::code::Code;
use crate::connection::{Connection, Outcome};
use crate::login::Login;
use crate::search::{Entry, Scope, Search};
use crate::url::Url;

/// How many servers may be between the first and the last.
const HOPS: usize = 5;

/// A connection, and how to get others.
pub(crate) struct Directory<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) login: &'a Login,
    /// Whether servers that the first one names are asked as well.
    pub(crate) chases: bool,
}

/// Somewhere to look as well.
struct Elsewhere {
    /// URLs that are worth the same.
    urls: Vec<Vec<u8>>,
    search: Search,
    hops: usize,
}

impl Directory<'_> {
    /// All entries that a search finds.
    pub(crate) async fn search(&mut self, search: &Search) -> Result<Vec<Entry>, Code> {
        let mut entries = Vec::new();
        let mut waiting = Vec::new();
        let outcome = self.connection.search(search).await?;
        let code = self.collect(search, 0, outcome, &mut entries, &mut waiting);
        if code != Code::SUCCESS {
            return Err(code);
        }
        while let Some(Elsewhere { urls, search, hops }) = waiting.pop() {
            if hops > HOPS {
                return Err(Code::REFERRAL_LIMIT);
            }
            let outcome = self.visit(&urls, &search).await?;
            match self.collect(&search, hops, outcome, &mut entries, &mut waiting) {
                Code::SUCCESS | Code::NO_SUCH_OBJECT => {}
                code => return Err(code),
            }
        }
        Ok(entries)
    }

    /// Takes apart how a search ended.
    fn collect(
        &self,
        search: &Search,
        hops: usize,
        outcome: Outcome,
        entries: &mut Vec<Entry>,
        waiting: &mut Vec<Elsewhere>,
    ) -> Code {
        let Outcome { code, found } = outcome;
        entries.extend(found.entries);
        if !self.chases {
            return code;
        }
        let is_moved = code == Code::REFERRAL;
        for urls in found.elsewhere {
            let mut search = search.clone();
            // What was one level below is the other server's own level.
            if !is_moved && search.scope == Scope::OneLevel {
                search.scope = Scope::Base;
            }
            waiting.push(Elsewhere { urls, search, hops: hops + 1 });
        }
        if is_moved { Code::SUCCESS } else { code }
    }

    /// Asks one server after the other until one answers.
    async fn visit(&self, urls: &[Vec<u8>], search: &Search) -> Result<Outcome, Code> {
        let mut failure = Code::SERVER_DOWN;
        for url in urls {
            let Ok(url) = Url::parse(url) else { continue };
            let mut search = search.clone();
            if !url.name.is_empty() {
                search.base.clone_from(&url.name);
            }
            search.scope = url.scope.unwrap_or(search.scope);
            if let Some(filter) = &url.filter {
                search.filter.clone_from(filter);
            }
            match self.login.visit(&url).await {
                Ok(mut connection) => match connection.search(&search).await {
                    Ok(outcome) => return Ok(outcome),
                    Err(code) => failure = code,
                },
                Err(code) => failure = code,
            }
        }
        Err(failure)
    }
}
