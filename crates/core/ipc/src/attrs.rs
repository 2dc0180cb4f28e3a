//! A list of named values as it travels.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::memchr::memchr;

use crate::{Error, Result};

/// An attribute list, kept in its wire form: `name NUL value NUL ...`, without the NUL that ends the list.
///
/// Values cannot hold a NUL; one that does is cut there, as a C string would be.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Attrs {
    wire: Vec<u8>,
    /// Where each attribute lies in it, so that who asks for twenty names in turn does not search the bytes as often.
    places: Vec<Place>,
}

/// Where a name begins, and where the NULs after it and after its value are.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    name: usize,
    name_end: usize,
    value_end: usize,
}

impl Attrs {
    /// An empty list.
    pub fn new() -> Self {
        Self { wire: Vec::with_capacity(256), places: Vec::with_capacity(8) }
    }

    /// The list with a text value added.
    #[must_use]
    pub fn str(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.push(name, value.as_ref());
        self
    }

    /// The list with a number added.
    #[must_use]
    pub fn int(mut self, name: &str, value: impl Into<i64>) -> Self {
        self.push_number(name, value.into());
        self
    }

    /// The list with binary data added, which travels as base64.
    #[must_use]
    pub fn data(mut self, name: &str, value: &[u8]) -> Self {
        self.push(name, BASE64.encode(value).as_bytes());
        self
    }

    /// The list with the attributes of a compound value added.
    #[must_use]
    pub fn with(mut self, add: impl FnOnce(&mut Self)) -> Self {
        add(&mut self);
        self
    }

    /// Adds a text value.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        let value = memchr(0, value).and_then(|end| value.get(..end)).unwrap_or(value);
        let start = self.wire.len();
        self.wire.extend_from_slice(name.as_bytes());
        let name_end = self.wire.len();
        self.wire.push(0);
        self.wire.extend_from_slice(value);
        let value_end = self.wire.len();
        self.wire.push(0);
        self.places.push(Place { name: start, name_end, value_end });
    }

    /// Adds a number. Negative ones travel as 32-bit two's complement, which is how Postfix prints an `int`.
    pub fn push_number(&mut self, name: &str, value: i64) {
        let text = if value < 0 { (value as i32 as u32).to_string() } else { value.to_string() };
        self.push(name, text.as_bytes());
    }

    /// The first value of that name.
    pub fn text(&self, name: &'static str) -> Result<&[u8]> {
        self.find(name).ok_or(Error::Missing(name))
    }

    /// The first value of that name as a number; the inverse of [`push_number`](Self::push_number).
    pub fn number(&self, name: &'static str) -> Result<i64> {
        let text = self.text(name)?;
        let (negative, digits) = match text.strip_prefix(b"-") {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let value: i64 = bytes::decimal(digits).ok_or(Error::Malformed(name))?;
        Ok(if negative { -value } else { value })
    }

    /// A number that Postfix holds in a signed 32-bit `int`.
    pub fn int32(&self, name: &'static str) -> Result<i32> {
        let value = self.number(name)?;
        if let Ok(unsigned) = u32::try_from(value) {
            return Ok(unsigned as i32);
        }
        i32::try_from(value).map_err(|_| Error::Malformed(name))
    }

    /// A set of flag bits.
    pub fn flags(&self, name: &'static str) -> Result<u32> {
        Ok(self.int32(name)? as u32)
    }

    /// Binary data that travelled as base64.
    pub fn decoded(&self, name: &'static str) -> Result<Vec<u8>> {
        BASE64.decode(self.text(name)?).map_err(|_| Error::Malformed(name))
    }

    /// The first value of that name, if there is one.
    pub fn find(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }

    /// All names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.places.iter().filter_map(|place| {
            let name = self.wire.get(place.name..place.name_end)?;
            Some((name, self.wire.get(place.name_end + 1..place.value_end)?))
        })
    }

    /// Whether there is no attribute at all.
    pub fn is_empty(&self) -> bool {
        self.wire.is_empty()
    }

    /// Appends the wire form, with the NUL that ends the list.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.wire);
        out.push(0);
    }

    /// Takes the first list off the front of `input`: the list and how many bytes it took, or `None` when more is needed.
    ///
    /// A name or value longer than `limit` is an error.
    pub fn parse(input: &[u8], limit: usize) -> Result<Option<(Self, usize)>> {
        let mut at = 0;
        let mut places = Vec::with_capacity(8);
        loop {
            let Some(rest) = input.get(at..) else { return Ok(None) };
            let Some(name) = field(rest, limit)? else { return Ok(None) };
            if name == 0 {
                let wire = input.get(..at).unwrap_or_default().to_vec();
                return Ok(Some((Self { wire, places }, at + 1)));
            }
            let Some(value) = field(rest.get(name + 1..).unwrap_or_default(), limit)? else {
                return Ok(None);
            };
            let name_end = at + name;
            let value_end = name_end + 1 + value;
            places.push(Place { name: at, name_end, value_end });
            at = value_end + 1;
        }
    }
}

fn field(rest: &[u8], limit: usize) -> Result<Option<usize>> {
    let length = memchr(0, rest);
    if length.unwrap_or(rest.len()) > limit {
        return Err(Error::TooLong(limit));
    }
    Ok(length)
}

impl std::fmt::Debug for Attrs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(name, value)| (bytes::show(name).to_string(), bytes::show(value).to_string())),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form_is_postfixs() {
        let mut out = Vec::new();
        Attrs::new().str("request", "connect").int("flags", -1).write_to(&mut out);
        assert_eq!(out, b"request\0connect\0flags\x004294967295\0\0");
    }

    #[test]
    fn parses_whole_lists_only() {
        let wire = b"status\x004294967295\0a\0\0\0next";
        for cut in 0..21 {
            assert!(Attrs::parse(&wire[..cut], 100).unwrap().is_none(), "{cut}");
        }
        let (attrs, used) = Attrs::parse(wire, 100).unwrap().unwrap();
        assert_eq!((used, attrs.int32("status").unwrap(), attrs.text("a").unwrap()), (22, -1, &b""[..]));
        assert!(matches!(attrs.text("b"), Err(Error::Missing("b"))));
    }

    #[test]
    fn limits_hold() {
        assert!(matches!(Attrs::parse(&[b'x'; 200], 100), Err(Error::TooLong(100))));
    }
}
