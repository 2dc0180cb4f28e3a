//! What `$name` stands for in templates.

use std::cell::RefCell;

use conf::MainCf;
use daemon::Fatal;

use crate::BounceParams;

/// The parameters of main.cf, of which some are made fit for people.
pub struct Names<'a> {
    main: &'a MainCf,
    params: &'a BounceParams,
    fault: RefCell<Option<Fatal>>,
}

const UNITS: [(&str, u64); 5] =
    [("seconds", 1), ("minutes", 60), ("hours", 3600), ("days", 86_400), ("weeks", 604_800)];

impl<'a> Names<'a> {
    pub(crate) fn new(main: &'a MainCf, params: &'a BounceParams) -> Self {
        Self { main, params, fault: RefCell::new(None) }
    }

    /// The value of a name in the template of this class from this file; nothing when it is not defined.
    pub(super) fn value(&self, origin: &str, class: &str, name: &[u8]) -> Option<Vec<u8>> {
        let name = std::str::from_utf8(name).ok()?;
        if let Some((seconds, unit)) = self.time(name) {
            return self.in_units(origin, class, name, seconds, unit).map(String::into_bytes);
        }
        let value = match name {
            "myhostname" => self.shown_domain(origin, name, &self.params.myhostname),
            "mydomain" => self.shown_domain(origin, name, &self.params.mydomain),
            _ => self.parameter(name)?,
        };
        let is_8bit_fine = self.params.smtputf8_enable;
        let printable = bytes::printable(value.as_bytes(), b'_');
        Some(
            printable
                .into_iter()
                .map(|byte| if is_8bit_fine || byte.is_ascii() { byte } else { b'_' })
                .collect(),
        )
    }

    /// What went wrong in a look-up.
    pub(super) fn take_fault(&self) -> Result<(), Fatal> {
        self.fault.borrow_mut().take().map_or(Ok(()), Err)
    }

    // A time parameter's name with something after it: the time and what.
    fn time<'n>(&self, name: &'n str) -> Option<(u64, &'n str)> {
        let times = [
            ("delay_warning_time", self.params.delay_warning_time),
            ("maximal_queue_lifetime", self.params.maximal_queue_lifetime),
        ];
        times.into_iter().find_map(|(parameter, time)| {
            let unit = name.strip_prefix(parameter)?.strip_prefix('_')?;
            Some((time.as_secs(), unit))
        })
    }

    fn in_units(&self, origin: &str, class: &str, name: &str, seconds: u64, unit: &str) -> Option<String> {
        let Some((_, divisor)) = UNITS.iter().find(|(known, _)| *known == unit) else {
            let problem = format!("{origin}: unrecognized suffix \"{unit}\" in parameter \"{name}\"");
            self.fault.borrow_mut().get_or_insert(Fatal::new(problem));
            return None;
        };
        let count = seconds / divisor;
        let advice = if count > 999 && *divisor < 86_400 {
            log::warning!(
                "{origin}: excessive result \"{count}\" in {class} template conversion of parameter \"{name}\""
            );
            Some("increase")
        } else if count == 0 && seconds > 0 && *divisor > 1 {
            log::warning!("{origin}: zero result in {class} template conversion of parameter \"{name}\"");
            Some("reduce")
        } else {
            None
        };
        if let Some(advice) = advice {
            log::warning!("please {advice} time unit \"{unit}\" of \"{name}\" in {class} template");
            log::warning!("for instructions see the bounce(5) manual");
        }
        Some(count.to_string())
    }

    fn shown_domain(&self, origin: &str, name: &str, domain: &str) -> String {
        if !self.params.smtputf8_enable {
            return domain.to_owned();
        }
        if !domain.is_ascii() {
            log::warning!("{origin}: conversion \"{name}\" failed: non-ASCII input value: \"{domain}\"");
            return domain.to_owned();
        }
        address::idn::to_utf8(domain.as_bytes()).unwrap_or_else(|fault| {
            log::warning!("{fault}");
            log::warning!("{origin}: conversion \"{name}\" failed: input value: \"{domain}\"");
            domain.to_owned()
        })
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let is_known = self.main.is_set(name) || conf::params::all().iter().any(|known| known.name == name);
        if !is_known {
            return None;
        }
        match self.main.expand(&format!("${{{name}}}")) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault.borrow_mut().get_or_insert(error.into());
                None
            }
        }
    }
}
