//! Lookup tables and other files that are named: whether they are there, and up to date.

use crate::lint::config::{Config, Scope, Setting};
use crate::lint::nearest::{did_you_mean, nearest};
use crate::lint::report::Report;
use crate::lint::tables::{self, Table};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::SystemTime;

/// Every table of every setting, less those that a program makes for itself.
pub(crate) fn all(config: &Config) -> Vec<(Scope<'_>, &Setting, Table)> {
    let mut all = Vec::new();
    for (scope, setting) in config.effective() {
        let is_own = setting.name.ends_with("_cache_database")
            || setting.name.ends_with("_cache_map")
            || setting.name == "address_verify_map"
            || setting.name == "proxy_read_maps"
            || setting.name == "proxy_write_maps"
            || config.registry.nodes.get(&setting.name).is_some_and(|node| node.is_raw);
        if is_own {
            continue;
        }
        for table in tables::in_value(&scope.expand(&setting.value)) {
            let scope = Scope { main: scope.main.clone(), ..scope };
            all.push((scope, setting, table));
        }
    }
    all
}

/// Types that do not exist, where nothing but a table can be meant.
pub(crate) fn types(config: &Config, report: &mut Report) {
    let known = || table::TYPES.iter().chain(table::LINKED_TYPES).copied();
    for (_, setting, table) in all(config) {
        let is_for_tables =
            ["_maps", "_checks", "alias_database"].iter().any(|end| setting.name.ends_with(end));
        let may_be = is_for_tables || LISTS.iter().any(|end| setting.name.ends_with(end));
        let is_known = known().any(|kind| kind == table.kind);
        if is_known || !(is_for_tables || (may_be && table.name.starts_with('/'))) || is_service(&table.kind)
        {
            continue;
        }
        let why = "a lookup fails as if the table were broken: mail waits, clients get a temporary error";
        let mend =
            did_you_mean(nearest(&table.kind, known()), "use another type; \"postconf -m\" lists them");
        let spot = setting.spot_of(&table.name);
        report.error(&spot, format!("unknown table type \"{}\"", table.kind), why, &mend);
    }
}

/// Ends of names of lists that may have tables among names, addresses or restrictions.
const LISTS: [&str; 8] = [
    "_domains",
    "_restrictions",
    "_networks",
    "_clients",
    "_exceptions",
    "_access_list",
    "mydestination",
    "mynetworks",
];

/// What stands before a socket's path, not before a table's name.
fn is_service(kind: &str) -> bool {
    matches!(kind, "unix" | "inet" | "local" | "inet6" | "tcp" | "maildir" | "file")
}

/// Tables without their files.
pub(crate) fn missing(config: &Config, report: &mut Report) {
    for (_, setting, table) in all(config) {
        let Some(file) = file(&table) else { continue };
        let spot = setting.spot_of(&table.name);
        let why = "a lookup fails for the time being: mail waits, clients get a temporary error";
        if !file.starts_with('/') {
            let what = format!("{} has no absolute path", table.title());
            report.warning(
                &spot,
                what,
                "programs look for it in the queue directory",
                "write the whole path",
            );
            continue;
        }
        let candidates = match table.kind.as_str() {
            "hash" | "btree" | "lmdb" => vec![format!("{file}.lmdb"), file.to_owned()],
            "cdb" => vec![format!("{file}.cdb")],
            _ => vec![file.to_owned()],
        };
        let errors: Vec<_> = candidates.iter().filter_map(|path| fs::File::open(path).err()).collect();
        if errors.len() < candidates.len() {
            continue;
        }
        if errors.iter().any(|error| error.kind() == ErrorKind::PermissionDenied) {
            let what = format!("{} cannot be read by who runs this check", table.title());
            report.note(
                &spot,
                what,
                "nothing is known about what is in it",
                "run the check as the superuser",
            );
            continue;
        }
        let what = format!("{} does not exist: no {}", table.title(), candidates.join(" and no "));
        let mend = match table.kind.as_str() {
            "cdb" => format!("run \"postmap cdb:{file}\""),
            "hash" | "btree" if Path::new(&format!("{file}.db")).exists() => {
                format!("{file}.db is of Berkeley DB, which is not read; put the text back as {file}")
            }
            _ => format!("create {file}, or remove the table"),
        };
        report.error(&spot, what, why, &mend);
    }
}

/// The file of a table, for types that have one.
pub(crate) fn file(table: &Table) -> Option<&str> {
    let name = table.name.as_str();
    match table.kind.as_str() {
        "hash" | "btree" | "lmdb" | "cdb" => Some(name),
        "texthash" | "regexp" | "pcre" | "cidr" if !name.starts_with('{') => Some(name),
        "mysql" | "pgsql" | "sqlite" | "memcache" | "redis" if name.starts_with(['/', '.']) => Some(name),
        _ => None,
    }
}

/// Indexes that are older than their text. Those of LMDB are made anew whenever a program opens them.
pub(crate) fn stale(config: &Config, report: &mut Report) {
    for (_, setting, table) in all(config) {
        let suffix = match table.kind.as_str() {
            "cdb" => "cdb",
            "hash" | "btree" | "lmdb" => "lmdb",
            _ => continue,
        };
        let index = format!("{}.{suffix}", table.name);
        let (Some(built), Some(source)) = (modified(&index), modified(&table.name)) else { continue };
        if seconds(built) >= seconds(source) {
            continue;
        }
        let spot = setting.spot_of(&table.name);
        let what = format!("{index} is older than {}", table.name);
        let mend = format!("run \"postmap {}\" (postalias for aliases)", table.title());
        if suffix == "cdb" {
            report.warning(&spot, what, "the entries of the older text are in force", &mend);
        } else {
            let why = "programs that run already go on with the older entries; those that start build the index anew";
            report.note(&spot, what, why, &mend);
        }
    }
}

fn modified(path: &str) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Entries that have a key only.
pub(crate) fn empty_values(config: &Config, report: &mut Report) {
    for (_, setting, table) in all(config) {
        let is_alias = setting.name.contains("alias_maps") && !setting.name.starts_with("virtual");
        if is_alias || setting.name == "alias_database" {
            continue;
        }
        let empty = table.rows().into_iter().flatten().find(|row| row.value.is_empty());
        if let Some(row) = empty.filter(|_| table.kind != "static") {
            let what = format!("{} has \"{}\" without a value", table.title(), row.key);
            let why = "an entry without a value does not count; a list of names alone still wants some word as the value";
            report.warning(
                &setting.spot_of(&table.name),
                what,
                why,
                &format!("write \"{} OK\", for example", row.key),
            );
        }
    }
}

/// Other files that must be there.
pub(crate) fn named_files(config: &Config, report: &mut Report) {
    for (scope, setting) in config.effective() {
        let is_file = [
            "_cert_file",
            "_key_file",
            "_CAfile",
            "_dcert_file",
            "_dkey_file",
            "_eccert_file",
            "_eckey_file",
        ];
        let is_file =
            is_file.iter().any(|end| setting.name.ends_with(end)) || setting.name.ends_with("_chain_files");
        if !is_file {
            continue;
        }
        for path in scope.expand(&setting.value).split([',', ' ']).filter(|path| path.starts_with('/')) {
            let Err(error) = fs::metadata(path) else { continue };
            if error.kind() == ErrorKind::NotFound {
                let why = "TLS cannot be used: the server answers \"454 4.7.0 TLS not available\", or a client goes without its certificate";
                report.error(
                    &setting.spot_of(path),
                    format!("there is no file {path}"),
                    why,
                    "correct the path, or create the file",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::{MASTER, lines};
    use std::fs;
    use std::time::{Duration, SystemTime};

    #[test]
    fn types_of_tables() {
        let main = "virtual_alias_maps = oracle:/x hahs:/y ldap:/z\ntransport_maps = texthash:/a\nsmtpd_milters = inet:h:1, unix:/x\n\
                    relayhost = x:25\nmynetworks = [::1]/128\ncontent_filter = smtp:h:25\nrelay_domains = dbm:/z\n";
        assert_eq!(
            lines("table-type", main, MASTER),
            [
                "error 1 virtual_alias_maps: unknown table type \"oracle\"",
                "error 1 virtual_alias_maps: unknown table type \"hahs\"",
                "error 7 relay_domains: unknown table type \"dbm\""
            ]
        );
    }

    #[test]
    fn files_of_tables() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().display();
        fs::write(directory.path().join("a"), "x y\n").unwrap();
        fs::write(directory.path().join("b.db"), "").unwrap();
        let main = format!(
            "virtual_alias_maps = hash:{place}/a\ntransport_maps = hash:{place}/b, cdb:{place}/a\n\
             header_checks = pcre:relative, pcre:{{/x/ OK}}\nsmtp_tls_session_cache_database = btree:/x\n"
        );
        let found = lines("table-file", &main, MASTER);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with(&format!("error 2 transport_maps: hash:{place}/b does not exist")));
        assert!(found[1].starts_with(&format!("error 2 transport_maps: cdb:{place}/a does not exist")));
        assert_eq!(found[2], "warning 3 header_checks: pcre:relative has no absolute path");
    }

    #[test]
    fn indexes() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().display();
        for name in ["a", "a.cdb", "a.lmdb"] {
            fs::write(directory.path().join(name), "x y\n").unwrap();
        }
        let main = format!("transport_maps = cdb:{place}/a hash:{place}/a\n");
        assert!(lines("stale-index", &main, MASTER).is_empty());
        let old = SystemTime::now() - Duration::from_secs(1000);
        for name in ["a.cdb", "a.lmdb"] {
            fs::File::options()
                .write(true)
                .open(directory.path().join(name))
                .unwrap()
                .set_modified(old)
                .unwrap();
        }
        assert_eq!(
            lines("stale-index", &main, MASTER),
            [
                format!("warning 1 transport_maps: {place}/a.cdb is older than {place}/a"),
                format!("note 1 transport_maps: {place}/a.lmdb is older than {place}/a")
            ]
        );
    }

    #[test]
    fn keys_without_values() {
        let main = "relay_domains = inline:{a=OK, b=}\nmynetworks = inline:{c=OK}\n";
        assert_eq!(
            lines("empty-value", main, MASTER),
            ["warning 1 relay_domains: inline:{a=OK, b=} has \"b\" without a value"]
        );
    }

    #[test]
    fn certificates() {
        let main =
            "smtpd_tls_cert_file = /nonexistent/a\nsmtp_tls_key_file =\nsmtpd_tls_key_file = /dev/null\n";
        assert_eq!(
            lines("missing-file", main, MASTER),
            ["error 1 smtpd_tls_cert_file: there is no file /nonexistent/a"]
        );
    }
}
