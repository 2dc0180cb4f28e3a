//! postmap(1), ours and the reference's, on the same tables.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::{Package, isolation};

/// A configuration for the programs of both packages.
pub(crate) struct Postmap {
    directory: tempfile::TempDir,
}

/// What a run gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) output: Vec<String>,
    pub(crate) errors: Vec<String>,
    pub(crate) code: Option<i32>,
}

impl Postmap {
    /// Nothing, which is said, when one of the packages is not there.
    pub(crate) fn new(test: &str, packages: &[Package]) -> Option<Self> {
        for package in packages {
            let needed: &[&str] = match package {
                Package::Ours => &["usr/sbin/postmap"],
                Package::Reference => &["usr/sbin/postmap", "usr/lib/postfix/postfix-ldap.so"],
            };
            if let Some(missing) = needed.iter().find(|file| !package.image().join(file).exists()) {
                let missing = package.image().join(missing);
                isolation::skip(
                    test,
                    &format!("{} is not there (scripts/test puts it there)", missing.display()),
                );
                return None;
            }
        }
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().display();
        let image = Package::Reference.image();
        let library = image.join("usr/lib/postfix");
        for package in ["ours", "reference"] {
            let etc = directory.path().join(package);
            fs::create_dir(&etc).expect("a directory");
            let mut main = format!(
                "compatibility_level = 3.6\nmyhostname = mail.example.com\nqueue_directory = {path}\n\
                 data_directory = {path}\n"
            );
            if package == "reference" {
                main += &format!("shlib_directory = {}\nmeta_directory = {path}\n", library.display());
            }
            fs::write(etc.join("main.cf"), main).expect("write");
            fs::write(etc.join("master.cf"), "").expect("write");
        }
        let kinds = ["ldap", "mysql", "pgsql", "sqlite"];
        let maps =
            kinds.map(|kind| format!("{kind}\t{}/postfix-{kind}.so\tdict_{kind}_open\n", library.display()));
        fs::write(directory.path().join("dynamicmaps.cf"), maps.concat()).expect("write");
        Some(Self { directory })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file of settings for a table.
    pub(crate) fn settings(&self, name: &str, settings: &str) -> PathBuf {
        let file = self.path().join(name);
        fs::write(&file, settings).expect("write");
        age(&file);
        file
    }

    /// Runs `postmap -q -`, with keys one a line, or `postmap -q key`.
    pub(crate) fn query(&self, package: Package, table: &str, keys: &[String]) -> Outcome {
        let image = package.image();
        let mut command = Command::new(image.join("usr/sbin/postmap"));
        if package == Package::Reference {
            let libraries = ["usr/lib/postfix", "usr/lib/x86_64-linux-gnu"].map(|path| image.join(path));
            command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).expect("paths"));
        }
        command.arg("-c").arg(self.path().join(package.name())).env("LC_ALL", "C");
        let input = match keys {
            [key] => {
                command.args(["-q", key]);
                String::new()
            }
            keys => {
                command.args(["-q", "-"]);
                keys.join("\n") + "\n"
            }
        };
        command.arg(table).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("postmap");
        let mut stdin = child.stdin.take().expect("standard input");
        let writer = std::thread::spawn(move || {
            // It may end before it read all.
            let _ended = stdin.write_all(input.as_bytes());
        });
        let result = child.wait_with_output().expect("output");
        writer.join().expect("a thread");
        let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
        Outcome { output: lines(&result.stdout), errors: lines(&result.stderr), code: result.status.code() }
    }
}

/// Makes a file look older than it is: one that was just written is read until nobody writes to it.
pub(crate) fn age(file: &Path) {
    let file = fs::File::options().write(true).open(file).expect("open");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    file.set_modified(old).expect("the time of a file");
}
