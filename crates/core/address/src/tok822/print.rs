//! From tokens to text.

use super::{Address, Spacing, Token};
use crate::quote::{QuoteFlags, quote_822_local_into};
use crate::shown::Shown;

/// How much text besides the address one list element of a header may have before it is cut.
const MAX_NONADDR_LENGTH: usize = 250;

/// What follows a comma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaks {
    /// A blank.
    None,
    /// A line feed, for the caller to join again into lines of the right length.
    AfterComma,
}

/// A token list in internal form: quotes and backslashes removed.
pub fn internalize(list: &[Token]) -> Vec<u8> {
    internalize_lines(list, Breaks::None)
}

/// A token list in internal form with a choice of what follows a comma.
pub fn internalize_lines(list: &[Token], breaks: Breaks) -> Vec<u8> {
    let mut out = Vec::new();
    internalize_into(&mut out, list, Spacing::Spaced, breaks);
    out
}

/// A token list in external form: quoted where that is needed, comments kept.
pub fn externalize(list: &[Token]) -> Vec<u8> {
    externalize_spaced(list, Spacing::Spaced)
}

/// A token list in external form for a message header.
///
/// An element with more than 250 bytes besides its address is cut down to `<address>`, which
/// protects old Sendmail systems (CERT advisory CA-2003-07); the second result has the text of one
/// warning for each.
pub fn externalize_header(list: &[Token], breaks: Breaks) -> (Vec<u8>, Vec<String>) {
    let mut printer = Printer { out: Vec::new(), breaks, guard: Some(Guard::default()), warnings: vec![] };
    printer.print(list, Spacing::Spaced);
    (printer.out, printer.warnings)
}

pub(super) fn externalize_spaced(list: &[Token], spacing: Spacing) -> Vec<u8> {
    let mut printer = Printer { out: Vec::new(), breaks: Breaks::None, guard: None, warnings: Vec::new() };
    printer.print(list, spacing);
    printer.out
}

pub(super) fn internalize_into(out: &mut Vec<u8>, list: &[Token], spacing: Spacing, breaks: Breaks) {
    for (index, token) in list.iter().enumerate() {
        match token {
            Token::Op(b',') if breaks == Breaks::AfterComma => {
                out.extend_from_slice(b",\n");
                continue;
            }
            Token::Op(op) => out.push(*op),
            Token::Address(address) => {
                internalize_into(out, &address.tokens, address.spacing, Breaks::None);
            }
            Token::Comment(text) | Token::Atom(text) | Token::Quoted(text) => out.extend_from_slice(text),
            Token::DomainLiteral(text) => {
                out.push(b'[');
                out.extend_from_slice(text);
                out.push(b']');
            }
            Token::GroupStart => out.push(b':'),
        }
        if space_after(token, list.get(index + 1), spacing) {
            out.push(b' ');
        }
    }
}

fn space_after(token: &Token, next: Option<&Token>, spacing: Spacing) -> bool {
    let Some(next) = next else { return false };
    if spacing == Spacing::Joined {
        return false;
    }
    matches!(token, Token::Op(b',') | Token::GroupStart)
        || next.is_op(b'<')
        || (token.is_operand() && next.is_operand())
}

/// Where the current list element begins and what its address is.
#[derive(Default)]
struct Guard {
    start: usize,
    address: Option<Vec<u8>>,
    address_len: usize,
}

struct Printer {
    out: Vec<u8>,
    breaks: Breaks,
    guard: Option<Guard>,
    warnings: Vec<String>,
}

impl Printer {
    fn print(&mut self, list: &[Token], spacing: Spacing) {
        for (index, token) in list.iter().enumerate() {
            match token {
                Token::Op(b',') => {
                    self.end_element();
                    self.out.push(b',');
                    self.out.push(if self.breaks == Breaks::AfterComma { b'\n' } else { b' ' });
                    if let Some(guard) = &mut self.guard {
                        *guard = Guard { start: self.out.len(), ..Guard::default() };
                    }
                    continue;
                }
                Token::Address(address) => self.address(address),
                Token::Atom(text) | Token::Comment(text) => self.out.extend_from_slice(text),
                Token::Quoted(text) => {
                    self.out.push(b'"');
                    self.escaped(text, b"\"\\\r\n");
                    self.out.push(b'"');
                }
                Token::DomainLiteral(text) => {
                    self.out.push(b'[');
                    self.escaped(text, b"\\\r\n");
                    self.out.push(b']');
                }
                Token::GroupStart => self.out.push(b':'),
                Token::Op(op) => {
                    let empty = *op == b'<' && list.get(index + 1).is_some_and(|next| next.is_op(b'>'));
                    if let (true, Some(guard)) = (empty, &mut self.guard) {
                        guard.address = Some(Vec::new());
                        guard.address_len = 0;
                    }
                    self.out.push(*op);
                }
            }
            if space_after(token, list.get(index + 1), spacing) {
                self.out.push(b' ');
            }
        }
        self.end_element();
    }

    /// The rules for quoting a local part are about the whole of it, not about single atoms.
    fn address(&mut self, address: &Address) {
        let internal = address.internalize();
        let before = self.out.len();
        quote_822_local_into(&mut self.out, &internal, QuoteFlags::EIGHT_BIT_CLEAN);
        if let Some(guard) = &mut self.guard {
            guard.address_len = self.out.len() - before;
            guard.address = Some(internal);
        }
    }

    fn escaped(&mut self, text: &[u8], special: &[u8]) {
        for &byte in text {
            if special.contains(&byte) {
                self.out.push(b'\\');
            }
            self.out.push(byte);
        }
    }

    fn end_element(&mut self) {
        let Some(guard) = &self.guard else { return };
        let Some(internal) = &guard.address else { return };
        if self.out.len() - guard.address_len <= guard.start + MAX_NONADDR_LENGTH {
            return;
        }
        let text = self.out.get(guard.start..).unwrap_or_default();
        self.warnings.push(format!("stripping too many comments from address: {}...", Shown(text)));
        self.out.truncate(guard.start);
        self.out.push(b'<');
        // The empty address of `<>` stays empty; an address without text gets its quotes.
        if guard.address_len > 0 {
            quote_822_local_into(&mut self.out, internal, QuoteFlags::EIGHT_BIT_CLEAN);
        }
        self.out.push(b'>');
    }
}
