//! `$name` expansion.

use crate::{Error, MainCf};

pub(crate) fn main_cf(main: &MainCf, text: &str) -> Result<String, Error> {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        result.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let (name, after) = rest.split_at(length);
        if let Some(value) = main.lookup(name)? {
            result.push_str(&main_cf(main, &value)?);
        }
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}
