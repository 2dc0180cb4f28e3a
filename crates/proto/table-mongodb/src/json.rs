//! Extended JSON, as it stands in settings, to BSON.
//!
//! Both forms of MongoDB's extended JSON are understood (`{"$numberLong": "7"}`, `{"$oid": "..."}`, `{"$date": ...}` and
//! so on). Members keep their order, which matters where a whole document is compared.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_core::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::bson::{self, Document, kind};

/// How deep documents may be nested. Servers allow 100.
const DEPTH: usize = 100;

/// JSON, as it is written.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Json {
    Null,
    Boolean(bool),
    Int(i64),
    Double(f64),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// A document of its text. The error is for people.
pub(crate) fn document(text: &[u8]) -> Result<Document, String> {
    let json: Json = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let Json::Object(members) = json else { return Err("a document begins with \"{\"".to_owned()) };
    members_of(&members, 0)
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, is_so: bool) -> Result<Json, E> {
        Ok(Json::Boolean(is_so))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json, E> {
        let number = i64::try_from(number);
        number.map(Json::Int).map_err(|_| E::custom("number is out of range"))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Double(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Json, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = values.next_element()? {
            all.push(value);
        }
        Ok(Json::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut all: Vec<(String, Json)> = Vec::new();
        while let Some((name, value)) = members.next_entry::<String, Json>()? {
            if name.contains('\0') {
                return Err(A::Error::custom("a name with a NUL"));
            }
            all.push((name, value));
        }
        Ok(Json::Object(all))
    }
}

fn members_of(members: &[(String, Json)], depth: usize) -> Result<Document, String> {
    let mut document = Document::new();
    for (name, value) in members {
        append(&mut document, name, value, depth)?;
    }
    Ok(document)
}

fn append(document: &mut Document, name: &str, value: &Json, depth: usize) -> Result<(), String> {
    if depth >= DEPTH {
        return Err("nested too deep".to_owned());
    }
    match value {
        Json::Null => document.raw(kind::NULL, name, &[]),
        Json::Boolean(is_so) => document.boolean(name, *is_so),
        Json::Int(number) => match i32::try_from(*number) {
            Ok(number) => document.int32(name, number),
            Err(_) => document.int64(name, *number),
        },
        Json::Double(number) => document.raw(kind::DOUBLE, name, &number.to_le_bytes()),
        Json::String(text) => document.string(name, text),
        Json::Array(values) => {
            let mut inner = Document::new();
            for (at, value) in values.iter().enumerate() {
                append(&mut inner, &at.to_string(), value, depth + 1)?;
            }
            document.array(name, &inner)
        }
        Json::Object(members) => match special(members)? {
            Some((kind, contents)) => document.raw(kind, name, &contents),
            None => document.document(name, &members_of(members, depth + 1)?),
        },
    };
    Ok(())
}

/// What an object such as `{"$oid": "..."}` stands for: nothing when it is just an object, among them those with
/// operators.
fn special(members: &[(String, Json)]) -> Result<Option<(u8, Vec<u8>)>, String> {
    let named = pairs(members);
    let found = match named.as_slice() {
        [("$oid", Json::String(text))] => {
            let bytes = hexadecimal(text).filter(|bytes| bytes.len() == 12);
            (kind::OBJECT_ID, bytes.ok_or_else(|| bad("$oid"))?)
        }
        [("$symbol", Json::String(text))] => (kind::SYMBOL, bson::string(text)),
        [("$numberInt", Json::String(text))] => {
            (kind::INT32, parsed::<i32>("$numberInt", text)?.to_le_bytes().into())
        }
        [("$numberLong", Json::String(text))] => {
            (kind::INT64, parsed::<i64>("$numberLong", text)?.to_le_bytes().into())
        }
        [("$numberLong", Json::Int(number))] => (kind::INT64, number.to_le_bytes().into()),
        [("$numberDouble", Json::String(text))] => {
            (kind::DOUBLE, parsed::<f64>("$numberDouble", text)?.to_le_bytes().into())
        }
        [("$date", date)] => (kind::DATE, milliseconds(date)?.to_le_bytes().into()),
        [("$minKey", Json::Int(1))] => (kind::MIN_KEY, Vec::new()),
        [("$maxKey", Json::Int(1))] => (kind::MAX_KEY, Vec::new()),
        [("$undefined", Json::Boolean(true))] => (kind::UNDEFINED, Vec::new()),
        [("$regularExpression", Json::Object(inner))] => match pairs(inner).as_slice() {
            [("pattern", Json::String(pattern)), ("options", Json::String(options))]
            | [("options", Json::String(options)), ("pattern", Json::String(pattern))] => {
                (kind::REGEX, regex(pattern, options)?)
            }
            _ => return Err(bad("$regularExpression")),
        },
        // As an operator it would mean the same, but not in a list.
        [("$regex", Json::String(pattern)), ("$options", Json::String(options))]
        | [("$options", Json::String(options)), ("$regex", Json::String(pattern))] => {
            (kind::REGEX, regex(pattern, options)?)
        }
        [("$binary", Json::Object(inner))] => match pairs(inner).as_slice() {
            [("base64", Json::String(data)), ("subType", Json::String(subtype))]
            | [("subType", Json::String(subtype)), ("base64", Json::String(data))] => {
                (kind::BINARY, binary(data, subtype)?)
            }
            _ => return Err(bad("$binary")),
        },
        [("$binary", Json::String(data)), ("$type", Json::String(subtype))]
        | [("$type", Json::String(subtype)), ("$binary", Json::String(data))] => {
            (kind::BINARY, binary(data, subtype)?)
        }
        [("$uuid", Json::String(text))] => {
            let bytes = hexadecimal(&text.replace('-', "")).filter(|bytes| bytes.len() == 16);
            let bytes = bytes.ok_or_else(|| bad("$uuid"))?;
            (kind::BINARY, [&16i32.to_le_bytes()[..], &[4], &bytes].concat())
        }
        [("$timestamp", Json::Object(inner))] => {
            let ([("t", Json::Int(time)), ("i", Json::Int(count))]
            | [("i", Json::Int(count)), ("t", Json::Int(time))]) = pairs(inner).as_slice()
            else {
                return Err(bad("$timestamp"));
            };
            let half = |number: i64| u32::try_from(number).map_err(|_| bad("$timestamp"));
            (kind::TIMESTAMP, [half(*count)?.to_le_bytes(), half(*time)?.to_le_bytes()].concat())
        }
        [("$numberDecimal" | "$code" | "$scope" | "$dbPointer", _), ..] => {
            let name = named.first().map_or("", |(name, _)| name);
            return Err(format!("\"{name}\" is not supported"));
        }
        _ => return Ok(None),
    };
    Ok(Some(found))
}

/// In a form that patterns can look into.
fn pairs(members: &[(String, Json)]) -> Vec<(&str, &Json)> {
    members.iter().map(|(name, value)| (name.as_str(), value)).collect()
}

fn bad(name: &str) -> String {
    format!("a wrong value of \"{name}\"")
}

fn parsed<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| bad(name))
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|char| char.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

fn regex(pattern: &str, options: &str) -> Result<Vec<u8>, String> {
    if pattern.contains('\0') || options.contains('\0') {
        return Err(bad("$regex"));
    }
    // They travel in the order of the alphabet.
    let mut options: Vec<char> = options.chars().collect();
    options.sort_unstable();
    let mut contents = Vec::new();
    bson::cstring(pattern, &mut contents);
    bson::cstring(&options.into_iter().collect::<String>(), &mut contents);
    Ok(contents)
}

fn binary(data: &str, subtype: &str) -> Result<Vec<u8>, String> {
    let data = STANDARD.decode(data).map_err(|_| bad("$binary"))?;
    let subtype = u8::from_str_radix(subtype, 16).map_err(|_| bad("$binary"))?;
    let length = i32::try_from(data.len()).map_err(|_| bad("$binary"))?;
    Ok([&length.to_le_bytes()[..], &[subtype], &data].concat())
}

/// A point in time: a number, `{"$numberLong": "..."}`, or `2026-01-02T03:04:05.678Z`.
fn milliseconds(date: &Json) -> Result<i64, String> {
    match date {
        Json::Int(number) => Ok(*number),
        Json::Object(members) => match members.as_slice() {
            [(name, Json::String(text))] if name == "$numberLong" => parsed("$date", text),
            _ => Err(bad("$date")),
        },
        Json::String(text) => since_1970(text).ok_or_else(|| bad("$date")),
        _ => Err(bad("$date")),
    }
}

fn since_1970(text: &str) -> Option<i64> {
    let (day, time) = text.split_once('T')?;
    let mut parts = day.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let at = time.find(['Z', '+', '-'])?;
    let (time, zone) = time.split_at(at);
    let east = match zone {
        "Z" => 0,
        zone => {
            let (sign, digits) = zone.split_at(1);
            let digits = digits.replace(':', "");
            let number = Some(digits).filter(|digits| digits.len() == 4)?.parse::<i64>().ok()?;
            let minutes = number / 100 * 60 + number % 100;
            if sign == "-" { -minutes } else { minutes }
        }
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let fraction = format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?;
    let mut parts = time.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let is_date = (0..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let is_time = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    if !is_date || !is_time || fraction < 0 {
        return None;
    }
    // Days since 1 March of the year 0, so that a leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + hour) * 60 + minute - east) * 60 + second) * 1000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Result<Vec<u8>, String> {
        document(text.as_bytes()).map(|document| document.bytes())
    }

    #[test]
    fn documents() {
        let mut list = Document::new();
        list.string("0", "x").raw(kind::NULL, "1", &[]);
        let mut inner = Document::new();
        inner.array("$in", &list);
        let mut want = Document::new();
        want.int32("z", 1).boolean("b", false).document("a", &inner).int64("n", 1 << 40);
        want.raw(kind::DOUBLE, "d", &1.5f64.to_le_bytes()).string("u", "ü\"\\\u{0}");
        let text = r#" {"z": 1, "b": false, "a": {"$in": ["x", null]}, "n": 1099511627776, "d": 1.5, "u": "\u00fc\"\\\u0000"} "#;
        assert_eq!(bytes(text), Ok(want.bytes()));
        assert_eq!(bytes("{}"), Ok(Document::new().bytes()));
    }

    #[test]
    fn extended() {
        let one = |text: &str| {
            let bytes = bytes(&format!("{{\"a\": {text}}}"))?;
            Ok::<_, String>((bytes[4], bytes[7..bytes.len() - 1].to_vec()))
        };
        for (text, kind, contents) in [
            (
                r#"{"$oid": "0102030405060708090a0B0c"}"#,
                kind::OBJECT_ID,
                &b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c"[..],
            ),
            (r#"{"$numberInt": "-2"}"#, kind::INT32, b"\xfe\xff\xff\xff"),
            (r#"{"$numberLong": "2"}"#, kind::INT64, b"\x02\0\0\0\0\0\0\0"),
            (r#"{"$numberDouble": "0"}"#, kind::DOUBLE, &[0; 8]),
            (r#"{"$date": "1970-01-01T00:00:01.5Z"}"#, kind::DATE, b"\xdc\x05\0\0\0\0\0\0"),
            (r#"{"$date": {"$numberLong": "5"}}"#, kind::DATE, b"\x05\0\0\0\0\0\0\0"),
            (r#"{"$date": 5}"#, kind::DATE, b"\x05\0\0\0\0\0\0\0"),
            (r#"{"$regex": "^a", "$options": "xi"}"#, kind::REGEX, b"^a\0ix\0"),
            (r#"{"$regularExpression": {"pattern": "^a", "options": ""}}"#, kind::REGEX, b"^a\0\0"),
            (r#"{"$binary": {"base64": "AP8=", "subType": "80"}}"#, kind::BINARY, b"\x02\0\0\0\x80\0\xff"),
            (r#"{"$binary": "AP8=", "$type": "00"}"#, kind::BINARY, b"\x02\0\0\0\0\0\xff"),
            (
                r#"{"$uuid": "00010203-0405-0607-0809-0a0b0c0d0e0f"}"#,
                kind::BINARY,
                b"\x10\0\0\0\x04\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f",
            ),
            (r#"{"$timestamp": {"t": 2, "i": 1}}"#, kind::TIMESTAMP, b"\x01\0\0\0\x02\0\0\0"),
            (r#"{"$minKey": 1}"#, kind::MIN_KEY, b""),
            (r#"{"$maxKey": 1}"#, kind::MAX_KEY, b""),
            (r#"{"$undefined": true}"#, kind::UNDEFINED, b""),
            (r#"{"$symbol": "a"}"#, kind::SYMBOL, b"\x02\0\0\0a\0"),
        ] {
            assert_eq!(one(text), Ok((kind, contents.to_vec())), "{text}");
        }
        // Operators.
        for text in
            [r#"{"$regex": "a"}"#, r#"{"$ne": 1}"#, r#"{"$type": "string"}"#, r#"{"$type": 2, "$ne": 1}"#]
        {
            assert_eq!(one(text).unwrap().0, kind::DOCUMENT, "{text}");
        }
    }

    /// As MongoDB's own library for Python has it.
    #[test]
    fn as_elsewhere() {
        for (text, want) in [
            (r#"{}"#, "0500000000"),
            (
                r#"{"$or": [{"username": "a@b"}, {"alias.address": "a@b"}], "active": 1}"#,
                "5400000004246f72003e0000000330001700000002757365726e616d65000400000061406200000331001c00000002616c6961732e61646472657373000400000061406200000010616374697665000100000000",
            ),
            (
                r#"{"a": {"$in": ["x", 1, null, true, 2.5, -1, 4294967296]}, "b": {"c": {"d": []}}}"#,
                "63000000036100430000000424696e0039000000023000020000007800103100010000000a3200083300010134000000000000000440103500ffffffff12360000000000010000000000036200150000000363000d0000000464000500000000000000",
            ),
            (r#"{"t": "\u00fc\n\"\\\u0000x"}"#, "1400000002740008000000c3bc0a225c00780000"),
            (
                r#"{"id": {"$oid": "0123456789abcdef01234567"}, "n": {"$numberLong": "-7"}, "i": {"$numberInt": "7"}, "f": {"$numberDouble": "-0.5"}}"#,
                "32000000076964000123456789abcdef01234567126e00f9ffffffffffffff10690007000000016600000000000000e0bf00",
            ),
            (
                r#"{"d": {"$date": "2026-11-28T14:21:19.25Z"}, "e": {"$date": {"$numberLong": "-1"}}}"#,
                "1b000000096400122c8822a2010000096500ffffffffffffffff00",
            ),
            (
                r#"{"r": {"$regex": "^a", "$options": "si"}, "q": {"$regularExpression": {"pattern": "b$", "options": ""}}}"#,
                "150000000b72005e61006973000b71006224000000",
            ),
            (
                r#"{"list": [{"$regex": "^a", "$options": "i"}]}"#,
                "18000000046c697374000d0000000b30005e610069000000",
            ),
            (
                r#"{"x": {"$binary": {"base64": "AAEC/w==", "subType": "00"}}, "u": {"$uuid": "00112233-4455-6677-8899-aabbccddeeff"}}"#,
                "290000000578000400000000000102ff057500100000000400112233445566778899aabbccddeeff00",
            ),
            (
                r#"{"ts": {"$timestamp": {"t": 42, "i": 1}}, "lo": {"$minKey": 1}, "hi": {"$maxKey": 1}}"#,
                "1900000011747300010000002a000000ff6c6f007f68690000",
            ),
            (
                r#"{"a": {"$exists": true}, "b": {"$not": {"$eq": "x"}}, "c": {"$elemMatch": {"x": 1, "y": {"$gt": 2}}}}"#,
                "660000000361000f00000008246578697374730001000362001b00000003246e6f740010000000022465710002000000780000000363002e0000000324656c656d4d61746368001d000000107800010000000379000e00000010246774000200000000000000",
            ),
        ] {
            let bytes = bytes(text).unwrap();
            let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hexadecimal, want, "{text}");
        }
    }

    #[test]
    fn dates() {
        for (text, want) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-28T14:21:19.250Z", Some(1_795_875_679_250)),
            ("2000-02-29T23:59:59+01:00", Some(951_865_199_000)),
            ("1969-12-31T23:59:59.999-0000", Some(-1)),
            ("2000-13-01T00:00:00Z", None),
            ("2000-01-01", None),
            ("2000-01-01T00:00:00", None),
            ("x", None),
        ] {
            assert_eq!(since_1970(text), want, "{text}");
        }
    }

    #[test]
    fn nonsense() {
        for text in [
            "",
            "[]",
            "1",
            "{",
            "{'a': 1}",
            "{a: 1}",
            r#"{"a": 1} x"#,
            r#"{"a": "\x"}"#,
            r#"{"a\u0000b": 1}"#,
            r#"{"a": 18446744073709551615}"#,
            r#"{"a": {"$oid": "01"}}"#,
            r#"{"a": {"$oid": "0102030405060708090a0b0ü"}}"#,
            r#"{"a": {"$numberLong": "x"}}"#,
            r#"{"a": {"$numberDecimal": "1"}}"#,
            r#"{"a": {"$date": []}}"#,
            r#"{"a": {"$regex": "a\u0000", "$options": ""}}"#,
        ] {
            assert!(bytes(text).is_err(), "{text}");
        }
        assert!(document(b"{\"a\": \"\xff\"}").is_err());
        let deep = |depth: usize| format!("{{\"a\": {}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(bytes(&deep(90)).is_ok());
        assert!(bytes(&deep(110)).is_err());
        assert!(bytes(&deep(100_000)).is_err());
    }
}
