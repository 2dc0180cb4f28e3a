//! `mysql:` against MariaDB.

use std::rc::Rc;
use std::time::Duration;

use table::{Env, Error, Table};

use crate::place::{self, ask, found};
use crate::promises::{self, QUERY, ROWS, USER};
use crate::random::Random;
use crate::server::{self, Kind, Server};

/// A table of addresses, procedures, and the accounts to read them.
pub(crate) fn contents(rows: &[(&str, &str)]) -> Vec<String> {
    let mut lines: Vec<String> = [
        "CREATE DATABASE IF NOT EXISTS mail CHARACTER SET utf8mb4;",
        "CREATE OR REPLACE TABLE mail.alias (id INT AUTO_INCREMENT PRIMARY KEY, address VARCHAR(500) COLLATE utf8mb4_bin, goto TEXT, KEY (address));",
        "CREATE OR REPLACE USER postfix@localhost IDENTIFIED BY 'sec''ret';",
        "CREATE OR REPLACE USER postfix@'127.0.0.1' IDENTIFIED BY 'sec''ret';",
        "GRANT ALL ON mail.* TO postfix@localhost;",
        "GRANT ALL ON mail.* TO postfix@'127.0.0.1';",
        "CREATE OR REPLACE USER encrypted@'127.0.0.1' IDENTIFIED BY 'sec''ret' REQUIRE SSL;",
        "GRANT ALL ON mail.* TO encrypted@'127.0.0.1';",
        "CREATE OR REPLACE PROCEDURE mail.one(IN k VARCHAR(500)) SQL SECURITY INVOKER SELECT goto FROM alias WHERE address = k;",
        "CREATE OR REPLACE PROCEDURE mail.none(IN k VARCHAR(500)) SQL SECURITY INVOKER SET @none = k;",
        "CREATE OR REPLACE PROCEDURE mail.two(IN k VARCHAR(500)) SQL SECURITY INVOKER BEGIN SELECT k; SELECT 2; END;",
    ]
    .map(str::to_owned)
    .to_vec();
    lines.extend(promises::insert("mail.alias", rows, |hex| format!("x'{hex}'")));
    lines
}

/// Opens a table of the server, over its socket.
fn open(server: &Server, settings: &str) -> Table {
    let hosts = format!("hosts = unix:{}\n", server.socket().display());
    place::open(server.path(), "mysql", &format!("{hosts}{USER}{settings}"))
}

#[test]
fn mysql_lookups() {
    let Some(server) = server::start("mysql_lookups", Kind::MariaDb, &contents(ROWS)) else { return };
    place::run(async {
        promises::answers(|settings| open(&server, settings)).await;
        let retry = |table: &Table| Err(Error::retry(table.name()));
        // Procedures.
        let call = |name: &str| format!("query = CALL {name}('%s')\n");
        assert_eq!(ask(&open(&server, &call("one")), "joe").await, found("here"));
        let two = open(&server, &call("two"));
        assert_eq!(ask(&two, "joe").await, retry(&two));
        let none = open(&server, &call("none"));
        assert_eq!(ask(&none, "joe").await, retry(&none));
        let none = open(&server, &format!("{}require_result_set = no\n", call("none")));
        assert_eq!(ask(&none, "joe").await, Ok(None));
        // A query is one statement.
        let stacked = open(&server, "query = SELECT 1; SELECT 2\n");
        assert_eq!(ask(&stacked, "joe").await, retry(&stacked));
    });
}

#[test]
fn mysql_places() {
    let Some(server) = server::start("mysql_places", Kind::MariaDb, &contents(ROWS)) else { return };
    place::run(async {
        let network = format!("hosts = inet:127.0.0.1:{}\n{USER}{QUERY}", server.port);
        let table = place::open(server.path(), "mysql", &network);
        assert_eq!(ask(&table, "joe").await, found("here"));
        // "localhost" is a socket, which an option file may name.
        let options = server.path().join("my.cnf");
        let text = format!("[mine]\nsocket = {}\nuser = postfix\n", server.socket().display());
        std::fs::write(&options, text).unwrap();
        let local = format!(
            "password = sec'ret\ndbname = mail\noption_file = {}\noption_group = mine\n{QUERY}",
            options.display()
        );
        let table = place::open(server.path(), "mysql", &local);
        assert_eq!(ask(&table, "joe").await, found("here"));
        // A server that is not there does no harm when another one is.
        let both = format!("hosts = unix:/nonexistent 127.0.0.1:{}\n{USER}{QUERY}", server.port);
        let table = place::open(server.path(), "mysql", &both);
        assert_eq!(ask(&table, "joe").await, found("here"));
        // Settings in main.cf.
        let mut main = conf::MainCf::default();
        for (name, value) in [
            ("db_hosts", format!("unix:{}", server.socket().display())),
            ("db_user", "$me".to_owned()),
            ("me", "postfix".to_owned()),
            ("db_password", "sec'ret".to_owned()),
            ("db_dbname", "mail".to_owned()),
            ("db_query", "SELECT goto FROM alias WHERE address = '%s'".to_owned()),
        ] {
            main.set(name, &value);
        }
        let env = Rc::new(Env { main, ..Env::default() });
        let table = Table::open("mysql:db", &env, table::Flags::LOOKUP);
        assert_eq!(ask(&table, "joe").await, found("here"));
        let refused = format!("hosts = 127.0.0.1:{}\nuser = other\ndbname = mail\n{QUERY}", server.port);
        let table = place::open(server.path(), "mysql", &refused);
        assert!(ask(&table, "joe").await.is_err());
    });
}

/// Every key comes back as it went, whatever is in it, and finds nothing but its own row.
#[test]
fn mysql_hostile_keys() {
    let Some(server) = server::start("mysql_hostile_keys", Kind::MariaDb, &contents(ROWS)) else { return };
    let plain = ["--sql-mode=NO_BACKSLASH_ESCAPES".to_owned()];
    let Some(other) = server::start_with("mysql_hostile_keys", Kind::MariaDb, &contents(ROWS), &plain) else {
        return;
    };
    place::run(async {
        for server in [&server, &other] {
            for charset in ["utf8mb4", "latin1", "gbk", "sjis", "big5"] {
                let settings = format!("charset = {charset}\nquery = SELECT HEX('%s') UNION SELECT 'end'\n");
                let table = open(server, &settings);
                let mut random = Random::new(42);
                for _ in 0..200 {
                    let key = random.folded();
                    // What is no text of the character set may be refused, but is never taken for something else.
                    let hex: String = key.bytes().map(|byte| format!("{byte:02X}")).collect();
                    match ask(&table, &key).await {
                        Ok(answer) => assert_eq!(answer, Some(format!("{hex},end")), "{charset} {key:?}"),
                        Err(_) => assert!(!key.is_ascii() && charset != "utf8mb4", "{charset} {key:?}"),
                    }
                }
            }
        }
        // A lead byte just before a quote: with smtputf8_enable off keys are bytes.
        let env = Rc::new(Env { smtputf8_enable: false, ..Env::default() });
        for server in [&server, &other] {
            for charset in ["gbk", "sjis", "big5", "utf8mb4"] {
                let hosts = format!("hosts = unix:{}\n", server.socket().display());
                let query = "query = SELECT 'seen' FROM alias WHERE address = '%s'\n";
                let settings = format!("{hosts}{USER}charset = {charset}\n{query}");
                let table = place::open_in(&env, server.path(), "mysql", &settings);
                for key in [&b"\xbf' OR 1=1 -- "[..], b"\x81' OR 1=1 -- ", b"\xbf\\' OR 1=1 -- ", b"\xbf"] {
                    assert!(!matches!(table.lookup(key).await, Ok(Some(_))), "{charset} {key:?}");
                }
            }
        }
    });
}

#[test]
fn mysql_restarts() {
    let Some(server) = server::start("mysql_restarts", Kind::MariaDb, &contents(ROWS)) else { return };
    place::run(promises::restarts(server, open));
}

#[test]
fn mysql_slow() {
    let Some(server) = server::start("mysql_slow", Kind::MariaDb, &contents(ROWS)) else { return };
    let query = "query = SELECT IF('%s' = 'slow', SLEEP(3), 'quick')\n";
    place::run(async { promises::slow(&open(&server, query)).await });
}

#[test]
fn mysql_idle() {
    let Some(server) = server::start("mysql_idle", Kind::MariaDb, &contents(ROWS)) else { return };
    place::run(async {
        let count = "query = SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'postfix'\n";
        let other = open(&server, &format!("{QUERY}idle_interval = 1\n"));
        let table = open(&server, count);
        assert_eq!(ask(&other, "joe").await, found("here"));
        assert_eq!(ask(&table, "x").await, found("2"));
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert_eq!(ask(&table, "x").await, found("1"), "nobody asked, and the connection was closed");
        drop((other, table));
        let log = server.log();
        assert!(!log.lines().any(|line| line.contains("Aborted") && line.contains("'postfix'")), "{log}");
    });
}

#[test]
fn mysql_tls() {
    let keys = tempfile::tempdir().unwrap();
    if !crate::server::make_certificate("mysql_tls", keys.path()) {
        return;
    }
    let path = |name: &str| keys.path().join(name).display().to_string();
    let options = [format!("--ssl-cert={}", path("cert.pem")), format!("--ssl-key={}", path("key.pem"))];
    let Some(server) = server::start_with("mysql_tls", Kind::MariaDb, &contents(ROWS), &options) else {
        return;
    };
    place::run(async {
        let user = USER.replace("user = postfix", "user = encrypted");
        let open = |settings: &str| {
            let hosts = format!("hosts = 127.0.0.1:{}\n", server.port);
            place::open(server.path(), "mysql", &format!("{hosts}{user}{settings}"))
        };
        let cipher = "query = SELECT variable_value FROM information_schema.session_status \
                      WHERE variable_name = 'Ssl_cipher'\n";
        let authority = format!("tls_CAfile = {}\n", path("cert.pem"));
        let table = open(&format!("{cipher}{authority}"));
        assert!(ask(&table, "x").await.unwrap().unwrap().starts_with("TLS_"));
        // The certificate has the address as a name.
        let table = open(&format!("{cipher}{authority}tls_verify_cert = yes\n"));
        assert!(ask(&table, "x").await.is_ok());
        // An authority that did not make the certificate; and no encryption at all.
        let table = open(&format!("{cipher}tls_CAfile = {}\n", path("other.pem")));
        assert!(ask(&table, "x").await.is_err());
        assert!(ask(&open(cipher), "x").await.is_err());
        // Nobody who is trusted says that the server is what it is.
        let table = open(&format!("{cipher}tls_verify_cert = yes\n"));
        assert!(ask(&table, "x").await.is_err());
    });
}

#[test]
fn mysql_password_is_no_secret_of_the_log() {
    let settings = |server: &Server| {
        let socket = server.socket().display().to_string();
        vec![format!("hosts = unix:{socket}\nuser = postfix\npassword = hunter2\ndbname = mail\n")]
    };
    promises::password_is_no_secret_of_the_log(
        "mysql_password_is_no_secret_of_the_log",
        Kind::MariaDb,
        &contents(ROWS),
        settings,
        "Access denied for user 'postfix'@'localhost' (using password: YES)",
    );
}
