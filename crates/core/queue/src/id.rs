//! Queue ids: the names of queue files.
//!
//! An id joins the time of creation with the inode number, so no two files of one file system have the same id at the
//! same time. Two forms exist and may be mixed in one queue:
//!
//! | form | text |
//! |---|---|
//! | short (`enable_long_queue_ids = no`) | microseconds as five upper-case hexadecimal digits, inode in upper-case hexadecimal |
//! | long | seconds in base 52 (six digits or more), microseconds in base 52 (four digits), `z`, inode in base 51 |
//!
//! The digits of the long form are `0-9`, then consonants in upper and lower case: no vowels, so no words.
//! Only the long form is never used twice.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Which of the two forms new ids have (`enable_long_queue_ids`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdForm {
    /// Hexadecimal microseconds and inode.
    #[default]
    Short,
    /// Base 52 time, `z`, base 51 inode.
    Long,
}

/// Longest file name in a queue, which is the longest host name: `flush` names its logs after destinations.
const LONGEST: usize = 255;
const SHORT_MICROS: usize = 5;
const LONG_SECONDS: usize = 6;
const LONG_MICROS: usize = 4;
const TIME_BASE: u64 = 52;
const INODE_BASE: u64 = 51;
const DIGITS: &[u8; 52] = b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

/// A syntactically valid name of a queue file: letters, digits and `_`, 1 to 255 of them.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(Box<str>);

impl QueueId {
    /// The id for a file with this inode, created at this time.
    pub fn new(form: IdForm, created: SystemTime, inode: u64) -> QueueId {
        let age = created.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let micros = u64::from(age.subsec_micros());
        let text = match form {
            IdForm::Short => format!("{micros:05X}{inode:X}"),
            IdForm::Long => {
                let mut text = String::with_capacity(24);
                put_safe(&mut text, age.as_secs(), TIME_BASE, LONG_SECONDS);
                put_safe(&mut text, micros, TIME_BASE, LONG_MICROS);
                text.push('z');
                put_safe(&mut text, inode, INODE_BASE, 0);
                text
            }
        };
        QueueId(text.into_boxed_str())
    }

    /// Accepts a file name that has the syntax of a queue id (or of a fast flush log); others are not ours.
    pub fn parse(name: impl AsRef<[u8]>) -> Option<QueueId> {
        let name = name.as_ref();
        if name.is_empty()
            || name.len() > LONGEST
            || !name.iter().all(|&c| c.is_ascii_alphanumeric() || c == b'_')
        {
            return None;
        }
        std::str::from_utf8(name).ok().map(|text| QueueId(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Which form it has, judged by its shape.
    pub fn form(&self) -> IdForm {
        match self.separator() {
            Some(_) => IdForm::Long,
            None => IdForm::Short,
        }
    }

    /// The inode number that it states; `None` if it states none.
    pub fn inode(&self) -> Option<u64> {
        match self.separator() {
            Some(at) => decode_safe(self.0.get(at + 1..)?, INODE_BASE),
            None => u64::from_str_radix(self.0.get(SHORT_MICROS..)?, 16).ok(),
        }
    }

    /// The time of creation that a long id states, to the microsecond.
    pub fn created(&self) -> Option<SystemTime> {
        let at = self.separator()?;
        let seconds = decode_safe(self.0.get(..at - LONG_MICROS)?, TIME_BASE)?;
        let micros = decode_safe(self.0.get(at - LONG_MICROS..at)?, TIME_BASE)?;
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?.checked_add(Duration::from_micros(micros))
    }

    /// The same time part with another inode, in the wanted form: how `postsuper -s` renames a file that was copied.
    /// A short id stays short, since it lacks the seconds.
    pub fn with_inode(&self, form: IdForm, inode: u64) -> QueueId {
        let text = match (self.separator(), form) {
            (None, _) => {
                let end = self.0.len().min(SHORT_MICROS);
                format!("{}{inode:X}", &self.0[..end])
            }
            (Some(at), IdForm::Long) => {
                let mut text = format!("{}z", &self.0[..at]);
                put_safe(&mut text, inode, INODE_BASE, 0);
                text
            }
            (Some(at), IdForm::Short) => format!("{}{inode:X}", self.hex_micros(at)),
        };
        QueueId(text.into_boxed_str())
    }

    /// The `depth` one-letter directories (each with a trailing slash) that it lives in below a hashed queue.
    pub fn hash_directories(&self, depth: usize) -> String {
        let hashed;
        let key = match self.separator() {
            Some(at) => {
                hashed = self.hex_micros(at);
                hashed.as_str()
            }
            None => &self.0,
        };
        let mut path = String::with_capacity(depth * 2);
        for c in key.chars().chain(std::iter::repeat('_')).take(depth) {
            path.push(c);
            path.push('/');
        }
        path
    }

    /// Position of the `z` of a long id. Short ids have none: they are hexadecimal.
    fn separator(&self) -> Option<usize> {
        self.0.rfind('z').filter(|&at| at >= LONG_SECONDS + LONG_MICROS)
    }

    /// The microseconds of a long id as a short id writes them, so that both forms spread over the same directories.
    fn hex_micros(&self, separator: usize) -> String {
        let digits = self.0.get(separator - LONG_MICROS..separator).unwrap_or("");
        format!("{:05X}", decode_safe(digits, TIME_BASE).unwrap_or(0))
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for QueueId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

fn put_safe(out: &mut String, value: u64, base: u64, width: usize) {
    let mut digits = [0u8; 16];
    let mut used = 0;
    let mut rest = value;
    while rest != 0 {
        digits[used] = DIGITS[(rest % base) as usize];
        used += 1;
        rest /= base;
    }
    for _ in used..width {
        out.push('0');
    }
    out.extend(digits[..used].iter().rev().map(|&c| char::from(c)));
}

fn decode_safe(text: &str, base: u64) -> Option<u64> {
    text.bytes().try_fold(0u64, |sum, c| {
        let digit = DIGITS.iter().position(|&d| d == c)? as u64;
        if digit >= base {
            return None;
        }
        sum.checked_mul(base)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, micros: u32) -> SystemTime {
        UNIX_EPOCH + Duration::new(seconds, micros * 1000)
    }

    #[test]
    fn short_form() {
        let id = QueueId::new(IdForm::Short, at(1_700_000_000, 0xA13), 0x1F00D);
        assert_eq!(id.as_str(), "00A131F00D");
        assert_eq!(id.form(), IdForm::Short);
        assert_eq!(id.inode(), Some(0x1F00D));
        assert_eq!(id.hash_directories(1), "0/");
        assert_eq!(id.hash_directories(2), "0/0/");
        assert_eq!(QueueId::parse("A").map(|id| id.hash_directories(3)), Some("A/_/_/".into()));
    }

    #[test]
    fn long_form() {
        let when = at(1_700_000_000, 999_999);
        let id = QueueId::new(IdForm::Long, when, 131_072);
        assert_eq!(id.form(), IdForm::Long);
        assert_eq!(id.inode(), Some(131_072));
        assert_eq!(id.created(), Some(when));
        // 999999 is 0xF423F: a long id lands where the short one would.
        assert_eq!(id.hash_directories(5), "F/4/2/3/F/");
        assert_eq!(id.with_inode(IdForm::Short, 0xAB).as_str(), "F423FAB");
        assert_eq!(id.with_inode(IdForm::Long, 7).inode(), Some(7));
        // From the manual page of the log format: a published example decodes to a sane date.
        let known = QueueId::parse("3Pt2mN2VXxznjll").unwrap();
        assert_eq!(known.form(), IdForm::Long);
        assert!(known.inode().is_some());
    }

    #[test]
    fn syntax() {
        for good in ["A", "example_com", "4XyZ", "0"] {
            assert!(QueueId::parse(good).is_some(), "{good}");
        }
        let long = "a".repeat(256);
        for bad in ["", "a.b", "../x", "a#FIX", "a-b", long.as_str()] {
            assert!(QueueId::parse(bad).is_none(), "{bad}");
        }
        // Too short to state an inode.
        assert_eq!(QueueId::parse("ABCDE").and_then(|id| id.inode()), None);
    }

    proptest::proptest! {
        #[test]
        fn both_forms_return_their_parts(seconds in 0u64..1 << 40, micros in 0u32..1_000_000, inode in 0u64..) {
            for form in [IdForm::Short, IdForm::Long] {
                let id = QueueId::new(form, at(seconds, micros), inode);
                let read = QueueId::parse(id.as_str()).unwrap();
                if form == IdForm::Long && inode > 0 {
                    assert_eq!(read.created(), Some(at(seconds, micros)));
                    assert_eq!(read.form(), form);
                }
                assert_eq!(read.inode(), Some(inode));
                assert_eq!(read.hash_directories(2), QueueId::new(IdForm::Short, at(seconds, micros), inode).hash_directories(2));
            }
        }
    }
}
