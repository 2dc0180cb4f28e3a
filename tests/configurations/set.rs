//! The configurations: files `set/NAME.txt`.
//!
//! What comes before the first section says what the configuration is. Sections begin with a line:
//!
//! - `%main.cf`, `%master.cf`: the two files. `%master.cf missing`: there is none. Without such a section, the one of a default
//!   installation is taken (`set/master.cf`). `escaped` after the name: the text has escapes (`\t`, `\r`, `\xHH`; `\n` ends a line that would
//!   else be the end of a section; `\c` at the end of the last line: the file ends without a line end).
//! - `%file PATH`: another file below `/etc/postfix`.
//! - `%run`: commands beside the usual ones, in order, each a line for the shell, run in `/etc/postfix`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use harness::isolation;

/// A configuration.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    /// Paths below `/etc/postfix`, and contents.
    files: Vec<(String, Vec<u8>)>,
    /// The configuration's own commands.
    pub(crate) commands: Vec<String>,
}

fn directory() -> PathBuf {
    isolation::workspace().join("tests/configurations/set")
}

/// The names of all configurations.
pub(crate) fn names() -> Vec<String> {
    let entries =
        fs::read_dir(directory()).expect("the set").map(|entry| entry.expect("the set").file_name());
    let mut names: Vec<String> =
        entries.filter_map(|name| name.to_string_lossy().strip_suffix(".txt").map(str::to_owned)).collect();
    names.sort();
    names
}

impl Configuration {
    /// Reads one.
    pub(crate) fn read(name: &str) -> Configuration {
        let text = fs::read_to_string(directory().join(format!("{name}.txt"))).expect("a configuration");
        let mut configuration = Configuration::default();
        for section in text.split("\n%").skip(1) {
            let (heading, body) = section.split_once('\n').unwrap_or((section, ""));
            let (word, rest) = heading.split_once(' ').unwrap_or((heading, ""));
            // The end of the last line was taken for the next section's beginning.
            let body =
                if body.is_empty() { String::new() } else { format!("{}\n", body.trim_end_matches('\n')) };
            match (word, rest) {
                ("run", _) => configuration.commands.extend(body.lines().map(str::to_owned)),
                ("file", path) => configuration.files.push((path.to_owned(), body.into_bytes())),
                (file, "missing") => configuration.files.retain(|(path, _)| path != file),
                (file, "escaped") => configuration.files.push((file.to_owned(), unescape(&body))),
                (file, _) => configuration.files.push((file.to_owned(), body.into_bytes())),
            }
        }
        if !text.contains("\n%master.cf") {
            let usual = fs::read(directory().join("master.cf")).expect("the usual master.cf");
            configuration.files.push(("master.cf".to_owned(), usual));
        }
        configuration
    }

    /// Puts the files in place of whatever is there.
    pub(crate) fn lay_out(&self, place: &Path) {
        for (path, contents) in &self.files {
            let path = place.join(path);
            fs::create_dir_all(path.parent().expect("a directory")).expect("make a directory");
            fs::write(path, contents).expect("write a file");
        }
        make_old(place);
    }
}

/// Makes the two files look old, so that nobody waits for them to settle.
pub(crate) fn make_old(place: &Path) {
    let old = SystemTime::now() - Duration::from_secs(100_000);
    for name in ["main.cf", "master.cf"] {
        if let Ok(file) = fs::File::options().write(true).open(place.join(name)) {
            file.set_modified(old).expect("set the time of a file");
        }
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        if char != '\\' {
            bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match rest.next() {
            Some('t') => bytes.push(b'\t'),
            Some('r') => bytes.push(b'\r'),
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&digits, 16).expect("two hexadecimal digits"));
            }
            Some('n') => {}
            Some('c') => drop(rest.next()),
            other => panic!("escape {other:?}"),
        }
    }
    bytes
}
