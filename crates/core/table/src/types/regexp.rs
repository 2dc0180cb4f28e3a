//! `regexp:`, POSIX regular expressions.

use posix_regex::{Options, Regex};

use crate::open::{Opened, Opening};
use crate::types::pattern::{self, AnyOf, Dialect, Letter, Places, Subject, Syntax};

pub(crate) struct Posix;

impl Dialect for Posix {
    const TYPE: &'static str = "regexp";
    const UNTERMINATED: &'static str = "skipping";
    const OUT_OF_RANGE: &'static str = "out-of-range";
    const TWO_PATTERNS: bool = true;
    const FINAL_BACKSLASH_ENDS: bool = true;
    type Options = Options;
    type Pattern = Regex;

    fn options() -> Options {
        Options { extended: true, ignore_case: true, newline: false, no_groups: false }
    }

    fn letter(mut options: Options, letter: u8) -> Letter<Options> {
        match letter {
            b'i' => options.ignore_case = !options.ignore_case,
            b'm' => options.newline = !options.newline,
            b'x' => options.extended = !options.extended,
            _ => return Letter::Unknown,
        }
        Letter::Options(options)
    }

    fn compile(pattern: &[u8], mut options: Options, needs_groups: bool) -> Result<Regex, String> {
        options.no_groups = !needs_groups;
        Regex::new(pattern, options).map_err(|error| error.to_string())
    }

    fn required(pattern: &[u8], options: Options) -> Vec<AnyOf> {
        if options.extended { pattern::required(pattern, Syntax::Posix) } else { Vec::new() }
    }

    fn groups(pattern: &Regex) -> usize {
        pattern.groups()
    }

    fn is_match(pattern: &Regex, subject: &Subject) -> Result<bool, String> {
        pattern.is_match(&subject.text).map_err(|error| error.to_string())
    }

    fn captures(pattern: &Regex, subject: &Subject, count: usize) -> Result<Option<Places>, String> {
        pattern.captures(&subject.text, count).map_err(|error| error.to_string())
    }
}

/// `regexp:/file/name` or `regexp:{ { /pattern/ result } }`.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    pattern::open::<Posix>(opening)
}
