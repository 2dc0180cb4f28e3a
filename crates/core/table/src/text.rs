//! Postfix's `{ }` syntax, with its error texts.

/// The length of the balanced `{text}` that `text` starts with.
pub(crate) fn balanced(text: &str) -> Option<usize> {
    let mut level = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => level += 1,
            b'}' if level > 0 => level -= 1,
            _ => {}
        }
        if level == 0 {
            return (byte == b'}').then_some(at + 1);
        }
    }
    None
}

/// What is between the braces of a `{text}` that has nothing after it.
pub(crate) fn inside_braces(text: &str) -> Option<&str> {
    let length = balanced(text)?;
    if length != text.len() {
        return None;
    }
    text.get(1..length - 1)
}

/// What is between the braces, or Postfix's text about what is wrong with them.
pub(crate) fn extract(text: &str) -> Result<&str, String> {
    if !text.starts_with('{') {
        return Err(format!("no '{{' at start of text in \"{text}\""));
    }
    let Some(length) = balanced(text) else {
        return Err(format!("missing '}}' in \"{text}\""));
    };
    if length != text.len() {
        return Err(format!("syntax error after '}}' in \"{text}\""));
    }
    Ok(text.get(1..length - 1).unwrap_or_default())
}

/// As [`extract`], with white space at both ends removed.
pub(crate) fn extract_trimmed(text: &str) -> Result<&str, String> {
    extract(text).map(|inner| inner.trim_matches(is_blank))
}

/// Splits `key = value`. The key may be `"quoted"`, and then hold white space and `=`.
pub(crate) fn split_quoted_pair(text: &str) -> Result<(&str, &str), &'static str> {
    let text = text.trim_start_matches(is_blank);
    if text.is_empty() {
        return Err("no key found; expected format: key = value");
    }
    let key_end = match key_length(text.as_bytes(), |byte| byte == b'=') {
        Ok(length) => length,
        Err(Unbalanced) => return Err("unbalanced '\"'"),
    };
    let (key, rest) = text.split_at(key_end);
    let value =
        rest.trim_start_matches(is_blank).strip_prefix('=').ok_or("missing '=' after attribute name")?;
    Ok((key, value.trim_matches(is_blank)))
}

/// A `"` without its partner.
pub(crate) struct Unbalanced;

/// How long the key at the start of a text is: up to white space, or what `ends` says, outside double quotes.
pub(crate) fn key_length(text: &[u8], ends: impl Fn(u8) -> bool) -> Result<usize, Unbalanced> {
    let mut quoted = false;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' => {
                at += 1;
                if at >= text.len() {
                    break;
                }
            }
            b'"' => quoted = !quoted,
            _ if !quoted && (bytes::is_space(byte) || ends(byte)) => break,
            _ => {}
        }
        at += 1;
    }
    if quoted { Err(Unbalanced) } else { Ok(at.min(text.len())) }
}

/// White space as C's `isspace` sees it.
pub(crate) fn is_blank(c: char) -> bool {
    u8::try_from(c).is_ok_and(bytes::is_space)
}

/// Splits a list as main.cf does: elements separated by white space or commas, `{ }` protects them.
pub(crate) fn elements(text: &str) -> impl Iterator<Item = &str> {
    bytes::list::split_braced(text, bytes::list::SEPARATORS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_in_postfix_words() {
        assert_eq!(extract_trimmed("{ a {b} }"), Ok("a {b}"));
        assert_eq!(extract("a"), Err("no '{' at start of text in \"a\"".into()));
        assert_eq!(extract("{a"), Err("missing '}' in \"{a\"".into()));
        assert_eq!(extract("{a}b"), Err("syntax error after '}' in \"{a}b\"".into()));
        assert_eq!(inside_braces("{a=b}"), Some("a=b"));
        assert_eq!(inside_braces("{a=b}x"), None);
        assert_eq!(inside_braces("a"), None);
    }

    #[test]
    fn pairs() {
        assert_eq!(split_quoted_pair(" a = b c "), Ok(("a", "b c")));
        assert_eq!(split_quoted_pair("\"a =\"=b"), Ok(("\"a =\"", "b")));
        assert_eq!(split_quoted_pair("a"), Err("missing '=' after attribute name"));
        assert_eq!(split_quoted_pair(" "), Err("no key found; expected format: key = value"));
    }

    #[test]
    fn conformance_of_quoted_names() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../../shared/conformance/upstream/text/split_qnameval.toml"
        );
        let Ok(text) = std::fs::read_to_string(path) else {
            eprintln!("skipped: no {path}");
            return;
        };
        let mut count = 0;
        for vector in text.split("[[vector]]\n").skip(1) {
            let value = |name: &str| {
                let line = vector.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "))?;
                let line = line.strip_prefix('"')?.strip_suffix('"')?;
                Some(line.replace("\\\\", "\\").replace("\\\"", "\""))
            };
            let input = value("input").unwrap();
            match value("want_error") {
                Some(error) => assert_eq!(split_quoted_pair(&input), Err(error.as_str())),
                None => {
                    let want = (value("want_key").unwrap(), value("want_value").unwrap());
                    assert_eq!(split_quoted_pair(&input), Ok((want.0.as_str(), want.1.as_str())));
                }
            }
            count += 1;
        }
        assert!(count > 10, "{count} vectors");
    }
}
