//! `pcre:`, Perl-compatible regular expressions.

use pcre::{Options, Regex};

use crate::open::{Opened, Opening};
use crate::types::pattern::{self, AnyOf, Dialect, Letter, Places, Subject, Syntax};

pub(crate) struct Perl;

impl Dialect for Perl {
    const TYPE: &'static str = "pcre";
    const UNTERMINATED: &'static str = "ignoring";
    const OUT_OF_RANGE: &'static str = "out of range";
    const TWO_PATTERNS: bool = false;
    const FINAL_BACKSLASH_ENDS: bool = false;
    type Options = Options;
    type Pattern = Regex;

    fn options() -> Options {
        Options::CASELESS ^ Options::DOTALL
    }

    fn letter(options: Options, letter: u8) -> Letter<Options> {
        Letter::Options(
            options
                ^ match letter {
                    b'i' => Options::CASELESS,
                    b'm' => Options::MULTILINE,
                    b's' => Options::DOTALL,
                    b'x' => Options::EXTENDED,
                    b'A' => Options::ANCHORED,
                    b'E' => Options::DOLLAR_ENDONLY,
                    b'U' => Options::UNGREEDY,
                    b'X' => return Letter::Obsolete,
                    _ => return Letter::Unknown,
                },
        )
    }

    fn compile(pattern: &[u8], options: Options, _needs_groups: bool) -> Result<Regex, String> {
        Regex::new(pattern, options)
            .map_err(|error| format!("error in regex at offset {}: {}", error.offset, error.text))
    }

    fn required(pattern: &[u8], options: Options) -> Vec<AnyOf> {
        if options.contains(Options::EXTENDED) {
            Vec::new()
        } else {
            pattern::required(pattern, Syntax::Perl)
        }
    }

    fn groups(pattern: &Regex) -> usize {
        pattern.groups()
    }

    fn is_match(pattern: &Regex, subject: &Subject) -> Result<bool, String> {
        pattern.is_match(subject.text.as_bytes()).map_err(|error| error.text)
    }

    fn captures(pattern: &Regex, subject: &Subject, count: usize) -> Result<Option<Places>, String> {
        pattern.captures(subject.text.as_bytes(), count).map_err(|error| error.text)
    }
}

/// `pcre:/file/name` or `pcre:{ { /pattern/ result } }`.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    pattern::open::<Perl>(opening)
}
