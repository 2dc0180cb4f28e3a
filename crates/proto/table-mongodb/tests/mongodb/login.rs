//! The server's side of a login, and tests of the client's.

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Digest;

use crate::bson::{Document, Elements, Value};
use crate::query::Refusal;
use crate::server::{Nature, Server};
use crate::table::{USUAL, ask, at, found, later, open_or_broken, run};

/// Where a login is.
#[derive(Default)]
pub(crate) struct Login {
    password: String,
    is_sha_1: bool,
    /// What both sides have said so far.
    said: String,
    stage: Stage,
}

#[derive(Default, PartialEq, Eq)]
enum Stage {
    #[default]
    None,
    Begun,
    Proved,
    Done,
}

const SALT: &[u8] = b"0123456789abcdef";
const ROUNDS: u32 = 4096;

impl Login {
    pub(crate) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    pub(crate) fn start(&mut self, nature: &Nature, command: Elements<'_>) -> Result<Document, Refusal> {
        let mechanism = command.find("mechanism").unwrap().unwrap().text().unwrap().to_owned();
        let message = payload(command);
        let bare = message.strip_prefix("n,,").unwrap();
        let (name, nonce) = bare.split_once(",r=").unwrap();
        let name = name.strip_prefix("n=").unwrap().replace("=2C", ",").replace("=3D", "=");
        assert_eq!(command.find("$db").unwrap().unwrap().text(), Some("admin"));
        let account = nature.accounts.iter().find(|account| account.0 == name && account.2 == mechanism);
        let Some((_, password, _)) = account else { return Err((18, "Authentication failed.".to_owned())) };
        self.is_sha_1 = mechanism == "SCRAM-SHA-1";
        self.password = if self.is_sha_1 {
            let hash = md5::Md5::digest(format!("{name}:mongo:{password}"));
            hash.iter().map(|byte| format!("{byte:02x}")).collect()
        } else {
            (*password).to_owned()
        };
        let first = format!("r={nonce}server,s={},i={ROUNDS}", STANDARD.encode(SALT));
        self.said = format!("{bare},{first}");
        self.stage = Stage::Begun;
        Ok(step(&first, false))
    }

    pub(crate) fn go_on(&mut self, is_long: bool, command: Elements<'_>) -> Result<Document, Refusal> {
        assert_eq!(command.find("conversationId").unwrap().unwrap().number(), Some(77));
        let message = payload(command);
        if self.stage == Stage::Proved {
            assert_eq!(message, "");
            self.stage = Stage::Done;
            return Ok(step("", true));
        }
        let (last, proof) = message.split_once(",p=").unwrap();
        let said = format!("{},{last}", self.said);
        let (algorithm, length) =
            if self.is_sha_1 { (pbkdf2::PBKDF2_HMAC_SHA1, 20) } else { (pbkdf2::PBKDF2_HMAC_SHA256, 32) };
        let mut salted = vec![0; length];
        pbkdf2::derive(algorithm, ROUNDS.try_into().unwrap(), SALT, self.password.as_bytes(), &mut salted);
        let client = self.mac(&salted, "Client Key");
        let stored = if self.is_sha_1 {
            digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &client)
        } else {
            digest::digest(&digest::SHA256, &client)
        };
        let signature = self.mac(stored.as_ref(), &said);
        let proof = STANDARD.decode(proof).unwrap();
        let key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        if key != client {
            return Err((18, "Authentication failed.".to_owned()));
        }
        let server = self.mac(&salted, "Server Key");
        self.stage = if is_long { Stage::Proved } else { Stage::Done };
        Ok(step(&format!("v={}", STANDARD.encode(self.mac(&server, &said))), !is_long))
    }

    fn mac(&self, key: &[u8], text: &str) -> Vec<u8> {
        let algorithm = if self.is_sha_1 { hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY } else { hmac::HMAC_SHA256 };
        hmac::sign(&hmac::Key::new(algorithm, key), text.as_bytes()).as_ref().to_vec()
    }
}

fn payload(command: Elements<'_>) -> String {
    let Some(Value::Binary(payload)) = command.find("payload").unwrap() else { panic!("a message") };
    String::from_utf8(payload.to_vec()).unwrap()
}

fn step(message: &str, is_done: bool) -> Document {
    let mut step = Document::new();
    step.int32("conversationId", 77).boolean("done", is_done).binary("payload", 0, message.as_bytes());
    step.int32("ok", 1);
    step
}

const ACCOUNTS: &[(&str, &str, &str)] = &[
    ("old", "pencil", "SCRAM-SHA-1"),
    ("new", "p:@/%c\u{e4}", "SCRAM-SHA-256"),
    ("both", "x", "SCRAM-SHA-1"),
    ("both", "x", "SCRAM-SHA-256"),
    ("a=b,c", "x", "SCRAM-SHA-256"),
];

fn server(is_old: bool) -> Server {
    Server::start(Nature {
        documents: vec![r#"{"name": "joe", "to": "here"}"#.to_owned()],
        accounts: ACCOUNTS.to_vec(),
        is_old,
        has_long_logins: is_old,
        ..Nature::default()
    })
}

#[test]
fn passwords() {
    run(async {
        for is_old in [false, true] {
            let server = server(is_old);
            for (account, options, is_good) in [
                ("old:pencil@", "", true),
                ("old:pencil@", "?authSource=admin&authMechanism=SCRAM-SHA-1", true),
                ("old:pencil@", "?authMechanism=SCRAM-SHA-256", false),
                ("old:wrong@", "", false),
                ("new:p%3A%40%2F%25c%C3%A4@", "", true),
                ("new:wrong@", "", false),
                ("nobody:x@", "", false),
                ("both:x@", "?authMechanism=SCRAM-SHA-1", true),
                ("both:x@", "?authMechanism=scram-sha-256", true),
                ("both:x@", "", true),
                ("a%3Db%2Cc:x@", "", true),
                ("", "", false),
            ] {
                let table = at(&format!("mongodb://{account}{}/{options}", server.address), "");
                let want = if is_good { found("here") } else { later(&table) };
                assert_eq!(ask(&table, "joe").await, want, "{account} {options}");
                assert_eq!(ask(&table, "joe").await, want, "{account} {options}, again");
            }
        }
    });
}

/// It logs in once, and not with each question.
#[test]
fn a_login_lasts() {
    let server = server(false);
    run(async {
        let table = at(&format!("mongodb://both:x@{}/?authSource=admin", server.address), "");
        for _ in 0..5 {
            assert_eq!(ask(&table, "joe").await, found("here"));
        }
        assert_eq!((server.connections(), server.count("saslStart"), server.count("find")), (1, 1, 5));
    });
}

/// Whoever answers without a proof of its own is not believed.
#[test]
fn a_server_that_does_not_know_the_password() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut names = Vec::new();
        while let Ok((id, command)) = crate::server::receive(&mut stream) {
            let command = Elements::read(&command).unwrap();
            let name = String::from_utf8(command.into_iter().next().unwrap().unwrap().name.to_vec()).unwrap();
            let answer = match name.as_str() {
                "saslStart" => {
                    let message = payload(command);
                    let nonce = message.split_once(",r=").unwrap().1;
                    step(&format!("r={nonce}x,s=AAAA,i=4096"), false)
                }
                "saslContinue" => step("v=AAAA", true),
                _ => {
                    let mut hello = Document::new();
                    hello.boolean("isWritablePrimary", true).int32("maxWireVersion", 17).int32("ok", 1);
                    hello
                }
            };
            names.push(name);
            crate::server::send(&mut stream, id, &answer).unwrap();
        }
        names
    });
    run(async {
        let table = at(&format!("mongodb://joe:secret@{address}"), "");
        assert_eq!(ask(&table, "joe").await, later(&table));
    });
    assert_eq!(server.join().unwrap(), ["hello", "saslStart", "saslContinue"], "no question");
}

#[test]
fn what_cannot_be_used_is_said_at_once() {
    for uri in [
        "mongodb+srv://u:p@h/",
        "http://h",
        "mongodb://",
        "mongodb://h:0",
        "mongodb://u:p@h/?authMechanism=GSSAPI",
        "mongodb://u:p@h/?authMechanism=PLAIN",
    ] {
        assert!(open_or_broken(&format!("uri = {uri}\n{USUAL}")).is_broken(), "{uri}");
    }
}
