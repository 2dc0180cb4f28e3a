//! What a run tells: one line a result on standard output.

use std::collections::BTreeMap;

/// One measurement.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// Which row it belongs to.
    pub(crate) row: String,
    /// Messages, or clients.
    pub(crate) count: u64,
    /// Processor seconds of the mail system.
    pub(crate) cpu: f64,
    /// Seconds until the last one had arrived.
    pub(crate) wall: f64,
    /// Further numbers by name.
    pub(crate) extra: BTreeMap<String, f64>,
}

impl Outcome {
    pub(crate) fn cpu_per_thousand(&self) -> f64 {
        self.cpu * 1000.0 / self.count as f64
    }

    pub(crate) fn rate(&self) -> f64 {
        self.count as f64 / self.wall
    }

    /// The line.
    pub(crate) fn encode(&self) -> String {
        let mut line = format!("result {} {} {:.6} {:.6}", self.row, self.count, self.cpu, self.wall);
        for (name, value) in &self.extra {
            line.push_str(&format!(" {name}={value:.6}"));
        }
        line
    }

    /// What such a line says; `None` for other lines.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("result ")?.split(' ');
        let mut outcome = Self {
            row: words.next()?.to_owned(),
            count: words.next()?.parse().ok()?,
            cpu: words.next()?.parse().ok()?,
            wall: words.next()?.parse().ok()?,
            extra: BTreeMap::new(),
        };
        for word in words {
            let (name, value) = word.split_once('=')?;
            outcome.extra.insert(name.to_owned(), value.parse().ok()?);
        }
        Some(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_both_ways() {
        let mut outcome =
            Outcome { row: "relay-1".to_owned(), count: 500, cpu: 1.25, wall: 2.5, ..Outcome::default() };
        outcome.extra.insert("each".to_owned(), 12.5);
        assert_eq!(Outcome::parse(&outcome.encode()), Some(outcome.clone()));
        assert_eq!(Outcome::parse("note something"), None);
        assert!((outcome.cpu_per_thousand() - 2.5).abs() < 1e-9);
        assert!((outcome.rate() - 200.0).abs() < 1e-9);
    }
}
