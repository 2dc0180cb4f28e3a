//! Civil time in the system's time zone.

/// A moment in the local time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Years of the common era, such as 2026.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
    /// 0 is Sunday.
    pub weekday: u8,
    /// Seconds east of UTC.
    pub utc_offset: i32,
    zone: [u8; 8],
}

/// English month names as mail and logs abbreviate them.
pub const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// English day names as mail abbreviates them.
pub const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

impl LocalTime {
    /// The local time at `unix` seconds since 1970.
    pub fn at(unix: i64) -> Self {
        // SAFETY: tm is plain data for which all zeroes is a value; localtime_r fills it and keeps no pointer.
        let tm = unsafe {
            let mut tm: libc::tm = std::mem::zeroed();
            libc::localtime_r(&unix, &mut tm);
            tm
        };
        Self::from_tm(&tm)
    }

    /// The same moment in UTC.
    pub fn utc(unix: i64) -> Self {
        // SAFETY: as in `at`.
        let tm = unsafe {
            let mut tm: libc::tm = std::mem::zeroed();
            libc::gmtime_r(&unix, &mut tm);
            tm
        };
        Self::from_tm(&tm)
    }

    /// Three-letter English month.
    pub fn month_name(&self) -> &'static str {
        MONTHS.get(usize::from(self.month) - 1).copied().unwrap_or("Jan")
    }

    /// Three-letter English day of the week.
    pub fn weekday_name(&self) -> &'static str {
        WEEKDAYS.get(usize::from(self.weekday)).copied().unwrap_or("Sun")
    }

    /// The zone's abbreviation, such as `CET`; seven bytes at most.
    pub fn zone_name(&self) -> &str {
        let end = self.zone.iter().position(|&byte| byte == 0).unwrap_or(self.zone.len());
        self.zone.get(..end).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }

    fn from_tm(tm: &libc::tm) -> Self {
        let mut zone = [0u8; 8];
        if !tm.tm_zone.is_null() {
            // SAFETY: the C library gives a terminated name that it never frees.
            let name = unsafe { std::ffi::CStr::from_ptr(tm.tm_zone) }.to_bytes();
            for (to, from) in zone.iter_mut().take(7).zip(name) {
                *to = *from;
            }
        }
        Self {
            year: tm.tm_year + 1900,
            month: tm.tm_mon as u8 + 1,
            day: tm.tm_mday as u8,
            hour: tm.tm_hour as u8,
            minute: tm.tm_min as u8,
            second: tm.tm_sec as u8,
            weekday: tm.tm_wday as u8,
            utc_offset: tm.tm_gmtoff as i32,
            zone,
        }
    }
}

/// Reads the time zone files now, before a chroot hides them.
pub fn load_zone() {
    unsafe extern "C" {
        fn tzset();
    }
    // SAFETY: tzset reads TZ and the zone file; it is called at start, while the process has one thread.
    unsafe { tzset() }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    unix_duration().as_secs() as i64
}

/// Time since 1970 with its fraction.
pub fn unix_duration() -> std::time::Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_epoch() {
        let epoch = LocalTime::utc(0);
        assert_eq!((epoch.year, epoch.month, epoch.day, epoch.weekday_name()), (1970, 1, 1, "Thu"));
        assert_eq!(LocalTime::utc(951_782_400).month_name(), "Feb");
    }
}
