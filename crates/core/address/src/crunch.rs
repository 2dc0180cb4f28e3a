//! Address lists in table results: taken apart, extended, and put into the wanted form.
//!
//! Between the two halves the caller canonicalises each address (a question to the rewriting
//! service, which is why this is not one function).

use crate::form::AddressForm;
use crate::quote::{quote_822_local, unquote_822_local};
use crate::tok822;

/// Breaks a list into addresses in external form. Text in internal form is one address.
/// The empty text and `<>` give the null address, `""`.
pub fn split_list(text: &[u8], form: AddressForm) -> Vec<Vec<u8>> {
    let quoted;
    let external = match form {
        AddressForm::Internal => {
            quoted = quote_822_local(text);
            &quoted[..]
        }
        _ => text,
    };
    let external = if external.is_empty() || external == b"<>" { b"\"\"" } else { external };
    let tree = tok822::parse(external);
    tok822::addresses(&tree).map(tok822::Address::externalize).collect()
}

/// Adds an extension (with its delimiter; or nothing) to a canonical address in external form and
/// gives it in the wanted form.
pub fn finish(canonical: &[u8], extension: &[u8], form: AddressForm) -> Vec<u8> {
    let internal = insert_extension(&unquote_822_local(canonical), extension);
    match form {
        AddressForm::External => quote_822_local(&internal),
        _ => internal,
    }
}

/// Puts an extension (with its delimiter) behind the local part of an address in internal form.
pub fn insert_extension(address: &[u8], extension: &[u8]) -> Vec<u8> {
    let (local, _) = crate::split_at_domain(address);
    let mut out = Vec::with_capacity(address.len() + extension.len());
    out.extend_from_slice(local);
    out.extend_from_slice(extension);
    out.extend_from_slice(&address[local.len()..]);
    out
}
