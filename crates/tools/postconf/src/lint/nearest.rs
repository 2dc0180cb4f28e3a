//! What somebody may have meant by a name that does not exist.

/// The name most like `name`, if one is like enough.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    let limit = if name.len() < 8 { 1 } else { 2 + name.len() / 20 };
    let mut best: Option<(usize, &str)> = None;
    for candidate in names {
        if candidate.len().abs_diff(name.len()) > limit && !is_reordered(&name, candidate) {
            continue;
        }
        let distance = if is_reordered(&name, candidate) { 1 } else { distance(&name, candidate) };
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `did you mean "NAME"?`, or `otherwise`.
pub(crate) fn did_you_mean(nearest: Option<&str>, otherwise: &str) -> String {
    match nearest {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => otherwise.to_owned(),
    }
}

/// Whether two names have the same words in another order.
fn is_reordered(one: &str, other: &str) -> bool {
    let sorted = |name: &str| {
        let mut words: Vec<String> = name.split('_').map(str::to_owned).collect();
        words.sort();
        words
    };
    one.len() == other.len() && sorted(one) == sorted(other)
}

/// How many letters must be put in, left out, replaced, or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let at = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut cost =
                (at(&last, j) + usize::from(a != b)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let is_swapped =
                i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a) && a != b;
            if is_swapped {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (one, other, want) in
            [("", "ab", 2), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3), ("ab", "a", 1)]
        {
            assert_eq!(distance(one, other), want, "{one} {other}");
            assert_eq!(distance(other, one), want, "{other} {one}");
        }
    }

    #[test]
    fn names() {
        let names = ["smtpd_sender_restrictions", "smtpd_relay_restrictions", "mydestination", "biff"];
        let near = |name| nearest(name, names.into_iter());
        assert_eq!(near("smtpd_sender_restriction"), Some("smtpd_sender_restrictions"));
        assert_eq!(near("smtpd_restrictions_sender"), Some("smtpd_sender_restrictions"));
        assert_eq!(near("mydestinations"), Some("mydestination"));
        assert_eq!(near("bif"), Some("biff"));
        assert_eq!(near("program_directory"), None);
        assert_eq!(did_you_mean(near("bif"), ""), "did you mean \"biff\"?");
        assert_eq!(did_you_mean(None, "remove it"), "remove it");
    }
}
