//! By how much one success or failure changes the concurrency of a destination.

/// A feedback: a number, or a number divided by the present concurrency or its square root.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feedback {
    base: f64,
    dependence: Dependence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dependence {
    None,
    Concurrency,
    Root,
}

/// The change that a feedback must add up to before the concurrency changes.
pub const HYSTERESIS: u32 = 1;

const NAMES: [(&str, Dependence); 2] =
    [("concurrency", Dependence::Concurrency), ("sqrt_concurrency", Dependence::Root)];

impl Feedback {
    /// One for one: also what replaces a value that makes no sense.
    pub const ONE: Self = Self { base: 1.0, dependence: Dependence::None };

    /// Reads `number`, `number / number`, `number / concurrency` or `number / sqrt_concurrency`; the result must be
    /// between 0 and 1.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, rest) = leading_number(text)?;
        let rest = rest.trim_start();
        let feedback = match rest.strip_prefix('/') {
            // COMPAT: what else follows a lone number is ignored. Test: `as_administrators_write_them`.
            None => Self { base: number, dependence: Dependence::None },
            Some(denominator) => {
                let denominator = denominator.trim_start();
                if denominator.is_empty()
                    || denominator.len() > 30
                    || denominator.contains(char::is_whitespace)
                {
                    return None;
                }
                match NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(denominator)) {
                    Some((_, dependence)) => Self { base: number, dependence: *dependence },
                    None => Self { base: quotient(number, denominator)?, dependence: Dependence::None },
                }
            }
        };
        (0.0..=1.0).contains(&feedback.base).then_some(feedback)
    }

    /// The change for a destination with this concurrency.
    pub fn value(&self, window: u32) -> f64 {
        match self.dependence {
            Dependence::None => self.base,
            Dependence::Concurrency => self.base / f64::from(window),
            Dependence::Root => self.base / f64::from(window).sqrt(),
        }
    }

    /// The number by which Postfix's debug line names the kind.
    pub fn kind(&self) -> u8 {
        match self.dependence {
            Dependence::None => 0,
            Dependence::Concurrency => 1,
            Dependence::Root => 2,
        }
    }
}

fn quotient(number: f64, denominator: &str) -> Option<f64> {
    let (denominator, rest) = leading_number(denominator)?;
    let range = 1.0 / f64::from(i32::MAX)..=f64::from(i32::MAX);
    (rest.is_empty() && range.contains(&denominator) && (0.0..=f64::from(i32::MAX)).contains(&number))
        .then(|| number / denominator)
}

fn leading_number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim_start();
    let end = text
        .char_indices()
        .find(|&(at, c)| !(c.is_ascii_digit() || c == '.' || at == 0 && (c == '-' || c == '+')))
        .map_or(text.len(), |(at, _)| at);
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_administrators_write_them() {
        let value = |text: &str| Feedback::parse(text).map(|feedback| feedback.value(4));
        assert_eq!(value("1"), Some(1.0));
        assert_eq!(value("0.5 junk"), Some(0.5));
        assert_eq!(value("1/8"), Some(0.125));
        assert_eq!(value("1 / concurrency"), Some(0.25));
        assert_eq!(value("1/sqrt_concurrency"), Some(0.5));
        for wrong in ["", "2", "-1", "1/", "1/0", "1/x", "1/8x", "1/8 9", "x"] {
            assert_eq!(Feedback::parse(wrong), None, "{wrong}");
        }
    }
}
