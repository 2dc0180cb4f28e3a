//! Takes out of texts what differs from run to run: queue ids, times, process ids, ports, delays.

use std::collections::BTreeMap;

use regex::{Captures, Regex};

/// The rules. Queue ids keep their identity: the first one seen is `QID1`, the next `QID2`.
pub struct Normaliser {
    ids: BTreeMap<String, String>,
    id: Regex,
    sure: Regex,
    number: Regex,
    rules: Vec<(Regex, &'static str)>,
}

/// Order matters: what comes later sees what is left.
const RULES: &[(&str, &str)] = &[
    (r"\[\d+\]: ", "[PID]: "),
    (r"delay=[\d.]+(, delays=[\d./]+)?", "delay=N, delays=N"),
    (r"[A-Z][a-z]{2}, [ \d]?\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [-+]\d{4}( \([A-Z]+\))?", "DATE"),
    (r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d( \d{4})?", "DATE"),
    (r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d( \d{4})?", "DATE"),
    (r"<\d{14}\.", "<TIME."),
    (r"\d+\.V[0-9a-f]+I[0-9a-fx]+M\d+\.", "MAILDIR."),
    (r"\d+\.P\d+\.", "MAILDIR."),
    (r"\.\d{10}/", ".TIME/"),
    (r"\b(deferred|defer|active|incoming|hold)/[0-9A-F]/", "$1/X/"),
    (r"(127\.0\.0\.1|192\.0\.2\.\d+|203\.0\.113\.\d+|198\.51\.100\.\d+)\]:\d{5}", "$1]:PORT"),
    (r"size=\d+", "size=N"),
    (r"arrival_time: \d+", "arrival_time: TIME"),
    (r#""arrival_time": \d+"#, r#""arrival_time": TIME"#),
    (r#""message_size": \d+"#, r#""message_size": SIZE"#),
    (r"process id \d+", "process id PID"),
    (r"pid \d+", "pid PID"),
    (r"PID: \d+", "PID: PID"),
];

impl Default for Normaliser {
    fn default() -> Self {
        let rules = RULES.iter().map(|(from, to)| (Regex::new(from).expect("a rule"), *to)).collect();
        // Five digits of the time and at least one of the inode; digits or letters alone may be anything.
        let id = Regex::new(r"\b[0-9A-F]{6,16}\b").expect("a rule");
        // Where nothing but an id can stand.
        let sure = Regex::new(r"(?:\[\d+\]: |queued as |queue_id\x00)([0-9A-F]{6,16})\b").expect("a rule");
        Self { ids: BTreeMap::new(), id, sure, number: Regex::new(r"QID\d+").expect("a rule"), rules }
    }
}

impl Normaliser {
    /// A fresh one: no queue id seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a queue id known, so that it is seen even where it is only digits.
    pub fn learn(&mut self, id: &str) {
        let next = self.ids.len() + 1;
        self.ids.entry(id.to_owned()).or_insert_with(|| format!("QID{next}"));
    }

    /// Makes the ids in log lines known.
    pub fn learn_from<'a>(&mut self, lines: impl IntoIterator<Item = &'a String>) {
        for line in lines {
            self.apply(line);
        }
    }

    /// The text without what varies, all queue ids alike.
    pub fn anonymous(&mut self, text: &str) -> String {
        let text = self.apply(text);
        self.number.replace_all(&text, "QID").into_owned()
    }

    /// The text without what varies.
    pub fn apply(&mut self, text: &str) -> String {
        for found in self.sure.captures_iter(text).map(|found| found[1].to_owned()).collect::<Vec<_>>() {
            self.learn(&found);
        }
        let mut text = text.to_owned();
        for (from, to) in &self.rules {
            text = from.replace_all(&text, *to).into_owned();
        }
        let ids = &mut self.ids;
        let replaced = self.id.replace_all(&text, |found: &Captures<'_>| {
            let id = &found[0];
            let digits = id.bytes().all(|byte| byte.is_ascii_digit());
            let letters = id.bytes().all(|byte| byte.is_ascii_alphabetic());
            if !ids.contains_key(id) && (digits || letters) {
                return id.to_owned();
            }
            let next = format!("QID{}", ids.len() + 1);
            ids.entry(id.to_owned()).or_insert(next).clone()
        });
        replaced.into_owned()
    }
}

/// The text with all queue ids alike, for where their order means nothing.
pub fn anonymous(text: &str) -> String {
    Normaliser::new().anonymous(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_their_identity() {
        let mut normaliser = Normaliser::new();
        let text = "postfix/qmgr[12]: 1A2B3C4: from=<a@b>, size=400, nrcpt=1 (queue active)";
        assert_eq!(
            normaliser.apply(text),
            "postfix/qmgr[PID]: QID1: from=<a@b>, size=N, nrcpt=1 (queue active)"
        );
        assert_eq!(normaliser.apply("5D6E7F8 and 1A2B3C4"), "QID2 and QID1");
    }

    #[test]
    fn times_and_delays() {
        assert_eq!(anonymous("delay=0.05, delays=0.04/0/0/0.01, dsn=2.0.0"), "delay=N, delays=N, dsn=2.0.0");
        assert_eq!(anonymous("Date: Fri, 20 Nov 2026 19:29:35 +0000 (UTC)"), "Date: DATE");
        assert_eq!(anonymous("<20261120192935.1A2B3C4@mail>"), "<TIME.QID@mail>");
    }
}
