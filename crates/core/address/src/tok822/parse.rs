//! From a flat list of tokens to a list of addresses.

use super::scan::scan_limit;
use super::{Address, Token};

/// Parses an address list in external form, all of it.
pub fn parse(text: &[u8]) -> Vec<Token> {
    parse_limit(text, 0)
}

/// Parses an address list in external form, at most `limit` tokens of it (0: no limit).
pub fn parse_limit(text: &[u8], limit: usize) -> Vec<Token> {
    let mut parser =
        Parser { left: scan_limit(text, limit), middle: Vec::new(), right: Vec::new(), at_border: false };
    parser.run();
    parser.right.reverse();
    parser.right
}

/// Works from right to left. `left` is what was not looked at yet (its last token is the current
/// one), `middle` the tokens that may become an address, `right` what is settled; the latter two
/// are in reverse order.
struct Parser {
    left: Vec<Token>,
    middle: Vec<Token>,
    right: Vec<Token>,
    /// The current token is itself the right border: it belongs to no address.
    at_border: bool,
}

/// Whether a comma is put before a new group.
enum Comma {
    Add,
    Omit,
}

impl Parser {
    fn run(&mut self) {
        // A word is in order: no address has been begun.
        let mut word_ok = true;
        // Right of us stands the `;` of a group.
        let mut in_group = false;
        while let Some(token) = self.left.last_mut() {
            match token {
                Token::Comment(_) => {
                    self.settle();
                    continue;
                }
                Token::Op(b';') => {
                    self.group(Comma::Add);
                    self.at_border = true;
                    in_group = true;
                    word_ok = true;
                }
                Token::Op(b':') if in_group => {
                    *token = Token::GroupStart;
                    self.group(Comma::Omit);
                    self.settle_until(b",");
                    continue;
                }
                Token::Op(b'>') => {
                    self.route_address();
                    word_ok = true;
                    continue;
                }
                Token::Atom(_) | Token::Quoted(_) | Token::DomainLiteral(_) => {
                    if !word_ok {
                        self.group(Comma::Add);
                    }
                    word_ok = false;
                }
                Token::Op(b',') => {
                    self.group(Comma::Omit);
                    self.at_border = true;
                    word_ok = true;
                }
                _ => word_ok = true,
            }
            self.advance();
        }
        self.group(Comma::Omit);
    }

    /// The tokens between `<` and the current `>` are one address; what stands left of it is a
    /// phrase that is kept as it is.
    fn route_address(&mut self) {
        self.group(Comma::Add);
        self.at_border = true;
        self.advance();
        while let Some(token) = self.left.last() {
            match token {
                Token::Op(b'<') => break,
                Token::Comment(_) => self.settle(),
                _ => self.advance(),
            }
        }
        self.group(Comma::Omit);
        self.settle_until(b">;,:");
    }

    /// Moves the current token to the address being collected, or right of it.
    fn advance(&mut self) {
        if let Some(token) = self.left.pop() {
            let target = if self.at_border { &mut self.right } else { &mut self.middle };
            target.push(token);
        }
        self.at_border = false;
    }

    /// Moves the current token out of the way, right of the address being collected.
    fn settle(&mut self) {
        self.right.extend(self.left.pop());
    }

    fn settle_until(&mut self, ops: &[u8]) {
        while let Some(token) = self.left.last() {
            if matches!(token, Token::Op(op) if ops.contains(op)) {
                break;
            }
            self.settle();
        }
        self.at_border = true;
    }

    fn group(&mut self, comma: Comma) {
        if self.middle.is_empty() {
            return;
        }
        let mut tokens = std::mem::take(&mut self.middle);
        tokens.reverse();
        self.right.push(Token::Address(Address::joined(tokens)));
        if matches!(comma, Comma::Add) {
            self.right.push(Token::Op(b','));
        }
    }
}
