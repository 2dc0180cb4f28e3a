//! hosts(5) and the `hosts` line of nsswitch.conf(5), kept in memory.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

const HOSTS: &str = "/etc/hosts";

/// The hosts file. Outside a jail it is read again when it changes; inside, what was read before holds.
#[derive(Default)]
pub(crate) struct Hosts {
    lines: RefCell<Vec<Line>>,
    changed: Cell<Option<SystemTime>>,
    /// Device and inode of `/` when the file was read; another root means a jail.
    root: Option<(u64, u64)>,
    sources: Vec<String>,
}

struct Line {
    address: IpAddr,
    names: Vec<String>,
}

impl Hosts {
    pub(crate) fn system() -> Self {
        let switch = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
        let hosts = Self { root: root(), sources: sources(&switch), ..Self::default() };
        hosts.refresh();
        hosts
    }

    #[cfg(test)]
    pub(crate) fn from_text(text: &str) -> Self {
        Self { lines: RefCell::new(parse(text)), ..Self::default() }
    }

    /// Whether files and DNS are all there is to ask, or all that can be asked from inside a jail.
    pub(crate) fn plain(&self) -> bool {
        self.jailed() || self.sources.iter().all(|source| source == "files" || source == "dns")
    }

    /// Whether DNS is to be asked at all.
    pub(crate) fn uses_dns(&self) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|source| source != "files")
    }

    /// Every address listed for `name`.
    pub(crate) fn addresses(&self, name: &str) -> Vec<IpAddr> {
        self.refresh();
        let lines = self.lines.borrow();
        let has = |line: &&Line| line.names.iter().any(|known| known.eq_ignore_ascii_case(name));
        lines.iter().filter(has).map(|line| line.address).collect()
    }

    /// The official name of `address`.
    pub(crate) fn name(&self, address: IpAddr) -> Option<String> {
        self.refresh();
        let lines = self.lines.borrow();
        lines.iter().find(|line| line.address == address).and_then(|line| line.names.first().cloned())
    }

    fn jailed(&self) -> bool {
        self.root.is_some() && root() != self.root
    }

    fn refresh(&self) {
        if self.root.is_none() || self.jailed() {
            return;
        }
        let changed = std::fs::metadata(HOSTS).and_then(|meta| meta.modified()).ok();
        if changed.is_none() || changed == self.changed.get() {
            return;
        }
        if let Ok(text) = std::fs::read(HOSTS) {
            *self.lines.borrow_mut() = parse(&String::from_utf8_lossy(&text));
            self.changed.set(changed);
        }
    }
}

fn root() -> Option<(u64, u64)> {
    std::fs::metadata("/").ok().map(|meta| (meta.dev(), meta.ino()))
}

fn parse(text: &str) -> Vec<Line> {
    let line = |line: &str| {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let address = words.next()?.parse().ok()?;
        let names: Vec<String> = words.map(str::to_owned).collect();
        (!names.is_empty()).then_some(Line { address, names })
    };
    text.lines().filter_map(line).collect()
}

fn sources(switch: &str) -> Vec<String> {
    let line = switch.lines().find_map(|line| line.trim_start().strip_prefix("hosts:"));
    let mut words = Vec::new();
    let mut action = false;
    for word in line.unwrap_or("files dns").split('#').next().unwrap_or_default().split_ascii_whitespace() {
        action |= word.starts_with('[');
        if !action {
            words.push(word.to_ascii_lowercase());
        }
        action &= !word.ends_with(']');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_names() {
        let hosts = Hosts::from_text(
            "127.0.0.1 localhost\n::1 localhost ip6 # x\n192.0.2.1 Mail.example mail\nbad x\n192.0.2.2\n",
        );
        assert_eq!(hosts.addresses("LOCALHOST").len(), 2);
        assert_eq!(hosts.name([192, 0, 2, 1].into()).as_deref(), Some("Mail.example"));
        assert_eq!(hosts.name([192, 0, 2, 2].into()), None);
    }

    #[test]
    fn switch_line() {
        assert_eq!(
            sources("passwd: x\nhosts: files mdns4_minimal [NOTFOUND=return] dns # c\n"),
            ["files", "mdns4_minimal", "dns"]
        );
        assert_eq!(sources(""), ["files", "dns"]);
    }
}
