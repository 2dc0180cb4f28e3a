//! Namespaces: how a test gets a machine of its own.

use std::fs;
use std::io::{self, Read, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::system::{Package, System};

/// How long one test may take, set-up included.
const PATIENCE: Duration = Duration::from_secs(180);

const ENTER: &str = include_str!("enter.sh");

/// The top of the workspace.
pub fn workspace() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    fs::canonicalize(&path).unwrap_or(path)
}

/// Whether this process is the one inside the namespaces.
pub fn is_inside() -> bool {
    std::env::var_os("FERROFIX_STAGE").is_some_and(|stage| stage == "inside")
}

/// Why the package cannot be run here, if it cannot.
pub fn obstacle(package: Package) -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("needs root for namespaces".to_owned());
    }
    for tool in ["/usr/bin/unshare", "/usr/sbin/ip"] {
        if !Path::new(tool).exists() && !Path::new(&tool.replace("/usr", "")).exists() {
            return Some(format!("{tool} is missing"));
        }
    }
    let probe = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "sh", "-c"])
        .arg("mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w /mnt/r && mount -t overlay o -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r")
        .output();
    match probe {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr);
            return Some(format!("namespaces are refused: {}", why.lines().next().unwrap_or_default()));
        }
        Err(error) => return Some(format!("unshare: {error}")),
    }
    if !package.image().join("usr/sbin/postfix").exists() {
        return Some(format!("{} is not there (scripts/test puts it there)", package.image().display()));
    }
    None
}

/// Runs this program again, inside, with the given arguments. Gives whether it succeeded and what it wrote.
pub fn run_inside(package: Package, arguments: &[&str], patience: Duration) -> io::Result<(bool, String)> {
    let mountpoint = workspace().join("target/system/root");
    fs::create_dir_all(&mountpoint)?;
    let mut child = Command::new("unshare")
        .args([
            "--mount",
            "--net",
            "--pid",
            "--uts",
            "--ipc",
            "--fork",
            "--kill-child",
            "--propagation",
            "private",
        ])
        .args(["--", "sh", "-c", ENTER, "enter.sh"])
        .args([package.image(), mountpoint, workspace()])
        .arg(format!("/proc/{}/exe", std::process::id()))
        .args(arguments)
        .env("FERROFIX_PACKAGE", package.name())
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .env("RUST_BACKTRACE", "0")
        .env_remove("MAIL_CONFIG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().map(read_all);
    let stderr = child.stderr.take().map(read_all);
    let deadline = Instant::now() + patience;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut text = stdout.and_then(|thread| thread.join().ok()).unwrap_or_default();
    text.push_str(&stderr.and_then(|thread| thread.join().ok()).unwrap_or_default());
    if status.is_none() {
        text.push_str(&format!("\nnot finished after {} s\n", patience.as_secs()));
    }
    Ok((status.is_some_and(|status| status.success()), text))
}

fn read_all(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).ok();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// One test in a system of its own; see [`crate::scenario!`]. The path is the test's, with the crate's name in front.
pub fn scenario(path: &str, body: fn(&mut System)) {
    let name = path.split_once("::").map_or(path, |(_, name)| name);
    let package = Package::under_test();
    if is_inside() {
        let mut system = System::new(package);
        match panic::catch_unwind(AssertUnwindSafe(|| body(&mut system))) {
            Ok(()) => {}
            Err(why) => {
                eprintln!("--- log of {name}");
                for line in system.log() {
                    eprintln!("{line}");
                }
                panic::resume_unwind(why);
            }
        }
        return;
    }
    if let Some(why) = obstacle(package) {
        skip(name, &why);
        return;
    }
    let arguments = [name, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"];
    let (well, text) = run_inside(package, &arguments, PATIENCE).expect("unshare");
    for line in text.lines() {
        if let Some(why) = line.strip_prefix(SKIP) {
            skip(name, why);
        }
        // What a test counted is worth seeing also when all is well.
        if let Some((_, note)) = line.split_once("NOTE: ") {
            println!("{name}: {note}");
        }
    }
    let is_found = text.contains("1 passed");
    // Moved in, so that nobody takes the verdict from inside for one of this program's own.
    let text: String = text.lines().map(|line| format!("  | {line}\n")).collect();
    assert!(well, "inside {name} ({}):\n{text}", package.name());
    assert!(is_found, "the test {name} was not found inside:\n{text}");
}

const SKIP: &str = "skip this test: ";

/// Ends the test inside as skipped.
pub fn skip_inside(why: &str) {
    println!("\n{SKIP}{why}");
}

/// Says that a test did not run, and why. `scripts/test` counts these lines.
pub fn skip(name: &str, why: &str) {
    println!("SKIPPED: {name}: {why}");
    if let Some(path) = std::env::var_os("FERROFIX_SKIPPED") {
        let file = fs::OpenOptions::new().create(true).append(true).open(path);
        if let Ok(mut file) = file {
            file.write_all(format!("SKIPPED: {name}: {why}\n").as_bytes()).ok();
        }
    }
}
