//! Dates as mail writes them.

use sys::time::LocalTime;

/// The RFC 5322 date of `unix` seconds since 1970 in local time, with the zone's name: `Fri, 20 Nov 2026 18:43:11 +0000 (UTC)`.
///
/// As in Postfix, days below ten take a leading blank.
pub fn mail_date(unix: i64) -> String {
    format_date(&LocalTime::at(unix))
}

/// The date and time of C's `asctime` without the newline, for a `From ` line: `Fri Nov 20 18:43:11 2026`.
pub fn asctime(unix: i64) -> String {
    let time = LocalTime::at(unix);
    let LocalTime { year, day, hour, minute, second, .. } = time;
    let (weekday, month) = (time.weekday_name(), time.month_name());
    format!("{weekday} {month} {day:2} {hour:02}:{minute:02}:{second:02} {year}")
}

fn format_date(time: &LocalTime) -> String {
    let LocalTime { year, day, hour, minute, second, utc_offset, .. } = time;
    let sign = if *utc_offset < 0 { '-' } else { '+' };
    let minutes = utc_offset.unsigned_abs() / 60;
    format!(
        "{}, {day:2} {} {year} {hour:02}:{minute:02}:{second:02} {sign}{:02}{:02} ({})",
        time.weekday_name(),
        time.month_name(),
        minutes / 60,
        minutes % 60,
        time.zone_name(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5322_date() {
        assert_eq!(format_date(&LocalTime::utc(1_795_200_191)), "Fri, 20 Nov 2026 18:43:11 +0000 (GMT)");
        let mut time = LocalTime::utc(1_793_545_391);
        assert_eq!(time.day, 1);
        time.utc_offset = -12_600;
        assert!(format_date(&time).contains(",  1 Nov 2026"));
        assert!(format_date(&time).contains(" -0330 ("));
    }
}
