//! Tables, against servers that are not MongoDB.
//!
//! **The servers here are fakes.** Debian 12 has no package of MongoDB, so [`server`] speaks as much of its protocol as
//! these tests need: messages, logins, cursors, and a small part of the query language. What it shows is that the client
//! does what it should with a server that behaves as MongoDB's specifications say, and with servers that do not behave.
//! The fake itself was checked with MongoDB's own driver for Python. That a server of other people's understands the
//! client is shown by `databases`, among the tests of the whole system.

#[path = "../../src/bson.rs"]
#[allow(dead_code)]
mod bson;
mod hostile;
#[path = "../../src/json.rs"]
#[allow(dead_code)]
mod json;
mod login;
mod lookups;
mod query;
mod server;
mod several;
mod table;
mod texts;
mod tls;
