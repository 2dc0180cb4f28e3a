//! Messages to and from a server (RFC 4511).

use crate::ber::{ENUMERATED, INTEGER, Malformed, OCTETS, Reader, SEQUENCE, Writer};
use crate::code::Code;
use crate::filter;
use crate::search::{Attribute, Entry, Scope, Search};

const BIND: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const UNBIND: u8 = 0x42;
const SEARCH: u8 = 0x63;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const EXTENDED: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
const INTERMEDIATE_RESPONSE: u8 = 0x79;

const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// How to say who we are.
#[derive(Clone, Copy)]
pub(crate) enum Credentials<'a> {
    Simple { password: &'a [u8] },
    Sasl { mechanism: &'a str, initial: Option<&'a [u8]> },
}

/// What a server says.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Response {
    /// One of the entries that were found.
    Entry(Entry),
    /// Where there may be more.
    Reference(Vec<Vec<u8>>),
    /// The end of an operation.
    Done { code: Code, referral: Vec<Vec<u8>> },
    /// Something that matters to nobody here.
    Other,
}

/// A request to bind.
pub(crate) fn bind(id: u32, version: u32, name: &[u8], credentials: Credentials<'_>) -> Vec<u8> {
    message(id, |writer| {
        writer.nested(BIND, |bind| {
            bind.number(INTEGER, version);
            bind.value(OCTETS, name);
            match credentials {
                Credentials::Simple { password } => bind.value(0x80, password),
                Credentials::Sasl { mechanism, initial } => bind.nested(0xa3, |sasl| {
                    sasl.value(OCTETS, mechanism.as_bytes());
                    if let Some(initial) = initial {
                        sasl.value(OCTETS, initial);
                    }
                }),
            }
        });
    })
}

/// A request to encrypt the connection.
pub(crate) fn start_tls(id: u32) -> Vec<u8> {
    message(id, |writer| writer.nested(EXTENDED, |request| request.value(0x80, START_TLS)))
}

/// Goodbye.
pub(crate) fn unbind(id: u32) -> Vec<u8> {
    message(id, |writer| writer.value(UNBIND, b""))
}

/// A search.
pub(crate) fn search(id: u32, search: &Search) -> Result<Vec<u8>, Code> {
    let filter = filter::encode(&search.filter)?;
    let scope = match search.scope {
        Scope::Base => 0,
        Scope::OneLevel => 1,
        Scope::Subtree => 2,
        Scope::Children => 3,
    };
    let limits = search.limits;
    Ok(message(id, |writer| {
        writer.nested(SEARCH, |request| {
            request.value(OCTETS, &search.base);
            request.number(ENUMERATED, scope);
            request.number(ENUMERATED, limits.dereference);
            request.number(INTEGER, limits.size);
            request.number(INTEGER, limits.seconds);
            request.flag(crate::ber::BOOLEAN, false);
            request.append(&filter);
            request.nested(SEQUENCE, |list| {
                search.attributes.iter().for_each(|name| list.value(OCTETS, name.as_bytes()));
            });
        });
    }))
}

fn message(id: u32, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.nested(SEQUENCE, |message| {
        message.number(INTEGER, id);
        write(message);
    });
    writer.finish()
}

/// Reads the contents of a message: the number of the request, 0 when there was none, and the response.
pub(crate) fn read(contents: &[u8]) -> Result<(i32, Response), Malformed> {
    let mut message = Reader(contents);
    let id = message.number(INTEGER)?;
    let (tag, body) = message.any()?.ok_or(Malformed)?;
    let mut body = Reader(body);
    let response = match tag {
        SEARCH_ENTRY => Response::Entry(entry(&mut body)?),
        SEARCH_REFERENCE => Response::Reference(texts(body)?),
        BIND_RESPONSE | SEARCH_DONE | EXTENDED_RESPONSE => {
            let code = Code(body.number(ENUMERATED)?);
            // The entry that comes nearest, and what the server wants to say about it.
            body.value(OCTETS)?;
            body.value(OCTETS)?;
            let referral = match body.any()? {
                Some((0xa3, urls)) => texts(Reader(urls))?,
                _ => Vec::new(),
            };
            Response::Done { code, referral }
        }
        INTERMEDIATE_RESPONSE => Response::Other,
        _ => return Err(Malformed),
    };
    Ok((id, response))
}

fn entry(body: &mut Reader<'_>) -> Result<Entry, Malformed> {
    body.value(OCTETS)?;
    let mut list = Reader(body.value(SEQUENCE)?);
    let mut entry = Entry::default();
    while let Some((tag, attribute)) = list.any()? {
        let mut attribute = Reader(attribute);
        let name = String::from_utf8_lossy(attribute.value(OCTETS)?).into_owned();
        let values = texts(Reader(attribute.value(0x31)?))?;
        if tag != SEQUENCE {
            return Err(Malformed);
        }
        entry.attributes.push(Attribute { name, values });
    }
    Ok(entry)
}

fn texts(mut list: Reader<'_>) -> Result<Vec<Vec<u8>>, Malformed> {
    let mut texts = Vec::new();
    while !list.0.is_empty() {
        texts.push(list.value(OCTETS)?.to_vec());
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Limits;

    #[test]
    fn requests() {
        let simple = bind(1, 3, b"cn=a", Credentials::Simple { password: b"pw" });
        assert_eq!(simple, b"\x30\x12\x02\x01\x01\x60\x0d\x02\x01\x03\x04\x04cn=a\x80\x02pw");
        let sasl = bind(2, 3, b"", Credentials::Sasl { mechanism: "EXTERNAL", initial: Some(b"") });
        assert_eq!(sasl, b"\x30\x18\x02\x01\x02\x60\x13\x02\x01\x03\x04\x00\xa3\x0c\x04\x08EXTERNAL\x04\x00");
        assert_eq!(unbind(3), b"\x30\x05\x02\x01\x03\x42\x00");
        let limits = Limits { dereference: 3, size: 5, seconds: 10 };
        let (base, filter) = (b"dc=x".to_vec(), b"(a=*)".to_vec());
        let attributes = vec!["mail".to_owned()];
        let request = search(4, &Search { base, scope: Scope::Subtree, filter, attributes, limits });
        let want = b"\x30\x25\x02\x01\x04\x63\x20\x04\x04dc=x\x0a\x01\x02\x0a\x01\x03\x02\x01\x05\x02\x01\x0a\x01\x01\x00\x87\x01a\x30\x06\x04\x04mail";
        assert_eq!(request.unwrap(), want);
    }

    #[test]
    fn responses() {
        let entry = b"\x02\x01\x04\x64\x17\x04\x04dc=x\x30\x0f\x30\x0d\x04\x04mail\x31\x05\x04\x01a\x04\x00";
        let want = Attribute { name: "mail".to_owned(), values: vec![b"a".to_vec(), Vec::new()] };
        assert_eq!(read(entry), Ok((4, Response::Entry(Entry { attributes: vec![want] }))));
        let mut broken = entry.to_vec();
        // A value that is longer than the set that it is in.
        broken[23] = 2;
        assert_eq!(read(&broken), Err(Malformed));
        let done = b"\x02\x01\x04\x65\x07\x0a\x01\x20\x04\x00\x04\x00";
        assert_eq!(read(done), Ok((4, Response::Done { code: Code::NO_SUCH_OBJECT, referral: Vec::new() })));
        let referral = b"\x02\x01\x04\x65\x0c\x0a\x01\x0a\x04\x00\x04\x00\xa3\x03\x04\x01u";
        let want = Response::Done { code: Code::REFERRAL, referral: vec![b"u".to_vec()] };
        assert_eq!(read(referral), Ok((4, want)));
        for at in 0..referral.len() {
            assert!(read(&referral[..at]).is_err(), "{at}");
        }
    }
}
