//! Postfix's list syntax: elements separated by white space or commas, with `{ }` around elements that hold either.

/// What separates the elements of most lists.
pub const SEPARATORS: &str = ", \t\r\n";

/// Elements between runs of `separators`; empty elements do not exist.
pub fn split<'a>(text: &'a str, separators: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(move |c| separators.contains(c)).filter(|element| !element.is_empty())
}

/// As [`split`], but separators within balanced `{` and `}` do not separate. The braces stay in the element.
///
/// A closing brace that was never opened is an ordinary character, an opening one that is never closed takes the rest.
pub fn split_braced<'a>(text: &'a str, separators: &'a str) -> impl Iterator<Item = &'a str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c| separators.contains(c));
        if rest.is_empty() {
            return None;
        }
        let mut depth = 0usize;
        let end = rest
            .char_indices()
            .find(|&(_, c)| match c {
                '{' => {
                    depth += 1;
                    false
                }
                '}' => {
                    depth = depth.saturating_sub(1);
                    false
                }
                _ => depth == 0 && separators.contains(c),
            })
            .map_or(rest.len(), |(at, _)| at);
        let (element, tail) = rest.split_at(end);
        rest = tail;
        Some(element)
    })
}

/// As [`split`], but separators within double quotes do not separate. The quotes stay; `\` takes the next character.
pub fn split_quoted<'a>(text: &'a str, separators: &'a str) -> impl Iterator<Item = &'a str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c| separators.contains(c));
        if rest.is_empty() {
            return None;
        }
        let (mut quoted, mut escaped) = (false, false);
        let end = rest
            .char_indices()
            .find(|&(_, c)| {
                if escaped {
                    escaped = false;
                    return false;
                }
                match c {
                    '\\' => escaped = true,
                    '"' => quoted = !quoted,
                    _ => return !quoted && separators.contains(c),
                }
                false
            })
            .map_or(rest.len(), |(at, _)| at);
        let (element, tail) = rest.split_at(end);
        rest = tail;
        Some(element)
    })
}

/// The text between the braces of `{ text }` and what follows them, white space trimmed from both.
///
/// The error names the fault in Postfix's words.
pub fn braced(text: &str) -> Result<(&str, &str), BraceError> {
    let inner = text.strip_prefix('{').ok_or(BraceError::NoOpening)?;
    let mut depth = 1usize;
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let (body, tail) = inner.split_at(at);
            return Ok((body.trim(), tail.get(1..).unwrap_or_default().trim()));
        }
    }
    Err(BraceError::NoClosing)
}

/// Why a text is not `{ text }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BraceError {
    /// The text does not begin with `{`.
    NoOpening,
    /// The `{` is never closed.
    NoClosing,
}

impl std::fmt::Display for BraceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoOpening => "missing '{'",
            Self::NoClosing => "missing '}'",
        })
    }
}

impl std::error::Error for BraceError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_elements_vanish() {
        assert_eq!(split("a, ,b\n\tc,", SEPARATORS).collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn braces_protect_separators() {
        let text = "a, inline:{ x=y, z=w } ,{ b c }";
        assert_eq!(
            split_braced(text, SEPARATORS).collect::<Vec<_>>(),
            ["a", "inline:{ x=y, z=w }", "{ b c }"]
        );
    }

    #[test]
    fn braced_text_and_tail() {
        assert_eq!(braced("{ a {b} } tail"), Ok(("a {b}", "tail")));
        assert_eq!(braced("{ a"), Err(BraceError::NoClosing));
        assert_eq!(braced("a"), Err(BraceError::NoOpening));
    }

    #[test]
    fn quotes_protect_separators() {
        assert_eq!(split_quoted(r#"a "b c" d\ e"#, " ").collect::<Vec<_>>(), ["a", r#""b c""#, r"d\ e"]);
    }
}
