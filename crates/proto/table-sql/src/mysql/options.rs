//! Option files, which other MySQL clients read as well: `/etc/mysql/my.cnf` and kin.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How deep files may include files.
const DEPTH: usize = 10;

/// What the groups of the files say, the last word of each.
#[derive(Default, Debug)]
pub(crate) struct Options(HashMap<String, String>);

impl Options {
    /// Reads one file, or those that every client reads, when the settings ask for a file or a group.
    pub(crate) fn read(file: Option<&str>, group: &str) -> Self {
        let mut options = Self::default();
        if file.is_none() && group.is_empty() {
            return options;
        }
        let groups = ["client", "client-server", "client-mariadb", group];
        match file {
            Some(file) => options.include(Path::new(file), &groups, 0),
            None => {
                let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".my.cnf"));
                let usual = ["/etc/my.cnf", "/etc/mysql/my.cnf"].map(PathBuf::from);
                usual.into_iter().chain(home).for_each(|file| options.include(&file, &groups, 0));
            }
        }
        options
    }

    /// The value of an option that takes one.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether an option that takes none is on.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        if self.0.contains_key(&format!("skip-{name}")) || self.0.contains_key(&format!("disable-{name}")) {
            return Some(false);
        }
        self.0.get(name).map(|value| !matches!(value.to_ascii_lowercase().as_str(), "0" | "off" | "false"))
    }

    fn include(&mut self, file: &Path, groups: &[&str], depth: usize) {
        // As other clients do, without a word when there is no such file.
        let Ok(status) = fs::metadata(file) else { return };
        if status.permissions().mode() & 0o002 != 0 {
            log::warning!("World-writable config file '{}' is ignored", file.display());
            return;
        }
        let Ok(text) = fs::read(file) else { return };
        let mut is_wanted = false;
        for line in String::from_utf8_lossy(&text).lines().map(str::trim) {
            if let Some(directive) = line.strip_prefix('!') {
                if depth < DEPTH {
                    self.follow(directive, groups, depth);
                }
            } else if let Some(group) = line.strip_prefix('[') {
                is_wanted = group.split_once(']').is_some_and(|(group, _)| groups.contains(&group.trim()));
            } else if is_wanted && !line.is_empty() && !line.starts_with(['#', ';']) {
                let (name, value) = line.split_once('=').unwrap_or((line, ""));
                let name = name.trim().trim_start_matches("loose-").replace('_', "-");
                self.0.insert(name, unquoted(value));
            }
        }
    }

    /// `!include file` and `!includedir directory`.
    fn follow(&mut self, directive: &str, groups: &[&str], depth: usize) {
        match directive.split_once([' ', '\t']).map(|(word, path)| (word, path.trim())) {
            Some(("include", file)) => self.include(Path::new(file), groups, depth + 1),
            Some(("includedir", directory)) => {
                let entries = fs::read_dir(directory).into_iter().flatten().flatten();
                let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
                files.retain(|file| file.extension().is_some_and(|end| end == "cnf"));
                files.sort();
                files.iter().for_each(|file| self.include(file, groups, depth + 1));
            }
            _ => {}
        }
    }
}

/// A value without the comment after it, and without its quotes and escapes.
fn unquoted(text: &str) -> String {
    let text = text.trim();
    let quoted = ['\'', '"'].iter().find_map(|&quote| {
        let inner = text.strip_prefix(quote)?;
        inner.find(quote).map(|end| inner.split_at(end).0)
    });
    let text = quoted.unwrap_or_else(|| text.split(" #").next().unwrap_or(text).trim_end());
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            value.push(char);
            continue;
        }
        match chars.next() {
            Some('n') => value.push('\n'),
            Some('t') => value.push('\t'),
            Some('r') => value.push('\r'),
            Some('b') => value.push('\x08'),
            Some('s') => value.push(' '),
            Some(other @ ('\\' | '"' | '\'')) => value.push(other),
            Some(other) => value.extend(['\\', other]),
            None => value.push('\\'),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_groups() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name).display().to_string();
        let more = format!("!includedir {}\n", path("more.d"));
        fs::create_dir(path("more.d")).unwrap();
        fs::write(path("more.d/a.cnf"), "[client]\nport = 3307\n").unwrap();
        fs::write(path("more.d/b.txt"), "[client]\nport = 1\n").unwrap();
        let text = "# x\n[mysqld]\nsocket=/no\n[client]\nsocket = '/a b' # c\nssl\nssl_ca=/x/ca.pem # mine\n\
                    [mine]\nuser=me\n[other]\nuser=you\n";
        fs::write(path("my.cnf"), format!("{text}{more}")).unwrap();
        let options = Options::read(Some(&path("my.cnf")), "mine");
        assert_eq!(options.value("socket"), Some("/a b"));
        assert_eq!(options.value("ssl-ca"), Some("/x/ca.pem"));
        assert_eq!(options.value("user"), Some("me"));
        assert_eq!(options.value("port"), Some("3307"));
        assert_eq!((options.flag("ssl"), options.flag("ssl-verify-server-cert")), (Some(true), None));
        assert_eq!(Options::read(Some(&path("my.cnf")), "").value("user"), None);
        assert!(Options::read(None, "").0.is_empty());
        fs::set_permissions(path("my.cnf"), fs::Permissions::from_mode(0o666)).unwrap();
        assert!(Options::read(Some(&path("my.cnf")), "mine").0.is_empty());
    }
}
