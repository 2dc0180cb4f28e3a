//! A small part of the query language, over documents as they travel.

use crate::bson::{Document, Element, Elements, Value, kind};

/// What a server says to a query that it does not understand.
pub(crate) type Refusal = (i32, String);

/// Whether a document fits a query.
pub(crate) fn fits(query: Elements<'_>, document: Elements<'_>) -> Result<bool, Refusal> {
    for condition in query {
        let condition = condition.unwrap();
        let name = text(condition.name);
        let is_met = match name.as_str() {
            "$or" => parts(condition.value).try_fold(false, |any, part| Ok(any | fits(part, document)?))?,
            "$and" => parts(condition.value).try_fold(true, |all, part| Ok(all & fits(part, document)?))?,
            name if name.starts_with('$') => {
                return Err((2, format!("unknown top level operator: {name}")));
            }
            name => is_met(&at(document, name), &condition)?,
        };
        if !is_met {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_met(found: &[Value<'_>], condition: &Element<'_>) -> Result<bool, Refusal> {
    let equals = |wanted: &Value<'_>| found.iter().any(|value| are_equal(value, wanted));
    let Value::Document(operators) = condition.value else { return Ok(equals(&condition.value)) };
    for operator in operators {
        let operator = operator.unwrap();
        let is_so = match operator.name {
            b"$eq" => equals(&operator.value),
            b"$ne" => !equals(&operator.value),
            b"$in" => match operator.value {
                Value::Array(list) => list.into_iter().any(|wanted| equals(&wanted.unwrap().value)),
                _ => return Err((2, "$in needs an array".to_owned())),
            },
            name => return Err((2, format!("unknown operator: {}", text(name)))),
        };
        if !is_so {
            return Ok(false);
        }
    }
    Ok(true)
}

fn are_equal(value: &Value<'_>, wanted: &Value<'_>) -> bool {
    match (value, wanted) {
        (Value::String(value), Value::String(wanted)) => value == wanted,
        (Value::Int(value), Value::Int(wanted)) => value == wanted,
        (Value::Boolean(value), Value::Boolean(wanted)) => value == wanted,
        (Value::Array(list), wanted) => {
            list.into_iter().any(|value| are_equal(&value.unwrap().value, wanted))
        }
        _ => false,
    }
}

/// The values at a path such as `alias.address`, through arrays.
fn at<'a>(document: Elements<'a>, path: &str) -> Vec<Value<'a>> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(value) = document.find(name).unwrap() else { return Vec::new() };
    match (rest, value) {
        (None, value) => vec![value],
        (Some(rest), Value::Document(inner)) => at(inner, rest),
        (Some(rest), Value::Array(list)) => {
            let inner = list.into_iter().filter_map(|element| match element.unwrap().value {
                Value::Document(inner) => Some(inner),
                _ => None,
            });
            inner.flat_map(|inner| at(inner, rest)).collect()
        }
        _ => Vec::new(),
    }
}

/// The fields of a document that a projection asks for: names with 1, and `{"$concat": ["$name", "text"]}`. The id goes
/// where it has 0.
pub(crate) fn project(projection: Elements<'_>, document: &[u8]) -> Document {
    let fields = Elements::read(document).unwrap();
    let is_all = projection.into_iter().next().is_none();
    let has_id = !projection.into_iter().any(|field| {
        let field = field.unwrap();
        field.name == b"_id" && field.value.number() == Some(0)
    });
    let mut projected = Document::new();
    for field in fields {
        let field = field.unwrap();
        let name = text(field.name);
        let wanted = projection.find(&name).unwrap().and_then(Value::number);
        if (name == "_id" && has_id) || (name != "_id" && (is_all || wanted == Some(1))) {
            projected.raw(field.kind, &name, &contents(document, &name));
        }
    }
    for field in projection {
        let field = field.unwrap();
        let Value::Document(expression) = field.value else { continue };
        let Some(Value::Array(list)) = expression.find("$concat").unwrap() else { continue };
        let joined: String = list
            .into_iter()
            .map(|part| {
                let part = part.unwrap().value.text().unwrap().to_owned();
                match part.strip_prefix('$') {
                    Some(name) => fields.find(name).unwrap().and_then(Value::text).unwrap_or("").to_owned(),
                    None => part,
                }
            })
            .collect();
        projected.string(&text(field.name), &joined);
    }
    projected
}

/// What stands after the name of a top-level field.
fn contents(document: &[u8], name: &str) -> Vec<u8> {
    let mut rest = &document[4..];
    loop {
        let end = rest[1..].iter().position(|&byte| byte == 0).unwrap() + 2;
        let length = length(rest[0], &rest[end..]);
        if rest[1..end - 1] == *name.as_bytes() {
            return rest[end..end + length].to_vec();
        }
        rest = &rest[end + length..];
    }
}

fn length(of: u8, bytes: &[u8]) -> usize {
    let number = || usize::try_from(i32::from_le_bytes(bytes[..4].try_into().unwrap())).unwrap();
    match of {
        kind::STRING => number() + 4,
        kind::DOCUMENT | kind::ARRAY => number(),
        kind::BOOLEAN => 1,
        kind::INT32 => 4,
        kind::NULL => 0,
        kind::OBJECT_ID => 12,
        _ => 8,
    }
}

fn parts<'a>(value: Value<'a>) -> impl Iterator<Item = Elements<'a>> {
    let Value::Array(list) = value else { panic!("a list of conditions") };
    list.map(|part| match part.unwrap().value {
        Value::Document(part) => part,
        _ => panic!("a condition"),
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
