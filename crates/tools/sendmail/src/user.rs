//! Who calls: login name and full name.

/// The login name of the calling user.
pub(crate) fn login_name() -> Option<Vec<u8>> {
    let uid = sys::identity::real_uid();
    sys::User::from_uid(uid.into()).ok().flatten().map(|user| user.name.into_bytes())
}

/// The full name: the variable `NAME`, or the first part of the password file's comment, where `&` stands for the login
/// name with a capital.
pub(crate) fn full_name() -> Option<Vec<u8>> {
    if let Some(name) = sys::identity::safe_environment("NAME").filter(|name| !name.is_empty()) {
        return Some(name.into_bytes());
    }
    let user = sys::User::from_uid(sys::identity::real_uid().into()).ok().flatten()?;
    let comment = user.gecos.to_bytes();
    let first = comment.split(|byte| matches!(byte, b',' | b';' | b'%')).next()?;
    let mut name = Vec::new();
    for &byte in first {
        if byte == b'&' {
            let mut login = user.name.clone().into_bytes();
            if let Some(first) = login.first_mut() {
                first.make_ascii_uppercase();
            }
            name.extend_from_slice(&login);
        } else {
            name.push(byte);
        }
    }
    Some(name).filter(|name| !name.is_empty())
}
