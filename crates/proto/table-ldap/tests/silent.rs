//! Servers that accept connections, and say nothing, or nothing that makes sense.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use table::{Env, Error, Flags, Table};

fn open(directory: &Path, settings: &str) -> Table {
    table::link(ferrofix_table_ldap::TYPES);
    let file = directory.join("x.cf");
    std::fs::write(&file, settings).unwrap();
    Table::open(&format!("ldap:{}", file.display()), &Rc::new(Env::default()), Flags::LOOKUP)
}

/// The clock stands still but for waiting, so that the limits take no time.
#[tokio::test(start_paused = true)]
async fn silence_is_a_temporary_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap();
    let place = tempfile::tempdir().unwrap();
    for bind in ["yes", "no"] {
        let table = open(place.path(), &format!("server_host = {host}\nbind = {bind}\nsearch_base = dc=x\n"));
        let begin = tokio::time::Instant::now();
        assert_eq!(table.lookup(b"key").await, Err(Error::retry(table.name())));
        let elapsed = begin.elapsed();
        assert!(elapsed >= Duration::from_secs(10) && elapsed < Duration::from_secs(21), "{elapsed:?}");
    }
}

/// What is no answer ends the connection, and is a temporary error at once.
#[tokio::test]
async fn nonsense_is_a_temporary_error() {
    for answer in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        // A message that would take all memory.
        b"\x30\x84\xff\xff\xff\xff\x02\x01\x01",
        // The answer to another request.
        b"\x30\x0c\x02\x01\x07\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        // The end is near.
        b"\x30\x0c\x02\x01\x00\x78\x07\x0a\x01\x34\x04\x00\x04\x00",
        b"",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let read = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(answer).unwrap();
            read
        });
        let place = tempfile::tempdir().unwrap();
        let table = open(place.path(), &format!("server_host = {host}\nsearch_base = dc=x\n"));
        let begin = std::time::Instant::now();
        assert_eq!(table.lookup(b"key").await, Err(Error::retry(table.name())), "{answer:?}");
        assert!(begin.elapsed() < Duration::from_secs(9), "{answer:?}");
        assert!(server.join().unwrap() > 0);
    }
}
