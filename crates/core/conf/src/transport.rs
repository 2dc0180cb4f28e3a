//! Parameters whose names are made of a service's name and a suffix, such as `relay_destination_concurrency_limit`.

use crate::values::{number, seconds, within};
use crate::{Error, MainCf};
use std::time::Duration;

/// A number `TRANSPORT_SUFFIX`; the suffix begins with `_`. The default is the value of the general parameter.
pub fn transport_int(main: &MainCf, transport: &str, suffix: &str, default: i64) -> Result<i64, Error> {
    transport_int_within(main, transport, suffix, default, None, None)
}

/// As [`transport_int`], with bounds.
pub fn transport_int_within(
    main: &MainCf,
    transport: &str,
    suffix: &str,
    default: i64,
    min: Option<i64>,
    max: Option<i64>,
) -> Result<i64, Error> {
    let name = format!("{transport}{suffix}");
    let value = match main.written(&name) {
        Some(text) => number(&name, &main.expand(text)?, i32::MIN.into(), i32::MAX.into())?,
        None => default,
    };
    within(&name, value, min, max)
}

/// A time `TRANSPORT_SUFFIX`; `unit` is the one of a value without unit, one of `smhdw`.
pub fn transport_time(
    main: &MainCf,
    transport: &str,
    suffix: &str,
    default: Duration,
    unit: u8,
    min: Option<i64>,
) -> Result<Duration, Error> {
    let name = format!("{transport}{suffix}");
    match main.written(&name) {
        Some(text) => seconds(&name, &main.expand(text)?, unit, min, None),
        None => Ok(default),
    }
}

/// A text `TRANSPORT_SUFFIX`; the default is a text of main.cf.
pub fn transport_str(main: &MainCf, transport: &str, suffix: &str, default: &str) -> Result<String, Error> {
    main.expand(main.written(&format!("{transport}{suffix}")).unwrap_or(default))
}

/// The value of a restriction class or of a table's own setting, where the name comes from the configuration itself.
///
/// Nothing when main.cf does not set it.
pub fn named_text(main: &MainCf, name: &str) -> Result<Option<String>, Error> {
    main.written(name).map(|text| main.expand(text)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doors() {
        let mut main = MainCf::default();
        main.set("slow_destination_concurrency_limit", "$n");
        main.set("n", "3");
        main.set("slow_destination_rate_delay", "2");
        let suffix = "_destination_concurrency_limit";
        assert_eq!(transport_int(&main, "slow", suffix, 20).unwrap(), 3);
        assert_eq!(transport_int(&main, "smtp", suffix, 20).unwrap(), 20);
        let delay =
            transport_time(&main, "slow", "_destination_rate_delay", Duration::ZERO, b's', None).unwrap();
        assert_eq!(delay, Duration::from_secs(2));
        assert_eq!(transport_str(&main, "slow", "_x", "<$n>").unwrap(), "<3>");
        main.set("n", "three");
        let error = transport_int(&main, "slow", suffix, 20).unwrap_err().to_string();
        assert_eq!(error, "bad numerical configuration: slow_destination_concurrency_limit = three");
    }
}
