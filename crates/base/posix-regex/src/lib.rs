//! POSIX regular expressions, by the C library: leftmost-longest matches, back references, collating elements, and
//! whatever else the patterns in administrators' `regexp:` tables have come to rely on.
//!
//! Patterns come from the configuration, subjects from the network. A pattern that does not compile, and a match that
//! fails for lack of memory, are errors with the C library's text. Matching time is the C library's business: back
//! references can make it long.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::ops::Range;

/// How a pattern is read and matched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// `REG_EXTENDED`: modern syntax.
    pub extended: bool,
    /// `REG_ICASE`: case does not count.
    pub ignore_case: bool,
    /// `REG_NEWLINE`: `^` and `$` match at line ends within the subject, `.` does not match them.
    pub newline: bool,
    /// `REG_NOSUB`: nobody will ask for groups.
    pub no_groups: bool,
}

/// The C library's text about a pattern or a match that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error(String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// A compiled pattern.
pub struct Regex {
    // In a box, since the C library may keep pointers into it.
    compiled: Box<libc::regex_t>,
}

impl Regex {
    /// Compiles a pattern, which ends at its first NUL.
    pub fn new(pattern: &[u8], options: Options) -> Result<Self, Error> {
        let pattern = until_nul(pattern);
        let flag = |wanted: bool, flag| if wanted { flag } else { 0 };
        let flags = flag(options.extended, libc::REG_EXTENDED)
            | flag(options.ignore_case, libc::REG_ICASE)
            | flag(options.newline, libc::REG_NEWLINE)
            | flag(options.no_groups, libc::REG_NOSUB);
        let mut compiled = Box::new(MaybeUninit::<libc::regex_t>::zeroed());
        // SAFETY: the structure is a place for the result; the pattern ends with NUL.
        let code = unsafe { libc::regcomp(compiled.as_mut_ptr(), pattern.as_ptr(), flags) };
        if code != 0 {
            return Err(message(code, compiled.as_ptr()));
        }
        // SAFETY: regcomp succeeded and has filled the structure.
        Ok(Self { compiled: unsafe { compiled.assume_init() } })
    }

    /// How many groups the pattern has.
    pub fn groups(&self) -> usize {
        groups(&self.compiled)
    }

    /// Whether the subject matches.
    pub fn is_match(&self, subject: &CStr) -> Result<bool, Error> {
        self.execute(subject, &mut [])
    }

    /// Where the subject matches: the whole match, then groups 1 to `count`. A group that took no part is `None`.
    pub fn captures(&self, subject: &CStr, count: usize) -> Result<Option<Vec<Option<Range<usize>>>>, Error> {
        let unset = libc::regmatch_t { rm_so: -1, rm_eo: -1 };
        let mut found = vec![unset; count + 1];
        if !self.execute(subject, &mut found)? {
            return Ok(None);
        }
        let range = |place: &libc::regmatch_t| {
            let start = usize::try_from(place.rm_so).ok()?;
            Some(start..usize::try_from(place.rm_eo).ok()?)
        };
        Ok(Some(found.iter().map(range).collect()))
    }

    fn execute(&self, subject: &CStr, found: &mut [libc::regmatch_t]) -> Result<bool, Error> {
        // SAFETY: the pattern is compiled; the subject ends with NUL; `found` has room for as many places as it says.
        let code =
            unsafe { libc::regexec(&*self.compiled, subject.as_ptr(), found.len(), found.as_mut_ptr(), 0) };
        match code {
            0 => Ok(true),
            libc::REG_NOMATCH => Ok(false),
            code => Err(message(code, &*self.compiled)),
        }
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: the structure was filled by regcomp and is not used again.
        unsafe { libc::regfree(&mut *self.compiled) };
    }
}

/// A subject for [`Regex::is_match`]; it ends at its first NUL.
pub fn until_nul(text: &[u8]) -> CString {
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    CString::new(text.get(..end).unwrap_or_default()).unwrap_or_default()
}

fn message(code: libc::c_int, compiled: *const libc::regex_t) -> Error {
    let mut text = [0u8; 256];
    // SAFETY: the structure was given to regcomp; the text has room for as many bytes as is said, and gets a NUL.
    unsafe { libc::regerror(code, compiled, text.as_mut_ptr().cast(), text.len()) };
    let text = CStr::from_bytes_until_nul(&text).unwrap_or_default();
    Error(text.to_string_lossy().into_owned())
}

/// The member `re_nsub`, which POSIX promises and the `libc` crate hides.
fn groups(compiled: &libc::regex_t) -> usize {
    /// The public beginning of the structure in the GNU C library.
    #[cfg(not(target_env = "musl"))]
    #[repr(C)]
    struct Visible {
        buffer: *mut libc::c_void,
        allocated: libc::c_ulong,
        used: libc::c_ulong,
        syntax: libc::c_ulong,
        fastmap: *mut libc::c_char,
        translate: *mut libc::c_uchar,
        groups: libc::size_t,
    }

    /// The public beginning of the structure in musl.
    #[cfg(target_env = "musl")]
    #[repr(C)]
    struct Visible {
        groups: libc::size_t,
    }

    const { assert!(size_of::<Visible>() <= size_of::<libc::regex_t>()) };
    // SAFETY: the layout is part of the C library's binary interface; the structure is larger and was filled by regcomp.
    unsafe { (*std::ptr::from_ref(compiled).cast::<Visible>()).groups }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Options = Options { extended: true, ignore_case: true, newline: false, no_groups: false };

    #[test]
    fn leftmost_longest() {
        let regex = Regex::new(b"x*|(foo)", USUAL).unwrap();
        assert_eq!(regex.groups(), 1);
        assert_eq!(regex.captures(c"FOO", 1).unwrap(), Some(vec![Some(0..3), Some(0..3)]));
    }

    #[test]
    fn groups_are_counted() {
        for (pattern, count) in [("a", 0), ("(a)(b(c))", 3), ("()", 1)] {
            assert_eq!(Regex::new(pattern.as_bytes(), USUAL).unwrap().groups(), count, "{pattern}");
        }
        let basic = Options { extended: false, ..USUAL };
        assert_eq!(Regex::new(b"(a)", basic).unwrap().groups(), 0);
    }

    #[test]
    fn groups_that_took_no_part() {
        let regex = Regex::new(b"(a)|(b)", USUAL).unwrap();
        assert_eq!(regex.captures(c"b", 2).unwrap(), Some(vec![Some(0..1), None, Some(0..1)]));
        assert_eq!(regex.captures(c"c", 2).unwrap(), None);
    }

    #[test]
    fn errors_in_the_c_library_s_words() {
        let error = Regex::new(b"(a", USUAL).err().unwrap();
        assert!(error.to_string().contains('('), "{error}");
    }
}
