//! `pgsql:` against PostgreSQL.

use std::rc::Rc;

use table::{Env, Error, Table};

use crate::place::{self, ask, found};
use crate::promises::{self, QUERY, ROWS, USER};
use crate::random::Random;
use crate::server::{self, Kind, Server};

/// A table of addresses, a function, and the accounts to read them.
pub(crate) fn contents(rows: &[(&str, &str)]) -> Vec<String> {
    let mut lines: Vec<String> = [
        "CREATE DATABASE mail;",
        "CREATE ROLE postfix LOGIN;",
        "CREATE ROLE old LOGIN;",
        "CREATE TABLE alias (id serial, address text, goto text);",
        "CREATE INDEX address ON alias (address);",
        "CREATE FUNCTION find(k text) RETURNS SETOF text LANGUAGE sql AS 'SELECT goto FROM alias WHERE address = k ORDER BY id';",
        "GRANT SELECT ON alias TO postfix, old;",
        "SET password_encryption = 'scram-sha-256';",
        "ALTER ROLE postfix PASSWORD 'sec''ret';",
        "SET password_encryption = 'md5';",
        "ALTER ROLE old PASSWORD 'sec''ret';",
    ]
    .map(str::to_owned)
    .to_vec();
    lines.extend(promises::insert("alias", rows, |hex| {
        format!("convert_from(decode('{hex}', 'hex'), 'UTF8')")
    }));
    lines
}

/// Opens a table of the server, over its socket.
fn open(server: &Server, settings: &str) -> Table {
    open_in(&Rc::new(Env::default()), server, settings)
}

fn open_in(env: &Rc<Env>, server: &Server, settings: &str) -> Table {
    // The port is part of the socket's name, which only a connection string can say.
    let database = format!("dbname = dbname=mail port={}\n", server.port);
    let hosts = format!("hosts = unix:{}\n", server.path().display());
    place::open_in(
        env,
        server.path(),
        "pgsql",
        &format!("{hosts}user = postfix\npassword = sec'ret\n{database}{settings}"),
    )
}

#[test]
fn pgsql_lookups() {
    let Some(server) = server::start("pgsql_lookups", Kind::PostgreSql, &contents(ROWS)) else { return };
    place::run(async {
        promises::answers(|settings| open(&server, settings)).await;
        let function = open(&server, "select_function = find\n");
        assert_eq!(ask(&function, "list@example.com").await, found("a@x.org,b@x.org"));
        // A failed query is no reason to think ill of the server.
        let divide = open(&server, "query = SELECT 1 / length('%s')::int / (length('%s') - 3)\n");
        assert_eq!(ask(&divide, "abc").await, Err(Error::retry(divide.name())));
        assert_eq!(ask(&divide, "abcd").await, found("0"));
    });
}

#[test]
fn pgsql_places() {
    let Some(server) = server::start("pgsql_places", Kind::PostgreSql, &contents(ROWS)) else { return };
    place::run(async {
        let port = server.port;
        let socket = server.path().display().to_string().replace('/', "%2F");
        for hosts in [
            format!("127.0.0.1:{port}"),
            format!("inet:localhost:{port}"),
            format!("postgresql://postfix:sec%27ret@127.0.0.1:{port}/mail?connect_timeout=5"),
            format!("postgres://127.0.0.1:{port}/mail?user=postfix&password=sec'ret"),
            format!("postgres://postfix:sec'ret@{socket}:{port}/mail?target_session_attrs=read-write"),
            // Passwords of the older kind.
            format!("postgres://old:sec'ret@127.0.0.1:{port}/mail?sslmode=disable"),
            format!("unix:/nonexistent 127.0.0.1:1 127.0.0.1:{port}"),
        ] {
            let table = place::open(server.path(), "pgsql", &format!("hosts = {hosts}\n{USER}{QUERY}"));
            assert_eq!(ask(&table, "joe").await, found("here"), "{hosts}");
        }
        for hosts in [
            format!("postgres://postfix:wrong@127.0.0.1:{port}/mail"),
            format!("postgres://postfix:sec'ret@127.0.0.1:{port}/mail?sslmode=require"),
            format!("postgres://postfix:sec'ret@127.0.0.1:{port}/mail?target_session_attrs=standby"),
            format!("postgres://postfix:sec'ret@127.0.0.1:{port}/other"),
        ] {
            let table = place::open(server.path(), "pgsql", &format!("hosts = {hosts}\n{QUERY}"));
            assert_eq!(ask(&table, "joe").await, Err(Error::retry(table.name())), "{hosts}");
        }
        let text = format!("hosts = 127.0.0.1:{port}\nuser = postfix\n{QUERY}");
        let file = server.path().join("no-database.cf");
        std::fs::write(&file, text).unwrap();
        let spec = format!("pgsql:{}", file.display());
        let env = Rc::new(Env::default());
        let error =
            Table::try_open(&spec, &env, table::Mode::Read, table::Flags::LOOKUP).map(drop).unwrap_err();
        assert_eq!(error, format!("{spec} host target '127.0.0.1' requires dbname setting"));
    });
}

/// Every key comes back as it went, whatever is in it, and finds nothing but its own row.
#[test]
fn pgsql_hostile_keys() {
    let Some(server) = server::start("pgsql_hostile_keys", Kind::PostgreSql, &contents(ROWS)) else { return };
    place::run(async {
        for option in ["", "options=-cstandard_conforming_strings=off"] {
            for encoding in ["UTF8", "SQL_ASCII", "SJIS", "GBK"] {
                let database = format!("dbname = dbname=mail port={} {option}\n", server.port);
                let settings = format!(
                    "hosts = unix:{}\nuser = postfix\npassword = sec'ret\n{database}encoding = {encoding}\n\
                     query = SELECT '%s' UNION ALL SELECT 'end'\n",
                    server.path().display()
                );
                let table = place::open(server.path(), "pgsql", &settings);
                let mut random = Random::new(43);
                for _ in 0..200 {
                    let key = random.folded();
                    match ask(&table, &key).await {
                        Ok(answer) => assert_eq!(answer, Some(format!("{key},end")), "{encoding}"),
                        Err(_) => assert!(!key.is_ascii() && encoding != "UTF8", "{encoding} {key:?}"),
                    }
                }
            }
        }
        let env = Rc::new(Env { smtputf8_enable: false, ..Env::default() });
        for encoding in ["UTF8", "LATIN1", "SJIS", "GBK", "BIG5"] {
            let query = "query = SELECT 'seen' FROM alias WHERE address = '%s'\n";
            let table = open_in(&env, &server, &format!("encoding = {encoding}\n{query}"));
            for key in [&b"\xbf' OR 1=1 -- "[..], b"\x81' OR 1=1 -- ", b"\xbf\\' OR 1=1 -- ", b"\xbf"] {
                assert!(!matches!(table.lookup(key).await, Ok(Some(_))), "{encoding} {key:?}");
            }
        }
        // Bytes of another encoding, in both directions.
        let latin = open_in(&env, &server, &format!("encoding = LATIN1\n{QUERY}"));
        assert_eq!(latin.lookup(b"\xfcn\xef@example.com").await, Ok(Some(b"\xfc@x.org".to_vec())));
    });
}

#[test]
fn pgsql_restarts() {
    let Some(server) = server::start("pgsql_restarts", Kind::PostgreSql, &contents(ROWS)) else { return };
    place::run(promises::restarts(server, open));
}

#[test]
fn pgsql_slow() {
    let Some(server) = server::start("pgsql_slow", Kind::PostgreSql, &contents(ROWS)) else { return };
    let query = "query = SELECT CASE WHEN '%s' = 'slow' THEN pg_sleep(3)::text ELSE 'quick' END\n";
    place::run(async { promises::slow(&open(&server, query)).await });
}

#[test]
fn pgsql_tls() {
    let keys = tempfile::tempdir().unwrap();
    if !crate::server::make_certificate("pgsql_tls", keys.path()) {
        return;
    }
    let path = |name: &str| keys.path().join(name).display().to_string();
    let options = [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", path("cert.pem")),
        format!("ssl_key_file={}", path("key.pem")),
    ];
    let options: Vec<String> = options.into_iter().flat_map(|option| ["-c".to_owned(), option]).collect();
    let Some(server) = server::start_with("pgsql_tls", Kind::PostgreSql, &contents(ROWS), &options) else {
        return;
    };
    place::run(async {
        let version = "query = SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()\n";
        let open = |host: &str, parameters: &str| {
            let hosts =
                format!("hosts = postgres://postfix:sec'ret@{host}:{}/mail?{parameters}\n", server.port);
            place::open(server.path(), "pgsql", &format!("{hosts}{version}"))
        };
        let authority = format!("sslrootcert={}", path("cert.pem"));
        for parameters in [
            String::new(),
            "sslmode=prefer".to_owned(),
            "sslmode=require".to_owned(),
            format!("sslmode=require&{authority}"),
            format!("sslmode=verify-ca&{authority}"),
            format!("sslmode=verify-full&{authority}"),
        ] {
            let table = open("127.0.0.1", &parameters);
            assert_eq!(ask(&table, "x").await, found("TLSv1.3"), "{parameters}");
        }
        let table = open("127.0.0.1", "sslmode=disable");
        assert_eq!(ask(&table, "x").await, Ok(None));
        let other = format!("sslmode=verify-ca&sslrootcert={}", path("other.pem"));
        assert!(ask(&open("127.0.0.1", &other), "x").await.is_err());
        let name = format!("sslmode=verify-full&{authority}");
        assert!(ask(&open("localhost", &name), "x").await.is_err(), "the certificate has no such name");
    });
}

#[test]
fn pgsql_password_is_no_secret_of_the_log() {
    let settings = |server: &Server| {
        let port = server.port;
        vec![
            format!("hosts = postgres://postfix:hunter2@127.0.0.1:{port}/mail\n"),
            format!("hosts = 127.0.0.1:{port}\nuser = postfix\npassword = hunter2\ndbname = mail\n"),
        ]
    };
    promises::password_is_no_secret_of_the_log(
        "pgsql_password_is_no_secret_of_the_log",
        Kind::PostgreSql,
        &contents(ROWS),
        settings,
        "password authentication failed for user \"postfix\"",
    );
}
