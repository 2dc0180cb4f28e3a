//! Servers whose answers make no sense.

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::bson::{Document, kind};
use crate::server::{receive, send};
use crate::table::{ask, at, later, run};

fn hello() -> Document {
    let mut hello = Document::new();
    hello.boolean("isWritablePrimary", true).int32("maxWireVersion", 17).int32("ok", 1);
    hello
}

/// An answer with these documents, and a cursor of that number.
fn cursor(id: i64, batch: &Document) -> Document {
    let mut cursor = Document::new();
    cursor.array("firstBatch", batch).array("nextBatch", batch).int64("id", id);
    let mut answer = Document::new();
    answer.document("cursor", &cursor).int32("ok", 1);
    answer
}

fn one(document: &Document) -> Document {
    let mut batch = Document::new();
    batch.document("0", document);
    batch
}

/// What a server says to the question of which kind, before it ends.
enum Says {
    /// These bytes, first of all.
    First(Vec<u8>),
    /// This, to the hello.
    Hello(Document),
    /// This, to the question; and again to each that follows.
    Answer(Document),
    /// These bytes, to the question.
    Bytes(Vec<u8>),
}

#[test]
fn hostile_answers() {
    let mut nested = Document::new();
    nested.string("0", "deep");
    for _ in 0..150 {
        let mut outer = Document::new();
        outer.array("0", &nested);
        nested = outer;
    }
    let mut deep = Document::new();
    deep.array("to", &nested);
    let mut not_utf8 = Document::new();
    not_utf8.raw(kind::STRING, "to", b"\x02\0\0\0\xff\0");
    let mut unknown = Document::new();
    unknown.raw(99, "to", b"");
    let mut short = Document::new();
    short.raw(kind::STRING, "to", b"\xff\xff\xff\x7fx\0");
    let mut not_ok = Document::new();
    not_ok.string("errmsg", "a\nb \u{1b}[31m").int32("ok", 0);
    let mut no_cursor = Document::new();
    no_cursor.int32("ok", 1);
    let mut strange = Document::new();
    strange.int32("0", 1);
    let mut old = Document::new();
    old.boolean("ismaster", true).int32("maxWireVersion", 5).int32("ok", 1);
    let long = [i32::MAX, 1, 2, 2013].map(i32::to_le_bytes).concat();
    let mut ghost = hello();
    ghost.boolean("isreplicaset", true);
    let mut members = Document::new();
    for number in 0..5000 {
        members.string(&number.to_string(), &format!("h{number}.invalid:1"));
    }
    let mut crowd = Document::new();
    crowd.string("setName", "x").boolean("secondary", true).int32("maxWireVersion", 17).int32("ok", 1);
    crowd.array("hosts", &members);
    for (what, says, more) in [
        ("nothing", Says::First(Vec::new()), ""),
        ("another protocol", Says::First(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), ""),
        ("a long message", Says::First(long.clone()), ""),
        ("a refused hello", Says::Hello(not_ok.clone()), ""),
        ("an empty hello", Says::Hello(Document::new()), ""),
        ("an old server", Says::Hello(old), ""),
        ("no data", Says::Hello(ghost), "?directConnection=false"),
        (
            "a crowd",
            Says::Hello(crowd),
            "?directConnection=false&connectTimeoutMS=50&serverSelectionTimeoutMS=3000",
        ),
        ("a long answer", Says::Bytes(long), ""),
        ("refusal", Says::Answer(not_ok), ""),
        ("no cursor", Says::Answer(no_cursor), ""),
        ("no document", Says::Answer(cursor(0, &strange)), ""),
        ("not UTF-8", Says::Answer(cursor(0, &one(&not_utf8))), ""),
        ("an unknown kind", Says::Answer(cursor(0, &one(&unknown))), ""),
        ("a length that lies", Says::Answer(cursor(0, &one(&short))), ""),
        ("nested deep", Says::Answer(cursor(0, &one(&deep))), ""),
        ("another number", Says::Bytes(vec![0; 64]), ""),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // It ends with the test, since not all of these tables come back.
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let _ended = serve(&mut stream, &says);
            }
        });
        run(async {
            let table = at(&format!("mongodb://{address}/{more}"), "");
            let begin = Instant::now();
            assert_eq!(ask(&table, "joe").await, later(&table), "{what}");
            assert!(begin.elapsed() < Duration::from_secs(9), "{what}");
        });
    }
}

fn serve(stream: &mut std::net::TcpStream, says: &Says) -> std::io::Result<()> {
    let (id, _) = receive(stream)?;
    match says {
        Says::First(bytes) => return stream.write_all(bytes),
        Says::Hello(hello) => {
            send(stream, id, hello)?;
            return receive(stream).map(drop);
        }
        Says::Answer(_) | Says::Bytes(_) => send(stream, id, &hello())?,
    }
    loop {
        let (id, _) = receive(stream)?;
        match says {
            Says::Answer(answer) => send(stream, id, answer)?,
            Says::Bytes(bytes) => return stream.write_all(bytes),
            Says::First(_) | Says::Hello(_) => return Ok(()),
        }
    }
}

/// A server that always has more is stopped by the length of it all.
#[test]
fn an_answer_without_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut document = Document::new();
        document.string("other", &"x".repeat(4_000_000));
        let says = Says::Answer(cursor(9, &one(&document)));
        serve(&mut stream, &says)
    });
    run(async {
        let table = at(&format!("mongodb://{address}"), "expansion_limit = 0\n");
        assert_eq!(ask(&table, "joe").await, later(&table));
    });
    // The connection is kept, until the table goes.
    assert!(server.join().unwrap().is_err());
}

/// One that always has a little more is stopped by the clock.
#[test]
fn an_answer_that_drips() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ended = drip(&mut stream);
    });
    run(async {
        let table = at(&format!("mongodb://{address}/?socketTimeoutMS=700"), "expansion_limit = 0\n");
        let begin = Instant::now();
        assert_eq!(ask(&table, "joe").await, later(&table));
        assert!(begin.elapsed() >= Duration::from_millis(700) && begin.elapsed() < Duration::from_secs(3));
    });
}

fn drip(stream: &mut std::net::TcpStream) -> std::io::Result<()> {
    let (id, _) = receive(stream)?;
    send(stream, id, &hello())?;
    loop {
        let (id, _) = receive(stream)?;
        std::thread::sleep(Duration::from_millis(200));
        send(stream, id, &cursor(9, &Document::new()))?;
    }
}
