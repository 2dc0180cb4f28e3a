//! Text added to a server's reply (`smtpd_reject_footer`).

/// Why a footer cannot be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FooterError {
    /// The reply is no SMTP reply.
    BadReply,
    /// The template cannot be expanded, for this reason.
    BadTemplate(String),
}

/// Appends `template` to `reply`, whose lines are separated by CRLF; a CRLF at its end is kept.
///
/// `\n` in the template begins a new reply line, `\c` at its start goes on in the last line of the reply. New lines repeat the code
/// and the enhanced code of the last one. `expand` replaces macros in one line.
pub fn append(
    reply: &[u8],
    template: &str,
    expand: impl Fn(&str) -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, FooterError> {
    let (body, end) = match reply.strip_suffix(b"\r\n") {
        Some(body) => (body, &b"\r\n"[..]),
        None => (reply, &b""[..]),
    };
    let mut last = 0;
    for line in lines(body) {
        if !is_reply_line(line.1) {
            return Err(FooterError::BadReply);
        }
        last = line.0;
    }
    let code = body[last..last + 3].to_vec();
    let rest = &body[last + 4..];
    let enhanced = dsn::enhanced_status(rest).map_or(&b""[..], |length| &rest[..length]);
    let mut out = body.to_vec();
    let mut added = false;
    let mut parts = template.split("\\n").peekable();
    let mut first = true;
    while let Some(part) = parts.next() {
        let text = match part.strip_prefix("\\c") {
            Some(text) if first => text,
            _ => {
                out.extend_from_slice(b"\r\n");
                out.extend_from_slice(&code);
                out.push(if parts.peek().is_some() { b'-' } else { b' ' });
                if !enhanced.is_empty() {
                    out.extend_from_slice(enhanced);
                    out.push(b' ');
                }
                added = true;
                part
            }
        };
        first = false;
        out.extend_from_slice(&expand(text).map_err(FooterError::BadTemplate)?);
    }
    if added && let Some(separator) = out.get_mut(last + 3) {
        *separator = b'-';
    }
    out.extend_from_slice(end);
    Ok(out)
}

fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = Some(0);
    std::iter::from_fn(move || {
        let start = at?;
        let rest = &text[start..];
        let end = rest.windows(2).position(|pair| pair == b"\r\n");
        at = end.map(|end| start + end + 2);
        Some((start, &rest[..end.unwrap_or(rest.len())]))
    })
}

fn is_reply_line(line: &[u8]) -> bool {
    line.len() >= 4 && line[..3].iter().all(u8::is_ascii_digit) && matches!(line[3], b' ' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footer(reply: &str, template: &str) -> String {
        let expand = |text: &str| Ok(text.replace("$x", "DUMMY").into_bytes());
        String::from_utf8(append(reply.as_bytes(), template, expand).unwrap()).unwrap()
    }

    #[test]
    fn lines_and_continuation() {
        assert_eq!(footer("550 Foo", "\\c footer"), "550 Foo footer");
        assert_eq!(footer("550 Foo", "Bar"), "550-Foo\r\n550 Bar");
        assert_eq!(
            footer("550-5.1.1 Foo\r\n450 4.1.1 Bar", "Baz"),
            "550-5.1.1 Foo\r\n450-4.1.1 Bar\r\n450 4.1.1 Baz"
        );
        assert_eq!(footer("220 h\r\n", "\\c $x\\nmore"), "220-h DUMMY\r\n220 more\r\n");
    }

    #[test]
    fn bad_replies() {
        for reply in ["", "1234 foo", "12 foo", "321 foo\r\n1234 foo"] {
            assert_eq!(
                append(reply.as_bytes(), "x", |_| Ok(Vec::new())),
                Err(FooterError::BadReply),
                "{reply}"
            );
        }
    }
}
