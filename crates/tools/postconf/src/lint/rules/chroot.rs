//! Services in a jail: those that do not work there, and what they cannot reach from there.
//!
//! Ferrofix reads resolv.conf, tables, certificates and the like before a service enters its jail, so that copies of those
//! need not be there. Sockets it looks for when it needs them, as Postfix does.

use super::{clients, files};
use crate::lint::config::{Config, Service};
use crate::lint::report::Report;
use bytes::list::{SEPARATORS, split_braced};
use std::path::Path;

fn jailed<'a>(config: &'a Config, programs: &'a [&'a str]) -> impl Iterator<Item = &'a Service> {
    let is_one =
        |service: &&Service| programs.contains(&service.program()) && service.is_jailed(config.level);
    config.services.iter().filter(is_one)
}

/// Programs that need the whole system.
pub(crate) fn programs(config: &Config, report: &mut Report) {
    for service in jailed(config, &["local", "pipe", "virtual", "spawn", "proxymap"]) {
        let what = match service.entry.field(4) {
            "y" => format!("{} runs in the queue directory as its root", service.program()),
            _ => format!(
                "{} runs in the queue directory as its root, which \"-\" means below compatibility level 1",
                service.program()
            ),
        };
        let why = "the mailboxes, commands or tables that it is there for are outside";
        report.warning(&service.spot, what, why, "write \"n\" in the field \"chroot\"");
    }
}

/// Sockets outside the jail.
pub(crate) fn sockets(config: &Config, report: &mut Report) {
    for service in jailed(config, &["smtpd", "cleanup"]) {
        let scope = config.scope(service);
        let jail = scope.text("queue_directory");
        let names: &[&str] = match service.program() {
            "smtpd" => &["smtpd_milters", "smtpd_sasl_path"],
            _ => &["non_smtpd_milters"],
        };
        for name in names {
            let text = scope.text(name);
            let mut paths = Vec::new();
            if *name == "smtpd_sasl_path" {
                paths.push(text.as_str());
            } else {
                let words = split_braced(&text, SEPARATORS);
                let socket = |word: &str| word.starts_with("unix:") || word.starts_with("local:");
                paths.extend(
                    words
                        .filter(|word| socket(word))
                        .filter_map(|word| word.split_once(':').map(|(_, path)| path)),
                );
            }
            for path in paths.into_iter().filter(|path| is_outside(&jail, path)) {
                let what = format!("{} cannot reach {path} from its jail {jail}", service.entry.name);
                let why = "inside, the path begins at the queue directory, where there is no such socket";
                let mend = format!(
                    "have the socket made as {jail}{path}, or write \"n\" in the field \"chroot\" of {}",
                    service.entry.name
                );
                report.warning(&scope.spot_of(name, path), what, why, &mend);
            }
        }
    }
}

/// Databases by a socket that is outside.
pub(crate) fn databases(config: &Config, report: &mut Report) {
    let Some(service) = jailed(config, &["smtpd", "cleanup", "trivial-rewrite"]).next() else { return };
    let jail = config.global().text("queue_directory");
    for (_, setting, table) in files::all(config) {
        let is_database = matches!(table.kind.as_str(), "mysql" | "pgsql") && !table.is_proxied;
        let Some(lines) = files::file(&table).filter(|_| is_database).and_then(clients::read) else {
            continue;
        };
        let hosts = lines.iter().find(|line| line.name == "hosts").map(|line| line.value.as_str());
        let hosts = hosts.unwrap_or(if table.kind == "mysql" { "localhost" } else { "" });
        for host in hosts.split([',', ' ']) {
            let socket = match (table.kind.as_str(), host) {
                ("mysql", "localhost") => "/run/mysqld/mysqld.sock",
                (_, host) => match host.strip_prefix("unix:") {
                    Some(path) => path,
                    None => continue,
                },
            };
            let inside = Path::new(&jail).join(socket.trim_start_matches('/'));
            if inside.exists() {
                continue;
            }
            let what = format!(
                "{} is at {socket}, which services in the jail {jail} cannot reach ({})",
                table.title(),
                service.entry.name
            );
            let why = "\"localhost\" means the socket file, and inside there is none: every lookup fails";
            let mend = format!("write hosts = 127.0.0.1 in {}, or proxy:{} here", table.name, table.title());
            report.warning(&setting.spot_of(&table.name), what, why, &mend);
        }
    }
}

/// Whether a socket is there, but not where the jail has it.
fn is_outside(jail: &str, path: &str) -> bool {
    let inside = Path::new(jail).join(path.trim_start_matches('/'));
    path.starts_with('/') && Path::new(path).exists() && !inside.exists()
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::lines;

    const JAILED: &str = "smtp inet n - y - - smtpd\ncleanup unix n - - - 0 cleanup\nlocal unix - n - - - local\nx unix - n n - - pipe argv=x\n";

    #[test]
    fn programs() {
        assert_eq!(lines("jailed-program", "", JAILED).len(), 1);
        assert!(lines("jailed-program", "compatibility_level = 2\n", JAILED).is_empty());
        assert_eq!(
            lines("jailed-program", "compatibility_level = 2\n", "x unix - n y - - pipe argv=x\n").len(),
            1
        );
    }

    #[test]
    fn sockets() {
        let outside = tempfile::tempdir().unwrap();
        let socket = outside.path().join("socket");
        std::fs::write(&socket, "").unwrap();
        let main = format!(
            "smtpd_milters = inet:localhost:1,\n unix:{}\nsmtpd_sasl_path = private/auth\n",
            socket.display()
        );
        let found = lines("jailed-socket", &main, JAILED);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("warning 2 smtpd_milters: smtp/inet cannot reach "));
        assert!(lines("jailed-socket", &main, "smtp inet n - n - - smtpd\n").is_empty());
        let gone = "smtpd_milters = unix:/nonexistent/socket\n";
        assert!(lines("jailed-socket", gone, JAILED).is_empty());
    }

    #[test]
    fn databases() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display();
        let main = format!("queue_directory = /nonexistent\nvirtual_alias_maps = mysql:{path}\n");
        for (hosts, count) in
            [("", 1), ("hosts = localhost\n", 1), ("hosts = 127.0.0.1\n", 0), ("hosts = unix:/x\n", 1)]
        {
            std::fs::write(file.path(), hosts).unwrap();
            assert_eq!(lines("jailed-database", &main, JAILED).len(), count, "{hosts}");
        }
        let by_default = "cleanup unix n - - - 0 cleanup\n";
        assert_eq!(lines("jailed-database", &main, by_default).len(), 1);
        let later = format!("compatibility_level = 1\n{main}");
        assert!(lines("jailed-database", &later, by_default).is_empty());
        let proxied = main.replace("mysql:", "proxy:mysql:");
        assert!(lines("jailed-database", &proxied, JAILED).is_empty());
        assert!(lines("jailed-database", &main, "smtp inet n - n - - smtpd\n").is_empty());
    }
}
