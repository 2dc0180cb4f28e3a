//! What is compared: tables, and questions to them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// How many keys each kind of table is asked at least.
pub(crate) const KEYS: usize = 2000;
/// For how many of them a process is started.
const ALONE: usize = 100;
/// Where the files of cases are.
pub(crate) const DIRECTORY: &str = "/tmp/lookups";

/// One table, or a few that belong together.
pub(crate) struct Case {
    /// The kind of table and what is special, as `cidr::nested`.
    pub(crate) name: String,
    /// Names in the case's directory, and contents.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) steps: Vec<Step>,
}

/// A command.
pub(crate) struct Step {
    pub(crate) words: Vec<String>,
    pub(crate) stdin: Vec<u8>,
    pub(crate) environment: Vec<(String, String)>,
    /// What it prints comes in the order of a hash table.
    pub(crate) unordered: bool,
}

impl Case {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), files: Vec::new(), steps: Vec::new() }
    }

    pub(crate) fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> String {
        format!("{DIRECTORY}/{}/{name}", self.name.replace("::", "/"))
    }

    /// Runs a command line; `@` stands for the case's directory.
    pub(crate) fn run(self, words: &str) -> Self {
        let words = words.split(' ').map(str::to_owned).collect();
        self.step(Step { words, stdin: Vec::new(), environment: Vec::new(), unordered: false })
    }

    /// As [`Case::run`], for what prints in the order of a hash table.
    pub(crate) fn run_unordered(self, words: &str) -> Self {
        let words = words.split(' ').map(str::to_owned).collect();
        self.step(Step { words, stdin: Vec::new(), environment: Vec::new(), unordered: true })
    }

    /// Asks a table for keys, all at once.
    pub(crate) fn ask(self, options: &str, table: &str, keys: &[Vec<u8>]) -> Self {
        let mut words = vec!["postmap".to_owned()];
        words.extend(options.split(' ').filter(|word| !word.is_empty()).map(str::to_owned));
        words.extend(["-q".to_owned(), "-".to_owned(), table.to_owned()]);
        let stdin = keys.iter().flat_map(|key| key.iter().copied().chain([b'\n'])).collect();
        self.step(Step { words, stdin, environment: Vec::new(), unordered: false })
    }

    /// Asks for the first few of the keys, each in a process of its own, for how it ends.
    pub(crate) fn ask_each(mut self, table: &str, keys: &[Vec<u8>]) -> Self {
        // Arguments have no NUL, and here they are text.
        let texts = keys.iter().filter_map(|key| str::from_utf8(key).ok());
        for key in texts.filter(|key| !key.contains('\0')).take(ALONE) {
            let words = ["postmap", "-q", key, table].map(str::to_owned).to_vec();
            self = self.step(Step { words, stdin: Vec::new(), environment: Vec::new(), unordered: false });
        }
        self
    }

    pub(crate) fn step(mut self, mut step: Step) -> Self {
        let directory = self.path("");
        for word in &mut step.words {
            *word = word.replace("@/", &directory);
        }
        self.steps.push(step);
        self
    }

    /// What this gives here: the text that is compared.
    pub(crate) fn report(&self) -> String {
        let directory = self.path("");
        fs::create_dir_all(&directory).expect("a directory");
        for (name, content) in &self.files {
            let path = Path::new(&directory).join(name);
            fs::write(&path, content).expect("a file");
            // A fresh file is read again and again until it has rested.
            let file = fs::File::options().append(true).open(&path).expect("the file");
            file.set_modified(SystemTime::now() - Duration::from_secs(1000)).expect("its time");
        }
        self.steps.iter().map(Step::report).collect()
    }
}

impl Step {
    fn report(&self) -> String {
        let mut child = Command::new(&self.words[0])
            .args(&self.words[1..])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut input = child.stdin.take().expect("a pipe");
        let text = self.stdin.clone();
        let feeder = std::thread::spawn(move || {
            input.write_all(&text).ok();
        });
        let output = child.wait_with_output().expect("its end");
        feeder.join().ok();
        let mut report = format!("$ {}\n", self.words.join(" ").escape_default());
        for (name, text) in [("out", &output.stdout), ("err", &output.stderr)] {
            let lines = text.strip_suffix(b"\n").unwrap_or(text).split(|&byte| byte == b'\n');
            let mut lines: Vec<_> =
                lines.filter(|line| !line.is_empty()).map(|line| line.escape_ascii().to_string()).collect();
            if self.unordered {
                lines.sort();
            }
            for line in lines {
                report.push_str(&format!("{name}: {line}\n"));
            }
        }
        report.push_str(&format!("status: {}\n", output.status.code().unwrap_or(-1)));
        report
    }
}

/// Texts as keys.
pub(crate) fn keys<T: Into<Vec<u8>>>(texts: impl IntoIterator<Item = T>) -> Vec<Vec<u8>> {
    texts.into_iter().map(Into::into).collect()
}
