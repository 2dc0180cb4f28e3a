//! The files of database clients: settings that nothing reads, queries with a doubtful answer, passwords for all to see.

use super::files;
use crate::database::CLIENTS;
use crate::lint::config::Config;
use crate::lint::nearest::{did_you_mean, nearest};
use crate::lint::report::{Report, Spot};
use crate::lint::tables::Table;
use conf::lines::{LogicalLines, split_name_value};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A setting of a client's file, and its line.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) number: usize,
}

/// The settings of a client's file; nothing when it cannot be read.
pub(crate) fn read(path: &str) -> Option<Vec<Line>> {
    let text = fs::read(path).ok()?;
    let lines = LogicalLines::new(path, &text);
    let line = |line: conf::lines::LogicalLine| {
        let text = String::from_utf8_lossy(&line.text).into_owned();
        let (name, value) = split_name_value(&text).ok()?;
        Some(Line { name: name.to_owned(), value: value.to_owned(), number: line.first })
    };
    Some(lines.filter_map(line).collect())
}

/// Every file of a client that is named, once.
fn client_files(config: &Config) -> Vec<(Table, Vec<Line>, String)> {
    let mut all: Vec<(Table, Vec<Line>, String)> = Vec::new();
    for (_, setting, table) in files::all(config) {
        let is_client = CLIENTS.iter().any(|(kind, _)| *kind == table.kind);
        let is_new = !all.iter().any(|(known, ..)| known.kind == table.kind && known.name == table.name);
        if let Some(lines) = files::file(&table).filter(|_| is_client && is_new).and_then(read) {
            all.push((table, lines, setting.name.clone()));
        }
    }
    all
}

/// Settings that the client does not read, and missing ones without which it finds nothing.
pub(crate) fn settings(config: &Config, report: &mut Report) {
    for (table, lines, _) in client_files(config) {
        let known = CLIENTS.iter().find(|(kind, _)| *kind == table.kind).map_or(&[][..], |(_, known)| *known);
        for line in &lines {
            if !known.contains(&line.name.as_str()) {
                let spot = Spot { file: table.name.clone(), line: line.number, subject: line.name.clone() };
                let mend = did_you_mean(nearest(&line.name, known.iter().copied()), "remove it");
                report.warning(&spot, "unknown setting".to_owned(), "the client does not read it", &mend);
            }
        }
        let has = |name: &str| lines.iter().any(|line| line.name == name);
        let is_sql = matches!(table.kind.as_str(), "mysql" | "pgsql" | "sqlite");
        if is_sql && !["query", "table", "select_function"].iter().any(|name| has(name)) {
            let spot = Spot { file: table.name.clone(), line: 0, subject: "query".to_owned() };
            let why = "the client does not know what to ask for: every lookup fails";
            report.error(
                &spot,
                "there is no query".to_owned(),
                why,
                "add query = SELECT ... WHERE ... = '%s'",
            );
        }
    }
}

/// Lists of domains whose query gives a column that may be empty.
pub(crate) fn empty_results(config: &Config, report: &mut Report) {
    for (table, lines, parameter) in client_files(config) {
        let is_list = matches!(
            parameter.as_str(),
            "relay_domains" | "virtual_mailbox_domains" | "virtual_alias_domains" | "mydestination"
        );
        let Some(line) = lines.iter().find(|line| line.name == "query").filter(|_| is_list) else { continue };
        if let Some(column) = doubtful_column(&line.value) {
            let spot = Spot { file: table.name.clone(), line: line.number, subject: "query".to_owned() };
            let what = format!("gives \"{column}\" for {parameter}");
            let why = "where that column is empty, the domain counts as not found: \"empty lookup result ... ignored\"";
            report.note(&spot, what, why, "select the domain itself, or a constant such as 1");
        }
    }
}

/// The one column that a query gives, unless the condition is about it.
fn doubtful_column(query: &str) -> Option<&str> {
    let words: Vec<&str> = query.split_whitespace().collect();
    let [select, column, from, ..] = words.as_slice() else { return None };
    let is_column = column.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte))
        && !column.starts_with(|char: char| char.is_ascii_digit());
    let is_simple = select.eq_ignore_ascii_case("select") && from.eq_ignore_ascii_case("from") && is_column;
    let (_, condition) = query.split_once("WHERE").or_else(|| query.split_once("where"))?;
    let is_asked = condition
        .split(|char: char| !char.is_ascii_alphanumeric() && char != '_' && char != '.')
        .any(|word| word == *column);
    (is_simple && !is_asked).then_some(*column)
}

/// Passwords in files that everybody can read.
pub(crate) fn passwords(config: &Config, report: &mut Report) {
    for (table, lines, _) in client_files(config) {
        let Some(line) = lines.iter().find(|line| line.name == "password" && !line.value.is_empty()) else {
            continue;
        };
        let mode = fs::metadata(&table.name).map_or(0, |meta| meta.permissions().mode());
        if mode & 0o004 != 0 {
            let spot = Spot { file: table.name.clone(), line: line.number, subject: "password".to_owned() };
            let why = "every user of this host can read the password";
            report.warning(
                &spot,
                "the file is open to everybody".to_owned(),
                why,
                "chgrp postfix and chmod 640",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::testing::{MASTER, lines};

    #[test]
    fn columns() {
        assert_eq!(doubtful_column("SELECT description FROM domain WHERE domain='%s'"), Some("description"));
        for query in [
            "SELECT domain FROM domain WHERE domain='%s'",
            "SELECT 1 FROM domain WHERE domain='%s'",
            "SELECT domain AS virtual FROM domains WHERE domain='%s'",
            "SELECT 'OK' FROM x WHERE y='%s'",
            "nonsense",
        ] {
            assert_eq!(doubtful_column(query), None, "{query}");
        }
    }

    #[test]
    fn files_of_clients() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display().to_string();
        std::fs::write(
            &path,
            "user = a\npasword = x\npassword = b\nquery = SELECT note FROM d WHERE n='%s'\n",
        )
        .unwrap();
        let mode = |mode| std::fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        let main = format!("relay_domains = pgsql:{path}\ntransport_maps = proxy:pgsql:{path}\n");
        assert_eq!(lines("table-setting", &main, MASTER), ["warning 2 pasword: unknown setting"]);
        assert_eq!(lines("empty-result", &main, MASTER), ["note 4 query: gives \"note\" for relay_domains"]);
        assert_eq!(
            lines("readable-password", &main, MASTER),
            ["warning 3 password: the file is open to everybody"]
        );
        mode(0o640);
        assert!(lines("readable-password", &main, MASTER).is_empty());
        std::fs::write(&path, "dbname = x\n").unwrap();
        assert_eq!(lines("table-setting", &main, MASTER), ["error 0 query: there is no query"]);
    }
}
