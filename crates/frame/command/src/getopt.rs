//! Options as POSIX `getopt` reads them: they end at the first argument that is none.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// One option of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its letter.
    pub letter: char,
    /// Its value, empty for an option without one.
    pub value: OsString,
}

impl Choice {
    /// The value as text; bytes that are not UTF-8 are shown as replacement characters.
    pub fn text(&self) -> String {
        self.value.to_string_lossy().into_owned()
    }
}

/// An option that the tool does not know, or that lacks its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOption {
    /// Not in the tool's list.
    #[error("invalid option -- '{0}'")]
    Unknown(char),
    /// The value is missing.
    #[error("option requires an argument -- '{0}'")]
    NoValue(char),
}

/// Reads options one by one; what remains is in [`Getopt::rest`].
#[derive(Clone, Debug)]
pub struct Getopt<'a> {
    /// The name in messages.
    argv0: &'a OsStr,
    options: &'a str,
    args: &'a [OsString],
    /// Letters of the present argument that are still to be read.
    cluster: &'a [u8],
}

impl<'a> Getopt<'a> {
    /// `options` has a colon after each letter that takes a value, as for getopt(3).
    pub fn new(invocation: &'a crate::Invocation, options: &'a str) -> Getopt<'a> {
        Getopt { argv0: OsStr::new(&invocation.name), options, args: &invocation.args, cluster: &[] }
    }

    /// Reads these arguments instead, in messages for `argv0`.
    pub fn over(argv0: &'a OsStr, args: &'a [OsString], options: &'a str) -> Getopt<'a> {
        Getopt { argv0, options, args, cluster: &[] }
    }

    /// What follows the options.
    pub fn rest(&self) -> &'a [OsString] {
        self.args
    }

    fn advance(&mut self) -> Result<Option<Choice>, BadOption> {
        if self.cluster.is_empty() {
            let Some((first, rest)) = self.args.split_first() else {
                return Ok(None);
            };
            match first.as_bytes() {
                b"--" => {
                    self.args = rest;
                    return Ok(None);
                }
                [b'-', letters @ ..] if !letters.is_empty() => {
                    self.args = rest;
                    self.cluster = letters;
                }
                _ => return Ok(None),
            }
        }
        let Some((&byte, following)) = self.cluster.split_first() else {
            return Ok(None);
        };
        self.cluster = following;
        let letter = char::from(byte);
        let takes_value = match self.options.find(letter).filter(|_| letter != ':') {
            None => return Err(BadOption::Unknown(letter)),
            Some(at) => self.options.as_bytes().get(at + 1) == Some(&b':'),
        };
        if !takes_value {
            return Ok(Some(Choice { letter, value: OsString::new() }));
        }
        if !following.is_empty() {
            self.cluster = &[];
            return Ok(Some(Choice { letter, value: OsString::from_vec(following.to_vec()) }));
        }
        let Some((value, rest)) = self.args.split_first() else {
            return Err(BadOption::NoValue(letter));
        };
        self.args = rest;
        Ok(Some(Choice { letter, value: value.clone() }))
    }
}

/// Options in order; a bad one is also reported on standard error, as the C library does, and the tool's usage text is
/// then due.
impl Iterator for Getopt<'_> {
    type Item = Result<Choice, BadOption>;

    fn next(&mut self) -> Option<Result<Choice, BadOption>> {
        let result = self.advance();
        if let Err(bad) = &result {
            let mut line = self.argv0.as_bytes().to_vec();
            line.extend_from_slice(format!(": {bad}\n").as_bytes());
            drop(std::io::stderr().write_all(&line));
        }
        result.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[&str]) -> (String, Vec<String>) {
        let args: Vec<OsString> = line.iter().map(OsString::from).collect();
        let mut options = Getopt::over(OsStr::new("tool"), &args, "ab:c");
        let mut seen = String::new();
        for choice in options.by_ref() {
            match choice {
                Ok(choice) => seen.push_str(&format!("{}={};", choice.letter, choice.text())),
                Err(bad) => {
                    seen.push_str(&bad.to_string());
                    break;
                }
            }
        }
        (seen, options.rest().iter().map(|arg| arg.to_string_lossy().into_owned()).collect())
    }

    #[test]
    fn clusters_values_and_ends() {
        assert_eq!(read(&["-acbX", "-b", "Y", "file", "-a"]).0, "a=;c=;b=X;b=Y;");
        assert_eq!(read(&["-a", "file", "-c"]).1, ["file", "-c"]);
        assert_eq!(read(&["-a", "--", "-c"]), ("a=;".into(), vec!["-c".into()]));
        assert_eq!(read(&["-a", "-"]), ("a=;".into(), vec!["-".into()]));
        assert_eq!(read(&["-x"]).0, "invalid option -- 'x'");
        assert_eq!(read(&["-:"]).0, "invalid option -- ':'");
        assert_eq!(read(&["-ab"]).0, "a=;option requires an argument -- 'b'");
    }
}
