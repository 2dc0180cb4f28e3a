//! The standard form of an address: complete, and without old-fashioned routing.

use address::tok822::{Address, Token, externalize, scan};
use ipc::rewrite::Rule;

use crate::params::RewriteParams;

/// The rules, without the lists and tables that resolving needs.
#[derive(Clone, Debug)]
pub struct Rewriting {
    swap_bangpath: bool,
    percent_hack: bool,
    append_at_myorigin: bool,
    append_dot_mydomain: bool,
    local: Completion,
    remote: Completion,
}

/// What an incomplete address is completed with.
#[derive(Clone, Debug)]
struct Completion {
    origin: String,
    domain: String,
}

/// `.$mydomain` was appended to this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended(pub Vec<u8>);

impl Rewriting {
    /// The rules of main.cf.
    pub fn new(params: &RewriteParams) -> Self {
        let remote = &params.remote_header_rewrite_domain;
        Self {
            swap_bangpath: params.swap_bangpath,
            percent_hack: params.allow_percent_hack,
            append_at_myorigin: params.append_at_myorigin,
            append_dot_mydomain: params.append_dot_mydomain,
            local: Completion { origin: params.myorigin.clone(), domain: params.mydomain.clone() },
            remote: Completion { origin: remote.clone(), domain: remote.clone() },
        }
    }

    /// Rewrites an address in external form. The second result tells about an appended `.$mydomain`, for those who want
    /// to warn about it.
    pub fn text(&self, rule: Rule, address: &[u8]) -> (Vec<u8>, Option<Appended>) {
        let mut tree = Address::scan(address);
        let appended = self.tree(rule, &mut tree);
        (externalize(&[Token::Address(tree)]), appended)
    }

    /// Rewrites the tokens of an address.
    pub fn tree(&self, rule: Rule, address: &mut Address) -> Option<Appended> {
        let completion = match rule {
            Rule::Local => &self.local,
            Rule::Remote => &self.remote,
        };
        match address.tokens.as_slice() {
            [] => return None,
            [Token::Quoted(text)] if text.is_empty() => return None,
            // A lone @ is the empty address.
            [Token::Op(b'@')] => {
                address.tokens = vec![Token::Quoted(Vec::new())];
                return None;
            }
            _ => (),
        }
        strip_source_route(address);
        if address.rfind_op(b'@').is_none() {
            self.add_domain(completion, address);
        }
        let appended = self.add_parent_domain(completion, address);
        strip_trailing_dot(address);
        appended
    }

    /// `site!user` becomes `user@site`, `user%site` becomes `user@site`, `user` becomes `user@origin`.
    fn add_domain(&self, completion: &Completion, address: &mut Address) {
        let bang = if self.swap_bangpath { address.find_op(b'!') } else { None };
        if let Some(bang) = bang {
            let mut tokens = address.tokens.split_off(bang);
            let site = std::mem::take(&mut address.tokens);
            let is_null_site = site.is_empty();
            tokens.remove(0);
            tokens.push(Token::Op(b'@'));
            tokens.extend(site);
            // COMPAT: words lose the space between them when nothing stands before the `!`.
            if is_null_site {
                *address = Address::joined(tokens);
            } else {
                address.tokens = tokens;
            }
            return;
        }
        let percent = if self.percent_hack { address.rfind_op(b'%') } else { None };
        if let Some(percent) = percent {
            if let Some(token) = address.tokens.get_mut(percent) {
                *token = Token::Op(b'@');
            }
            return;
        }
        if self.append_at_myorigin && !completion.origin.is_empty() {
            address.tokens.push(Token::Op(b'@'));
            address.tokens.extend(scan(completion.origin.as_bytes()));
        }
    }

    /// `user@host` becomes `user@host.domain`. An address that ends in `@` is left alone, for clear diagnostics.
    fn add_parent_domain(&self, completion: &Completion, address: &mut Address) -> Option<Appended> {
        if !self.append_dot_mydomain || completion.domain.is_empty() {
            return None;
        }
        let at = address.rfind_op(b'@')?;
        let domain = address.tokens.get(at + 1..)?;
        let complete = |token: &Token| matches!(token, Token::DomainLiteral(_) | Token::Op(b'.'));
        if domain.is_empty() || domain.iter().any(complete) {
            return None;
        }
        let appended = match domain.first() {
            Some(Token::Atom(name) | Token::Quoted(name) | Token::Comment(name)) => {
                Some(Appended(name.clone()))
            }
            _ => None,
        };
        address.tokens.push(Token::Op(b'.'));
        address.tokens.extend(scan(completion.domain.as_bytes()));
        appended
    }
}

/// `@host:user@site` becomes `user@site`.
fn strip_source_route(address: &mut Address) {
    if !address.tokens.first().is_some_and(|first| first.is_op(b'@')) {
        return;
    }
    match address.find_op(b':') {
        Some(colon) if colon + 1 < address.tokens.len() => {
            address.tokens.drain(..=colon);
        }
        _ => (),
    }
}

/// Takes the dot off the end of a domain, but neither of two dots nor the one of `@.`.
pub(crate) fn strip_trailing_dot(address: &mut Address) {
    if let [.., before, last] = address.tokens.as_slice()
        && last.is_op(b'.')
        && !before.is_op(b'.')
        && !before.is_op(b'@')
    {
        address.tokens.pop();
    }
}
