//! `postconf --lint` over whole configurations: those of five administrators' guides with their traps, and good ones.
//!
//! A configuration is a directory in `lint`: main.cf, master.cf or `master.more` (what comes after the installed master.cf),
//! and the files that they name; `@HERE@` stands for the place where they are laid out. A line `#! severity rule` says what
//! must be found in the line that follows it, `#! main.cf severity rule` what must be found about something that is not
//! written there; all else that is found is a failure, except that settings equal to defaults need no mention.
//!
//! What the guides' criteria mark as traps, but no check of a configuration can see: which tables restart a daemon when
//! they change (1.3, a matter of the table type's library); that a sender's entry does not hold back mail from sendmail
//! (1.15: nothing says that it should); in which order transport(5) is searched (2.13: rows have no order to be wrong); that
//! a bare address as HELO name is no FQDN (4.5: somebody may want just that); removing queue files by hand (5.12).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../conf");

/// A configuration that is laid out.
struct Place {
    directory: tempfile::TempDir,
    expected: BTreeSet<String>,
}

impl Place {
    fn new(name: &str) -> Place {
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/lint").join(name);
        let directory = tempfile::tempdir().unwrap();
        let mut place = Place { directory, expected: BTreeSet::new() };
        place.put("certificate", "");
        place.put("mailname", "example.com\n");
        place.put("aliases", "postmaster: root\n");
        let mut master = fs::read_to_string(Path::new(INSTALLED).join("master.cf")).unwrap();
        for file in fs::read_dir(source).unwrap() {
            let file = file.unwrap();
            let text = fs::read_to_string(file.path()).unwrap();
            match file.file_name().to_str().unwrap() {
                "master.cf" => master = text,
                "master.more" => master.push_str(&text),
                name => place.put(name, &text),
            }
        }
        place.put("master.cf", &master);
        if !place.path("main.cf").exists() {
            let main = fs::read_to_string(Path::new(INSTALLED).join("main.cf")).unwrap();
            let certificate = place.path("certificate").display().to_string();
            let main = main.replace("/etc/ssl/certs/ssl-cert-snakeoil.pem", &certificate);
            place.put("main.cf", &main.replace("/etc/ssl/private/ssl-cert-snakeoil.key", &certificate));
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn put(&mut self, name: &str, text: &str) {
        let here = self.directory.path().display().to_string();
        let text = text.replace("@HERE@", &here);
        let mut waiting = Vec::new();
        for (at, line) in text.lines().enumerate() {
            if let Some(expected) = line.trim_start().strip_prefix("#! ") {
                match expected.strip_prefix("main.cf ") {
                    Some(expected) => drop(self.expected.insert(format!("main.cf:0 {expected}"))),
                    None => waiting.push(expected.to_owned()),
                }
            } else {
                let found = waiting.drain(..).map(|expected| format!("{name}:{} {expected}", at + 1));
                self.expected.extend(found);
            }
        }
        fs::write(self.path(name), text).unwrap();
        // Tables with passwords, as they should be.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
        fs::set_permissions(self.path(name), mode).unwrap();
    }

    fn lint(&self, options: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postconf"));
        command.args(["-c", self.directory.path().to_str().unwrap(), "--lint"]).args(options);
        command.env_clear().output().unwrap()
    }
}

/// Checks that just what is expected is found, in both forms.
fn check(name: &str) {
    let place = Place::new(name);
    let output = place.lint(&["--json"]);
    let here = format!("{}/", place.directory.path().display());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let field = |name: &str| {
            let (_, rest) = line.split_once(&format!("\"{name}\": ")).expect("a field");
            rest.trim_start_matches('"').split(['"', ',']).next().unwrap().to_owned()
        };
        let finding = format!(
            "{}:{} {} {}",
            field("file").replace(&here, ""),
            field("line"),
            field("severity"),
            field("rule")
        );
        if field("rule") != "same-as-default" {
            found.insert(finding);
        }
    }
    assert_eq!(found, place.expected, "{name}:\n{text}");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let is_wrong = found.iter().any(|finding| !finding.contains(" note "));
    assert_eq!(output.status.code(), Some(i32::from(is_wrong)));
    let shown = place.lint(&[]);
    assert_eq!(shown.status.code(), Some(i32::from(is_wrong)));
    for finding in &found {
        let (line, rule) = (finding.split(' ').next().unwrap(), finding.rsplit(' ').next().unwrap());
        let shown = String::from_utf8_lossy(&shown.stdout).replace(&here, "");
        let line = line.strip_suffix(":0").unwrap_or(line);
        let is_shown =
            |text: &str| text.starts_with(&format!("{line}: ")) && text.ends_with(&format!("[{rule}]"));
        assert!(shown.lines().any(is_shown), "{finding}:\n{shown}");
    }
}

#[test]
fn as_installed() {
    check("default");
}

#[test]
fn as_debian_sets_it_up() {
    check("debian");
}

#[test]
fn a_clean_system() {
    check("clean");
}

#[test]
fn guide_1() {
    check("guide-1");
}

/// The guide's second form, with the table of senders in front.
#[test]
fn guide_1_with_an_open_relay() {
    check("guide-1-moved");
}

#[test]
fn guide_2() {
    check("guide-2");
}

#[test]
fn guide_3() {
    check("guide-3");
}

#[test]
fn guide_4() {
    check("guide-4");
}

#[test]
fn guide_5() {
    check("guide-5");
}

#[test]
fn options() {
    let place = Place::new("default");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postconf"));
        command.env_clear().env("MAIL_CONFIG", place.directory.path()).args(arguments).output().unwrap()
    };
    for arguments in [&["--lint"][..], &["--lint", "-j"], &["-j", "--lint"], &["--lint", "--json"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    }
    for arguments in [&["--lint", "-n"][..], &["--lint", "myhostname"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("[--lint (check both files)]"),
            "{arguments:?}"
        );
    }
    fs::remove_file(place.path("master.cf")).unwrap();
    let output = run(&["--lint"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("fatal: open "));
}
