//! What the tests of administrators' guides share: their configuration files, Debian's master.cf, and programs from
//! Debian that send, sort and count mail. Those are unpacked below `target/system/peers`, never installed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use harness::isolation::{skip_inside, workspace};
use harness::{Package, System};

/// Writes main.cf: the guide's, with these settings in place of its own of the same name; and master.cf as Debian has
/// it, services in a chroot.
pub(crate) fn configure(system: &System, guide: &str, settings: &str) {
    let name = |line: &str| line.split_once('=').map(|(name, _)| name.trim().to_owned());
    let own: Vec<_> = settings.lines().filter_map(name).collect();
    let kept = guide.lines().map(str::trim).filter(|line| name(line).is_none_or(|name| !own.contains(&name)));
    let settings = settings.lines().map(str::trim);
    let text: String = kept.chain(settings).map(|line| format!("{line}\n")).collect();
    system.whole_main_cf(&text);
    system.file("/etc/postfix/master.cf", &system.read(&path_of("conf/master.cf")));
    jail(system);
}

/// What Debian copies into the jail for its Postfix. Ferrofix must do without.
fn jail(system: &System) {
    if system.package() == Package::Ours {
        fs::remove_dir_all("/var/spool/postfix/etc").ok();
        return;
    }
    system
        .shell(
            "cd /var/spool/postfix && mkdir -p etc lib/x86_64-linux-gnu &&
             cp /etc/services /etc/hosts /etc/nsswitch.conf /etc/resolv.conf etc &&
             cp /lib/x86_64-linux-gnu/libnss_* /lib/x86_64-linux-gnu/libresolv* lib/x86_64-linux-gnu",
        )
        .well();
}

/// Makes `/etc/postfix/NAME` with its index, as the guides do: `postmap NAME` in that directory.
pub(crate) fn postmap(system: &System, name: &str, text: &str) {
    system.file(&format!("/etc/postfix/{name}"), text);
    let output = system.shell(&format!("cd /etc/postfix && postmap {name}")).well();
    assert_eq!(output.stdout, "");
}

/// Makes the programs available at their usual paths. Gives false, and the test counts as skipped, where they are not
/// there.
pub(crate) fn have(programs: &[&str]) -> bool {
    let peers = PathBuf::from(path_of("target/system/peers"));
    for name in programs {
        let places = ["usr/bin", "usr/sbin"].map(|directory| Path::new(directory).join(name));
        if places.iter().any(|place| Path::new("/").join(place).exists()) {
            continue;
        }
        let Some(place) = places.iter().find(|place| peers.join(place).exists()) else {
            skip_inside(&format!("{name} is not there (scripts/lib/peers unpacks it)"));
            return false;
        };
        symlink(peers.join(place), Path::new("/").join(place)).expect("link a program");
    }
    let shared = ["usr/lib/x86_64-linux-gnu", "usr/lib/python3/dist-packages", "etc", "etc/pam.d"];
    for directory in shared {
        for entry in fs::read_dir(peers.join(directory)).into_iter().flatten().flatten() {
            let target = Path::new("/").join(directory).join(entry.file_name());
            if !target.exists() {
                symlink(entry.path(), target).expect("link a file");
            }
        }
    }
    true
}

/// The log so far as a file that log analysers read.
pub(crate) fn log_file(system: &System) -> &'static str {
    let lines = system.log();
    let text: String = lines.iter().map(|line| format!("Nov 20 12:00:00 mail {line}\n")).collect();
    system.file("/tmp/mail.log", &text);
    "/tmp/mail.log"
}

/// A name below the workspace.
pub(crate) fn path_of(name: &str) -> String {
    workspace().join(name).to_string_lossy().into_owned()
}
