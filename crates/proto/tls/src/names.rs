//! Whether a certificate's names match the names asked for (RFC 6125, with Postfix's `.domain` patterns).

/// A name to be found in a certificate; a leading dot stands for any sub-domain.
pub(crate) fn matches(wanted: &str, names: &[String]) -> bool {
    let wanted = wanted.trim_end_matches('.').to_ascii_lowercase();
    names.iter().any(|name| one(&wanted, &name.trim_end_matches('.').to_ascii_lowercase()))
}

fn one(wanted: &str, name: &str) -> bool {
    if wanted.starts_with('.') {
        return wanted.len() > 1 && name.len() > wanted.len() && name.ends_with(wanted);
    }
    if name == wanted {
        return !wanted.is_empty();
    }
    // A star stands for the whole first label, and there must be at least two more.
    let (Some(parent), Some((_, rest))) = (name.strip_prefix("*."), wanted.split_once('.')) else {
        return false;
    };
    parent == rest && parent.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(matches("mail.example.com", &names(&["MAIL.example.com"])));
        assert!(matches("mail.example.com", &names(&["x", "*.example.com"])));
        assert!(!matches("a.mail.example.com", &names(&["*.example.com"])));
        assert!(!matches("example.com", &names(&["*.com"])));
        assert!(!matches("mail.example.com", &names(&["m*.example.com"])));
        assert!(matches(".example.com", &names(&["a.b.example.com"])));
        assert!(!matches(".example.com", &names(&["example.com"])));
        assert!(!matches("", &names(&[""])));
    }
}
