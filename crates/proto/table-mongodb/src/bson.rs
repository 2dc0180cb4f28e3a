//! Documents in the form that travels, BSON.

/// A document that is being written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Document(Vec<u8>);

/// Kinds of elements.
pub(crate) mod kind {
    pub(crate) const DOUBLE: u8 = 1;
    pub(crate) const STRING: u8 = 2;
    pub(crate) const DOCUMENT: u8 = 3;
    pub(crate) const ARRAY: u8 = 4;
    pub(crate) const BINARY: u8 = 5;
    pub(crate) const UNDEFINED: u8 = 6;
    pub(crate) const OBJECT_ID: u8 = 7;
    pub(crate) const BOOLEAN: u8 = 8;
    pub(crate) const DATE: u8 = 9;
    pub(crate) const NULL: u8 = 10;
    pub(crate) const REGEX: u8 = 11;
    pub(crate) const DB_POINTER: u8 = 12;
    pub(crate) const CODE: u8 = 13;
    pub(crate) const SYMBOL: u8 = 14;
    pub(crate) const CODE_WITH_SCOPE: u8 = 15;
    pub(crate) const INT32: u8 = 16;
    pub(crate) const TIMESTAMP: u8 = 17;
    pub(crate) const INT64: u8 = 18;
    pub(crate) const DECIMAL128: u8 = 19;
    pub(crate) const MAX_KEY: u8 = 127;
    pub(crate) const MIN_KEY: u8 = 255;
}

impl Document {
    /// No elements.
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends an element whose contents are complete. A name ends where it has a NUL.
    pub(crate) fn raw(&mut self, kind: u8, name: &str, contents: &[u8]) -> &mut Self {
        self.0.push(kind);
        cstring(name, &mut self.0);
        self.0.extend_from_slice(contents);
        self
    }

    pub(crate) fn string(&mut self, name: &str, text: &str) -> &mut Self {
        self.raw(kind::STRING, name, &string(text))
    }

    pub(crate) fn int32(&mut self, name: &str, number: i32) -> &mut Self {
        self.raw(kind::INT32, name, &number.to_le_bytes())
    }

    pub(crate) fn int64(&mut self, name: &str, number: i64) -> &mut Self {
        self.raw(kind::INT64, name, &number.to_le_bytes())
    }

    pub(crate) fn boolean(&mut self, name: &str, is_so: bool) -> &mut Self {
        self.raw(kind::BOOLEAN, name, &[u8::from(is_so)])
    }

    pub(crate) fn binary(&mut self, name: &str, subtype: u8, bytes: &[u8]) -> &mut Self {
        let contents = [&length(bytes.len()), &[subtype][..], bytes].concat();
        self.raw(kind::BINARY, name, &contents)
    }

    pub(crate) fn document(&mut self, name: &str, inner: &Self) -> &mut Self {
        self.raw(kind::DOCUMENT, name, &inner.bytes())
    }

    /// Appends an array: a document whose names are the numbers from 0.
    pub(crate) fn array(&mut self, name: &str, inner: &Self) -> &mut Self {
        self.raw(kind::ARRAY, name, &inner.bytes())
    }

    /// As it travels.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [&length(self.0.len() + 5)[..], &self.0, &[0]].concat()
    }
}

/// A text with its length.
pub(crate) fn string(text: &str) -> Vec<u8> {
    [&length(text.len() + 1)[..], text.as_bytes(), &[0]].concat()
}

/// Appends a text up to a NUL, and one.
pub(crate) fn cstring(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend(text.bytes().take_while(|&byte| byte != 0).chain([0]));
}

/// Lengths that do not fit are those of no query that could be sent.
fn length(length: usize) -> [u8; 4] {
    i32::try_from(length).unwrap_or(i32::MAX).to_le_bytes()
}

/// Bytes that are no document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed;

/// The elements of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elements<'a>(&'a [u8]);

/// An element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) name: &'a [u8],
    /// One of [`kind`].
    pub(crate) kind: u8,
    pub(crate) value: Value<'a>,
}

/// The value of an element.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// A text, which may not be UTF-8.
    String(&'a [u8]),
    Int(i64),
    Double(f64),
    Boolean(bool),
    Binary(&'a [u8]),
    Document(Elements<'a>),
    Array(Elements<'a>),
    /// Something that nobody here asks about.
    Other,
}

impl<'a> Elements<'a> {
    /// A document that fills the bytes. What is in it is looked at as it is read.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (document, rest) = split_document(bytes)?;
        if rest.is_empty() { Ok(document) } else { Err(Malformed) }
    }

    /// The first element of that name.
    pub(crate) fn find(self, name: &str) -> Result<Option<Value<'a>>, Malformed> {
        for element in self {
            let element = element?;
            if element.name == name.as_bytes() {
                return Ok(Some(element.value));
            }
        }
        Ok(None)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let element = split_element(self.0);
        self.0 = element.as_ref().map_or(&[], |(_, rest)| rest);
        Some(element.map(|(element, _)| element))
    }
}

impl<'a> Value<'a> {
    /// A number, whatever kind of number it is.
    pub(crate) fn number(self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(number),
            // Servers of old answer with `ok: 1.0`, and codes are small.
            #[allow(clippy::cast_possible_truncation)]
            Self::Double(number) if number.abs() < 9e15 => Some(number as i64),
            Self::Boolean(is_so) => Some(i64::from(is_so)),
            _ => None,
        }
    }

    /// A text that is UTF-8.
    pub(crate) fn text(self) -> Option<&'a str> {
        match self {
            Self::String(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), Malformed> {
    bytes.split_at_checked(at).ok_or(Malformed)
}

fn split_array<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), Malformed> {
    bytes.split_first_chunk().map(|(array, rest)| (*array, rest)).ok_or(Malformed)
}

fn split_length(bytes: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let (length, rest) = split_array(bytes)?;
    Ok((usize::try_from(i32::from_le_bytes(length)).map_err(|_| Malformed)?, rest))
}

fn split_cstring(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let end = bytes.iter().position(|&byte| byte == 0).ok_or(Malformed)?;
    let (text, rest) = split(bytes, end)?;
    Ok((text, rest.get(1..).unwrap_or_default()))
}

fn split_string(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (length, rest) = split_length(bytes)?;
    let (text, rest) = split(rest, length)?;
    Ok((text.strip_suffix(&[0]).ok_or(Malformed)?, rest))
}

fn split_document(bytes: &[u8]) -> Result<(Elements<'_>, &[u8]), Malformed> {
    let (length, _) = split_length(bytes)?;
    let (document, rest) = split(bytes, length)?;
    let inner = document.get(4..).and_then(|inner| inner.strip_suffix(&[0]));
    Ok((Elements(inner.ok_or(Malformed)?), rest))
}

fn split_element(bytes: &[u8]) -> Result<(Element<'_>, &[u8]), Malformed> {
    let (&kind, rest) = bytes.split_first().ok_or(Malformed)?;
    let (name, rest) = split_cstring(rest)?;
    let skip = |length: usize| split(rest, length).map(|(_, rest)| (Value::Other, rest));
    let (value, rest) = match kind {
        kind::DOUBLE => {
            split_array(rest).map(|(bytes, rest)| (Value::Double(f64::from_le_bytes(bytes)), rest))?
        }
        kind::STRING => split_string(rest).map(|(text, rest)| (Value::String(text), rest))?,
        kind::DOCUMENT => split_document(rest).map(|(inner, rest)| (Value::Document(inner), rest))?,
        kind::ARRAY => split_document(rest).map(|(inner, rest)| (Value::Array(inner), rest))?,
        kind::BINARY => {
            let (length, rest) = split_length(rest)?;
            let (_, rest) = split(rest, 1)?;
            split(rest, length).map(|(bytes, rest)| (Value::Binary(bytes), rest))?
        }
        kind::BOOLEAN => split_array(rest).map(|([byte], rest)| (Value::Boolean(byte != 0), rest))?,
        kind::INT32 => {
            split_array(rest).map(|(bytes, rest)| (Value::Int(i32::from_le_bytes(bytes).into()), rest))?
        }
        kind::INT64 => {
            split_array(rest).map(|(bytes, rest)| (Value::Int(i64::from_le_bytes(bytes)), rest))?
        }
        kind::UNDEFINED | kind::NULL | kind::MIN_KEY | kind::MAX_KEY => (Value::Other, rest),
        kind::DATE | kind::TIMESTAMP => skip(8)?,
        kind::OBJECT_ID => skip(12)?,
        kind::DECIMAL128 => skip(16)?,
        kind::CODE | kind::SYMBOL => (Value::Other, split_string(rest)?.1),
        kind::DB_POINTER => (Value::Other, split(split_string(rest)?.1, 12)?.1),
        kind::REGEX => (Value::Other, split_cstring(split_cstring(rest)?.1)?.1),
        kind::CODE_WITH_SCOPE => {
            let (length, _) = split_length(rest)?;
            if length < 14 {
                return Err(Malformed);
            }
            skip(length)?
        }
        _ => return Err(Malformed),
    };
    Ok((Element { name, kind, value }, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads everything, to the bottom; how many elements there are.
    fn walk(elements: Elements<'_>, depth: usize) -> Result<usize, Malformed> {
        let mut count = 0;
        for element in elements {
            count += 1;
            match element?.value {
                Value::Document(inner) | Value::Array(inner) if depth > 0 => count += walk(inner, depth - 1)?,
                _ => {}
            }
        }
        Ok(count)
    }

    #[test]
    fn as_the_specification_shows() {
        let mut document = Document::new();
        document.string("hello", "world");
        assert_eq!(document.bytes(), b"\x16\0\0\0\x02hello\0\x06\0\0\0world\0\0");
        let mut list = Document::new();
        list.string("0", "awesome").raw(kind::DOUBLE, "1", &5.05f64.to_le_bytes()).int32("2", 1986);
        let mut document = Document::new();
        document.array("BSON", &list);
        assert_eq!(
            document.bytes(),
            b"\x31\0\0\0\x04BSON\0\x26\0\0\0\x020\0\x08\0\0\0awesome\0\x011\0\x33\x33\x33\x33\x33\x33\x14\x40\x102\0\xc2\x07\0\0\0\0"
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let mut inner = Document::new();
        inner.int32("a", -7).int64("b", i64::MIN).boolean("c", true);
        let mut document = Document::new();
        document.string("s", "ü\0x").document("d", &inner).array("l", &inner).binary("x", 0, b"\0\xff");
        for (kind, contents) in [
            (kind::UNDEFINED, &b""[..]),
            (kind::OBJECT_ID, &[1; 12]),
            (kind::DATE, &[2; 8]),
            (kind::NULL, b""),
            (kind::REGEX, b"a.*\0i\0"),
            (kind::DB_POINTER, b"\x02\0\0\0a\x00123456789012"),
            (kind::CODE, b"\x02\0\0\0a\0"),
            (kind::SYMBOL, b"\x02\0\0\0a\0"),
            (kind::CODE_WITH_SCOPE, b"\x0f\0\0\0\x02\0\0\0a\0\x05\0\0\0\0"),
            (kind::TIMESTAMP, &[3; 8]),
            (kind::DECIMAL128, &[4; 16]),
            (kind::MAX_KEY, b""),
            (kind::MIN_KEY, b""),
        ] {
            document.raw(kind, "o", contents);
        }
        document.int32("last", 1);
        let bytes = document.bytes();
        let elements = Elements::read(&bytes).unwrap();
        assert_eq!(walk(elements, 9), Ok(18 + 6));
        assert!(matches!(elements.find("s"), Ok(Some(Value::String(text))) if text == "ü\0x".as_bytes()));
        assert!(matches!(elements.find("x"), Ok(Some(Value::Binary(b"\0\xff")))));
        assert!(matches!(elements.find("last"), Ok(Some(Value::Int(1)))));
        assert!(matches!(elements.find("none"), Ok(None)));
        let Ok(Some(Value::Document(inner))) = elements.find("d") else { panic!() };
        assert!(matches!(inner.find("b"), Ok(Some(Value::Int(i64::MIN)))));
        // Whatever is missing at the end, it is noticed.
        for end in 0..bytes.len() {
            assert!(Elements::read(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn no_documents() {
        for bytes in [
            &b""[..],
            b"\x05\0\0\0",
            b"\x04\0\0\0\0",
            b"\xff\xff\xff\xff\0",
            b"\xff\xff\xff\x7f\0",
            b"\0\0\0\0\0",
            b"\x05\0\0\0\x01",
            b"\x05\0\0\0\0x",
        ] {
            assert!(Elements::read(bytes).is_err(), "{bytes:?}");
        }
        for element in [
            &b"\x02a\0\0\0\0\0"[..],
            b"\x02a\0\xff\xff\xff\xff",
            b"\x02a\0\x02\0\0\0ab",
            b"\x02a",
            b"\x03a\0\x04\0\0\0",
            b"\x05a\0\x09\0\0\0\0a",
            b"\x0ba\0a\0i",
            b"\x0fa\0\x0d\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\x10a\0\0\0",
            b"\x14a\0",
        ] {
            let bytes = Document(element.to_vec()).bytes();
            assert!(walk(Elements::read(&bytes).unwrap(), 9).is_err(), "{element:?}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Document(bytes).bytes();
            let _read = walk(Elements::read(&bytes).unwrap(), 9);
        }
    }
}
