//! Classes of trouble, for `notify_classes`.

/// A set of trouble classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ErrorClass(u32);

impl ErrorClass {
    /// A client broke a policy.
    pub(crate) const POLICY: ErrorClass = ErrorClass(1);
    /// A client broke the protocol.
    pub(crate) const PROTOCOL: ErrorClass = ErrorClass(1 << 1);
    /// Undeliverable mail.
    pub(crate) const BOUNCE: ErrorClass = ErrorClass(1 << 2);
    /// A bug, or a mistake in the configuration.
    pub(crate) const SOFTWARE: ErrorClass = ErrorClass(1 << 3);
    /// Out of space, memory and so on.
    pub(crate) const RESOURCE: ErrorClass = ErrorClass(1 << 4);
    const DOUBLE_BOUNCE: ErrorClass = ErrorClass(1 << 5);
    const DELAY: ErrorClass = ErrorClass(1 << 6);
    /// A critical data file is missing.
    pub(crate) const DATA: ErrorClass = ErrorClass(1 << 7);

    const NAMES: [(&'static str, ErrorClass); 8] = [
        ("bounce", ErrorClass::BOUNCE),
        ("2bounce", ErrorClass::DOUBLE_BOUNCE),
        ("data", ErrorClass::DATA),
        ("delay", ErrorClass::DELAY),
        ("policy", ErrorClass::POLICY),
        ("protocol", ErrorClass::PROTOCOL),
        ("resource", ErrorClass::RESOURCE),
        ("software", ErrorClass::SOFTWARE),
    ];

    /// Reads a list of names; the first unknown name is the error.
    pub(crate) fn parse(list: &str) -> Result<ErrorClass, String> {
        let mut classes = ErrorClass::default();
        for word in list.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
            match Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
                Some((_, class)) => classes.add(*class),
                None => return Err(word.to_owned()),
            }
        }
        Ok(classes)
    }

    pub(crate) fn add(&mut self, other: ErrorClass) {
        self.0 |= other.0;
    }

    pub(crate) fn meets(self, other: ErrorClass) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names() {
        let classes = ErrorClass::parse("resource, software").unwrap();
        assert!(classes.meets(ErrorClass::SOFTWARE) && !classes.meets(ErrorClass::POLICY));
        assert_eq!(ErrorClass::parse("policy bogus"), Err("bogus".to_owned()));
    }
}
