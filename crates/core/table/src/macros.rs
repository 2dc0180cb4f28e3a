//! `$name` in results of pattern tables.

/// A piece of a text with `$name`, `${name}` or `$(name)` in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text as it is, with `$$` already replaced by `$`.
    Literal(Vec<u8>),
    /// What stood after `$` or in the parentheses.
    Name(Vec<u8>),
}

/// A text that is not well-formed. What is wrong has been logged.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Hands the pieces of a text to `act` in turn, which says whether it likes them.
pub(crate) fn parse(
    text: &[u8],
    mut act: impl FnMut(Piece) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut literal = Vec::new();
    let mut result = Ok(());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        if *first != b'$' {
            literal.push(*first);
            rest = tail;
            continue;
        }
        if let [b'$', tail @ ..] = tail {
            literal.push(b'$');
            rest = tail;
            continue;
        }
        if !literal.is_empty() {
            result = result.and(act(Piece::Literal(std::mem::take(&mut literal))));
        }
        let name;
        match tail {
            [open @ (b'(' | b'{'), inner @ ..] => {
                let close = if *open == b'(' { b')' } else { b'}' };
                let Some(length) = matching(inner, *open, close) else {
                    log::warning!("truncated macro reference: \"{}\"", bytes::show(text));
                    return Err(Malformed);
                };
                result.as_ref().map_err(|_| Malformed)?;
                name = inner.get(..length).unwrap_or_default();
                rest = inner.get(length + 1..).unwrap_or_default();
            }
            _ => {
                let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                let length = tail.iter().position(|byte| !is_name(byte)).unwrap_or(tail.len());
                (name, rest) = tail.split_at(length);
            }
        }
        if name.is_empty() {
            log::warning!("empty macro name: \"{}\"", bytes::show(text));
            return Err(Malformed);
        }
        result = result.and(act(Piece::Name(name.to_vec())));
    }
    if !literal.is_empty() {
        result?;
        return act(Piece::Literal(literal));
    }
    result
}

fn matching(text: &[u8], open: u8, close: u8) -> Option<usize> {
    let mut level = 1usize;
    for (at, &byte) in text.iter().enumerate() {
        if byte == open {
            level += 1;
        } else if byte == close {
            level -= 1;
        }
        if level == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Result<Vec<Piece>, Malformed> {
        let mut found = Vec::new();
        parse(text.as_bytes(), |piece| {
            found.push(piece);
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn three_ways_to_write_a_name() {
        let name = |text: &str| Piece::Name(text.into());
        let literal = |text: &str| Piece::Literal(text.into());
        assert_eq!(
            pieces("a$1b${2}c$(3)$$4"),
            Ok(vec![literal("a"), name("1b"), name("2"), literal("c"), name("3"), literal("$4")])
        );
        assert_eq!(pieces("${1"), Err(Malformed));
        assert_eq!(pieces("a$ b"), Err(Malformed));
        assert_eq!(pieces(""), Ok(vec![]));
    }
}
