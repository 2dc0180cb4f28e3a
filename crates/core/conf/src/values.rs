//! Text to typed values, with the bounds checked and the errors in Postfix's words.

use crate::error::reason;
use crate::lines::SPACE;
use crate::{Error, Kind, MainCf, Spec};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

pub(crate) fn text(main: &MainCf, spec: &Spec) -> Result<String, Error> {
    let mut value = main.expanded(spec)?;
    if spec.name == "myorigin" && value.starts_with('/') {
        value = first_line(spec.name, &value)?;
    }
    let length = value.len() as i64;
    if let Some(min) = spec.min.filter(|&min| length < min) {
        return Err(Error::Value(format!("bad string length {length} < {min}: {} = {value}", spec.name)));
    }
    if let Some(max) = spec.max.filter(|&max| length > max) {
        return Err(Error::Value(format!("bad string length {length} > {max}: {} = {value}", spec.name)));
    }
    Ok(value)
}

/// The first line of the file that the value names, as Debian has it for `myorigin = /etc/mailname`.
fn first_line(name: &str, path: &str) -> Result<String, Error> {
    let mut options = OpenOptions::new();
    let file = sys::safe_open::existing(Path::new(path), options.read(true))
        .map_err(|error| Error::Value(format!("{path}: cannot open file: {}", reason(&error))))?;
    let mut line = Vec::new();
    BufReader::new(file)
        .read_until(b'\n', &mut line)
        .map_err(|error| Error::Value(format!("{path}: read error: {}", reason(&error))))?;
    let line = String::from_utf8_lossy(&line).trim_matches(SPACE).to_owned();
    if line.is_empty() {
        return Err(Error::Value(format!("{name} file {path} is empty")));
    }
    Ok(line)
}

pub(crate) fn raw(main: &MainCf, spec: &Spec) -> Result<String, Error> {
    let value = main.unexpanded(spec)?;
    let length = value.len() as i64;
    if let Some(min) = spec.min.filter(|&min| length < min) {
        return Err(Error::Value(format!("bad string length ({length} < {min}): {} = {value}", spec.name)));
    }
    if let Some(max) = spec.max.filter(|&max| length > max) {
        return Err(Error::Value(format!("bad string length ({length} > {max}): {} = {value}", spec.name)));
    }
    Ok(value)
}

pub(crate) fn int(main: &MainCf, spec: &Spec) -> Result<i64, Error> {
    let value = number(spec.name, &main.expanded(spec)?, i32::MIN.into(), i32::MAX.into())?;
    within(spec.name, value, spec.min, spec.max)
}

pub(crate) fn long(main: &MainCf, spec: &Spec) -> Result<i64, Error> {
    let value = number(spec.name, &main.expanded(spec)?, i64::MIN, i64::MAX)?;
    within(spec.name, value, spec.min, spec.max)
}

pub(crate) fn time(main: &MainCf, spec: &Spec) -> Result<Duration, Error> {
    debug_assert!(spec.kind == Kind::Time);
    let default = main.expand(spec.default)?;
    let unit = default.bytes().find(u8::is_ascii_alphabetic).unwrap_or(b's');
    seconds(spec.name, &main.expanded(spec)?, unit, spec.min, spec.max)
}

pub(crate) fn boolean(main: &MainCf, spec: &Spec) -> Result<bool, Error> {
    flag(spec.name, &main.expanded(spec)?)
}

/// `yes` or `no`, the value of `name`.
pub fn flag(name: &str, value: &str) -> Result<bool, Error> {
    if value.eq_ignore_ascii_case("yes") {
        return Ok(true);
    }
    if value.eq_ignore_ascii_case("no") {
        return Ok(false);
    }
    Err(Error::Value(format!("bad boolean configuration: {name} = {value}")))
}

/// A decimal number as strtol(3) reads it, all of the text: the value of `name`.
pub fn number(name: &str, text: &str, least: i64, most: i64) -> Result<i64, Error> {
    match strtol(text) {
        Some((value, "")) if (least..=most).contains(&value) => Ok(value),
        _ => Err(Error::Value(format!("bad numerical configuration: {name} = {text}"))),
    }
}

/// The value of `name`, when it is within the bounds.
pub fn within(name: &str, value: i64, min: Option<i64>, max: Option<i64>) -> Result<i64, Error> {
    if let Some(min) = min.filter(|&min| value < min) {
        return Err(Error::Value(format!("invalid {name} parameter value {value} < {min}")));
    }
    if let Some(max) = max.filter(|&max| value > max) {
        return Err(Error::Value(format!("invalid {name} parameter value {value} > {max}")));
    }
    Ok(value)
}

/// A time with its bounds, in seconds.
pub(crate) fn seconds(
    name: &str,
    text: &str,
    unit: u8,
    min: Option<i64>,
    max: Option<i64>,
) -> Result<Duration, Error> {
    let Some(value) = parse_time(text, unit) else {
        return Err(Error::Value(format!("parameter {name}: bad time value or unit: {text}")));
    };
    if let Some(min) = min.filter(|&min| value < min) {
        return Err(Error::Value(format!("invalid {name}: {value} (min {min})")));
    }
    if let Some(max) = max.filter(|&max| value > max) {
        return Err(Error::Value(format!("invalid {name}: {value} (max {max})")));
    }
    Ok(Duration::from_secs(value.unsigned_abs()))
}

/// Seconds in `text`, which may end in one of `smhdw`.
///
/// COMPAT: only the first character after the number counts, as in Postfix ("5minutes" is 5m). Test: `units`.
pub fn parse_time(text: &str, default_unit: u8) -> Option<i64> {
    let (value, rest) = strtol(text)?;
    if value < 0 || value > i32::MAX.into() {
        return None;
    }
    let factor: i64 = match rest.bytes().next().unwrap_or(default_unit) {
        b's' => return Some(value),
        b'm' => 60,
        b'h' => 3600,
        b'd' => 86_400,
        b'w' => 7 * 86_400,
        _ => return None,
    };
    (value < i64::from(i32::MAX) / factor).then_some(value * factor)
}

/// strtol(3) with base 10: the number and what follows it. Nothing when the text is empty or the number too large.
pub(crate) fn strtol(text: &str) -> Option<(i64, &str)> {
    if text.is_empty() {
        return None;
    }
    let start = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let unsigned = start.strip_prefix(['-', '+']).unwrap_or(start);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Some((0, text));
    }
    let (number, rest) = start.split_at(start.len() - unsigned.len() + digits);
    Some((number.trim_start_matches('+').parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (text, seconds) in
            [("10s", 10), ("10m", 600), ("10h", 36_000), ("10d", 864_000), ("10w", 6_048_000)]
        {
            assert_eq!(parse_time(text, b's'), Some(seconds));
        }
        assert_eq!(parse_time("5", b'h'), Some(18_000));
        assert_eq!(parse_time("5minutes", b'h'), Some(300));
        for text in ["", "-1s", "1x", "3000000000s", "100000w"] {
            assert_eq!(parse_time(text, b's'), None, "{text}");
        }
    }

    #[test]
    fn conformance_of_times() {
        let Some(want) = crate::testing::conformance("text/mail_conf_time.ref") else { return };
        let got = ["seconds", "minutes", "hours", "days", "weeks"].map(|unit| {
            let text = format!("10{}", &unit[..1]);
            format!("10 {unit} = {}\n", parse_time(&text, b's').unwrap())
        });
        assert_eq!(got.concat(), want);
    }

    #[test]
    fn texts_of_errors() {
        let error = |result: Result<i64, Error>| result.unwrap_err().to_string();
        let int = |text| number("x", text, i32::MIN.into(), i32::MAX.into());
        assert_eq!(int(" 12").ok(), Some(12));
        assert_eq!(error(int("10 # comment")), "bad numerical configuration: x = 10 # comment");
        assert_eq!(error(int("")), "bad numerical configuration: x = ");
        assert_eq!(error(int("3000000000")), "bad numerical configuration: x = 3000000000");
        assert_eq!(error(within("x", 0, Some(1), None)), "invalid x parameter value 0 < 1");
        assert_eq!(error(within("x", 9, None, Some(8))), "invalid x parameter value 9 > 8");
        let time = |text| seconds("x", text, b's', Some(1), Some(60)).map(|_| 0);
        assert_eq!(error(time("0")), "invalid x: 0 (min 1)");
        assert_eq!(error(time("2m")), "invalid x: 120 (max 60)");
        assert_eq!(error(time("2y")), "parameter x: bad time value or unit: 2y");
    }
}
