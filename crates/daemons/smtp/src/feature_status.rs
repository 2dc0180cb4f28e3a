//! The `tls=` part of the delivery line: what was wanted, and what came of it.

/// The two features that are reported.
#[derive(Clone, Debug, Default)]
pub(crate) struct FeatureStatus {
    level: Option<Feature>,
    requiretls: Option<Feature>,
    text: String,
}

#[derive(Clone, Debug)]
struct Feature {
    wanted: &'static str,
    result: Option<(&'static str, Verdict)>,
}

/// Whether the policy was satisfied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Compliant,
    Violation,
}

impl FeatureStatus {
    /// A new attempt: nothing is known.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// This TLS level is wanted.
    pub(crate) fn want_level(&mut self, level: &'static str) {
        self.level = Some(Feature { wanted: level, result: None });
        self.render();
    }

    /// This TLS level is what there is.
    pub(crate) fn decide_level(&mut self, level: &'static str, verdict: Verdict) {
        if let Some(feature) = &mut self.level {
            feature.result = Some((level, verdict));
        }
        self.render();
    }

    /// REQUIRETLS is wanted.
    pub(crate) fn want_requiretls(&mut self) {
        self.requiretls = Some(Feature { wanted: "requiretls", result: None });
        self.render();
    }

    /// What became of REQUIRETLS.
    pub(crate) fn decide_requiretls(&mut self, name: &'static str, verdict: Verdict) {
        if let Some(feature) = &mut self.requiretls {
            feature.result = Some((name, verdict));
        }
        self.render();
    }

    /// The text, if there is anything to tell.
    pub(crate) fn text(&self) -> Option<&str> {
        (!self.text.is_empty()).then_some(self.text.as_str())
    }

    fn render(&mut self) {
        let one = |feature: &Feature| match feature.result {
            None => format!("{}?", feature.wanted),
            Some((result, verdict)) => {
                let mark = if verdict == Verdict::Violation { "!" } else { "" };
                let change = if result == feature.wanted { String::new() } else { format!(":{result}") };
                format!("{mark}{}{change}", feature.wanted)
            }
        };
        let parts: Vec<String> = [&self.level, &self.requiretls].into_iter().flatten().map(one).collect();
        self.text = parts.join("/");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let mut status = FeatureStatus::default();
        assert_eq!(status.text(), None);
        status.want_level("may");
        assert_eq!(status.text(), Some("may?"));
        status.decide_level("none", Verdict::Compliant);
        assert_eq!(status.text(), Some("may:none"));
        status.want_requiretls();
        status.decide_requiretls("nostarttls", Verdict::Violation);
        assert_eq!(status.text(), Some("may:none/!requiretls:nostarttls"));
    }
}
