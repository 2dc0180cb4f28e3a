//! RFC 822 address tokens and trees.
//!
//! The grammar is more generous than RFC 822: `%`, `!` and `|` are operators, `:` may stand inside
//! an address, 8-bit bytes are ordinary text, and nothing that is not understood is thrown away.
//! [`scan()`] makes a flat token list, [`parse()`] groups the tokens of each address in a list of
//! addresses and adds missing commas.

mod parse;
mod print;
mod scan;

pub use parse::{parse, parse_limit};
pub use print::{Breaks, externalize, externalize_header, internalize, internalize_lines};
pub use scan::{scan, scan_limit};

/// One token of an address expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A single-character operator: one of `|%!()<>@,;:\".[]` (in practice `@ . % ! | < > , ; : )`).
    Op(u8),
    /// A sequence without special characters.
    Atom(Vec<u8>),
    /// What stood between double quotes, quotes and backslashes removed.
    Quoted(Vec<u8>),
    /// A comment as written, with its parentheses.
    Comment(Vec<u8>),
    /// What stood between `[` and `]`, backslashes removed.
    DomainLiteral(Vec<u8>),
    /// An address found by [`parse()`].
    Address(Address),
    /// The `:` that follows the name of a group.
    GroupStart,
}

impl Token {
    /// Words and addresses, which need a space between them to stay apart.
    fn is_operand(&self) -> bool {
        !matches!(self, Token::Op(_) | Token::GroupStart)
    }

    /// Whether this is the given operator.
    pub fn is_op(&self, op: u8) -> bool {
        matches!(self, Token::Op(found) if *found == op)
    }

    /// The address, when this is one.
    pub fn as_address(&self) -> Option<&Address> {
        match self {
            Token::Address(address) => Some(address),
            _ => None,
        }
    }

    /// The address, for changing, when this is one.
    pub fn as_address_mut(&mut self) -> Option<&mut Address> {
        match self {
            Token::Address(address) => Some(address),
            _ => None,
        }
    }
}

/// The tokens of one address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The tokens from left to right.
    pub tokens: Vec<Token>,
    spacing: Spacing,
}

/// Whether neighbouring words are printed with a space between them.
///
/// COMPAT: Postfix prints the members of a group that the parser made without spaces, and a list
/// that came straight from the scanner (also one put into a tree after rewriting) with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Spacing {
    #[default]
    Spaced,
    Joined,
}

impl Address {
    /// Tokenizes text that is one address in external form. Nothing is parsed or grouped.
    pub fn scan(text: &[u8]) -> Address {
        Address { tokens: scan(text), spacing: Spacing::Spaced }
    }

    /// An address of tokens that print without a space between neighbouring words.
    pub fn joined(tokens: Vec<Token>) -> Address {
        Address { tokens, spacing: Spacing::Joined }
    }

    /// The address in external (quoted) form.
    pub fn externalize(&self) -> Vec<u8> {
        print::externalize_spaced(&self.tokens, self.spacing)
    }

    /// The address in internal (unquoted) form.
    pub fn internalize(&self) -> Vec<u8> {
        let mut out = Vec::new();
        print::internalize_into(&mut out, &self.tokens, self.spacing, Breaks::None);
        out
    }

    /// The tokens from a position on in internal form.
    pub fn internalize_from(&self, start: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let tokens = self.tokens.get(start..).unwrap_or_default();
        print::internalize_into(&mut out, tokens, self.spacing, Breaks::None);
        out
    }

    /// The position of the first token that is this operator.
    pub fn find_op(&self, op: u8) -> Option<usize> {
        self.tokens.iter().position(|token| token.is_op(op))
    }

    /// The position of the last token that is this operator.
    pub fn rfind_op(&self, op: u8) -> Option<usize> {
        self.tokens.iter().rposition(|token| token.is_op(op))
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }
}

/// The addresses of a parsed list, in order.
pub fn addresses(list: &[Token]) -> impl Iterator<Item = &Address> {
    list.iter().filter_map(Token::as_address)
}

/// The addresses of a parsed list, in order, for rewriting in place.
pub fn addresses_mut(list: &mut [Token]) -> impl Iterator<Item = &mut Address> {
    list.iter_mut().filter_map(Token::as_address_mut)
}

#[cfg(test)]
mod tests;
