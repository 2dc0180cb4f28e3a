//! Perl-compatible regular expressions, by the PCRE2 library, with the options of Postfix's `pcre:` tables.
//!
//! Patterns come from the configuration, subjects from the network. Both are bytes. A pattern that does not compile is an
//! error with PCRE2's text and the offset in the pattern; a match that would take too long stops with an error, by
//! PCRE2's own limits. Patterns are interpreted: compiling them to machine code would need memory that is writable and
//! executable.

use std::cell::RefCell;
use std::ops::Range;
use std::ptr::{self, NonNull};

use pcre2_sys as sys;

/// Options of a pattern, combined with `^` as the letters behind a pattern toggle them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options(u32);

impl Options {
    /// No option.
    pub const NONE: Self = Self(0);
    /// `i`: case does not count.
    pub const CASELESS: Self = Self(sys::PCRE2_CASELESS);
    /// `m`: `^` and `$` match at line ends within the subject.
    pub const MULTILINE: Self = Self(sys::PCRE2_MULTILINE);
    /// `s`: `.` matches line ends as well.
    pub const DOTALL: Self = Self(sys::PCRE2_DOTALL);
    /// `x`: white space and comments in the pattern do not count.
    pub const EXTENDED: Self = Self(sys::PCRE2_EXTENDED);
    /// `A`: the match begins where the subject does.
    pub const ANCHORED: Self = Self(sys::PCRE2_ANCHORED);
    /// `E`: `$` matches at the end of the subject only.
    pub const DOLLAR_ENDONLY: Self = Self(sys::PCRE2_DOLLAR_ENDONLY);
    /// `U`: quantifiers are not greedy.
    pub const UNGREEDY: Self = Self(sys::PCRE2_UNGREEDY);

    /// Whether all options of `other` are on.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitXor for Options {
    type Output = Self;

    fn bitxor(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }
}

/// Why a pattern or a match failed, in PCRE2's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// PCRE2's words.
    pub text: String,
    /// Where in the pattern it does not compile.
    pub offset: usize,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

/// A compiled pattern.
pub struct Regex {
    code: NonNull<sys::pcre2_code_8>,
    /// Where PCRE2 puts the places of a match. Borrowed during a match only.
    places: RefCell<NonNull<sys::pcre2_match_data_8>>,
}

impl Regex {
    /// Compiles a pattern.
    pub fn new(pattern: &[u8], options: Options) -> Result<Self, Error> {
        let (mut number, mut offset) = (0, 0);
        // SAFETY: the pattern has the length that is said; the numbers are places for the answer.
        let code = unsafe {
            sys::pcre2_compile_8(
                pattern.as_ptr(),
                pattern.len(),
                options.0,
                &mut number,
                &mut offset,
                ptr::null_mut(),
            )
        };
        let Some(code) = NonNull::new(code) else {
            return Err(Error { text: message(number), offset });
        };
        // SAFETY: the code is compiled.
        let places = unsafe { sys::pcre2_match_data_create_from_pattern_8(code.as_ptr(), ptr::null_mut()) };
        let Some(places) = NonNull::new(places) else {
            // SAFETY: the code is compiled and not used again.
            unsafe { sys::pcre2_code_free_8(code.as_ptr()) };
            return Err(Error { text: "no more memory".to_owned(), offset: 0 });
        };
        Ok(Self { code, places: RefCell::new(places) })
    }

    /// How many groups the pattern has.
    pub fn groups(&self) -> usize {
        let mut count = 0u32;
        // SAFETY: the code is compiled; this request writes a 32-bit number.
        let failed = unsafe {
            let place = ptr::from_mut(&mut count).cast();
            sys::pcre2_pattern_info_8(self.code.as_ptr(), sys::PCRE2_INFO_CAPTURECOUNT, place)
        };
        if failed == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
    }

    /// Whether the subject matches.
    pub fn is_match(&self, subject: &[u8]) -> Result<bool, Error> {
        Ok(self.execute(subject, 0)?.is_some())
    }

    /// Where the subject matches: the whole match, then groups 1 to `count`. A group that took no part is `None`.
    pub fn captures(&self, subject: &[u8], count: usize) -> Result<Option<Vec<Option<Range<usize>>>>, Error> {
        self.execute(subject, count + 1)
    }

    fn execute(&self, subject: &[u8], wanted: usize) -> Result<Option<Vec<Option<Range<usize>>>>, Error> {
        let places = self.places.borrow_mut();
        // SAFETY: the code is compiled; the subject has the length that is said; nobody else uses the places.
        let count = unsafe {
            sys::pcre2_match_8(
                self.code.as_ptr(),
                subject.as_ptr(),
                subject.len(),
                0,
                0,
                places.as_ptr(),
                ptr::null_mut(),
            )
        };
        if count == sys::PCRE2_ERROR_NOMATCH {
            return Ok(None);
        }
        if count <= 0 {
            return Err(Error { text: message(count), offset: 0 });
        }
        // SAFETY: the places were filled by the match above.
        let (vector, pairs) = unsafe {
            let pairs = sys::pcre2_get_ovector_count_8(places.as_ptr());
            (sys::pcre2_get_ovector_pointer_8(places.as_ptr()), usize::try_from(pairs).unwrap_or(0))
        };
        // SAFETY: the vector has room for two offsets a pair, all set: those of groups that took no part to PCRE2_UNSET.
        let offsets = unsafe { std::slice::from_raw_parts(vector, 2 * pairs) };
        let range = |pair: &[usize]| match *pair {
            [start, end] if start <= end && end <= subject.len() => Some(start..end),
            _ => None,
        };
        Ok(Some(offsets.chunks(2).take(wanted).map(range).collect()))
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: both were created together with this value and are not used again.
        unsafe {
            sys::pcre2_match_data_free_8(self.places.get_mut().as_ptr());
            sys::pcre2_code_free_8(self.code.as_ptr());
        }
    }
}

fn message(number: i32) -> String {
    let mut text = [0u8; 256];
    // SAFETY: the text has room for as many bytes as is said.
    let length = unsafe { sys::pcre2_get_error_message_8(number, text.as_mut_ptr(), text.len()) };
    match usize::try_from(length).ok().and_then(|length| text.get(..length)) {
        Some(text) if !text.is_empty() => String::from_utf8_lossy(text).into_owned(),
        _ => format!("unexpected pcre2 error code {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_places() {
        let regex = Regex::new(b"(a)|(b)(c)?", Options::CASELESS).unwrap();
        assert_eq!(regex.groups(), 3);
        assert_eq!(regex.captures(b"xB", 3).unwrap(), Some(vec![Some(1..2), None, Some(1..2), None]));
        assert_eq!(regex.captures(b"x", 3).unwrap(), None);
        assert!(regex.is_match(b"\xffA").unwrap());
    }

    #[test]
    fn errors_have_text_and_offset() {
        let error = Regex::new(b"ab(c", Options::NONE).err().unwrap();
        assert_eq!((error.to_string(), error.offset), ("missing closing parenthesis".into(), 4));
    }

    #[test]
    fn options_toggle() {
        assert_eq!(Options::CASELESS ^ Options::CASELESS, Options::NONE);
        assert!(!Regex::new(b"b", Options::ANCHORED).unwrap().is_match(b"ab").unwrap());
        assert!(!Regex::new(b"b$", Options::DOLLAR_ENDONLY).unwrap().is_match(b"b\n").unwrap());
    }

    #[test]
    fn endless_matches_end() {
        let regex = Regex::new(b"(a+)+$", Options::NONE).unwrap();
        let error = regex.is_match(b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab").err().unwrap();
        assert_eq!(error.to_string(), "match limit exceeded");
    }
}
