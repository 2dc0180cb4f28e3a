//! `$name` in texts that clients see: reject footers and DNSBL replies.

use crate::session::Session;
use crate::text::{show, split_domain};
use conf::expand::{Expand, Filter};
use sys::time::LocalTime;

impl Session {
    /// Expands session attributes in a template; the error is an unusable template.
    pub(crate) fn expand(&self, template: &str) -> Result<String, ()> {
        self.expand_with(template, |_| None)
    }

    /// As [`Session::expand`], with names that come first.
    pub(crate) fn expand_with(
        &self,
        template: &str,
        first: impl Fn(&str) -> Option<String>,
    ) -> Result<String, ()> {
        let names = |name: &[u8]| -> Option<Vec<u8>> {
            let name = std::str::from_utf8(name).ok()?;
            first(name).or_else(|| self.attribute(name)).map(String::into_bytes)
        };
        let how = Expand { filter: Filter::Allowed(&self.server.expansion_filter), ..Expand::PLAIN };
        let expanded = how.run(template.as_bytes(), &names);
        for warning in &expanded.warnings {
            log::warning!("{warning}");
        }
        if expanded.failed {
            return Err(());
        }
        Ok(show(&expanded.text).into_owned())
    }

    /// The value of an attribute; `None` only for names that do not exist.
    fn attribute(&self, name: &str) -> Option<String> {
        let value = match name {
            "server_name" => self.server.settings.myhostname.clone(),
            "client" => self.peer.namaddr.clone(),
            "client_port" => self.peer.port.clone(),
            "client_address" => self.peer.address.clone(),
            "client_name" => self.peer.name.clone(),
            "reverse_client_name" => self.peer.reverse_name.clone(),
            "helo_name" => self.helo_name.clone().unwrap_or_default(),
            "localtime" => local_time(),
            _ => {
                let (address, suffix) = match (name.strip_prefix("sender"), name.strip_prefix("recipient")) {
                    (Some(suffix), _) => (self.sender.as_deref(), suffix),
                    (_, Some(suffix)) => (self.recipient.as_deref(), suffix),
                    _ => return unknown(name),
                };
                return address_part(address, suffix).or_else(|| unknown(name));
            }
        };
        Some(value)
    }
}

fn unknown(name: &str) -> Option<String> {
    log::warning!("unknown macro name \"{name}\" in expansion request");
    None
}

fn address_part(address: Option<&[u8]>, suffix: &str) -> Option<String> {
    let Some(address) = address else {
        return Some(String::new());
    };
    let part = match suffix {
        "" | "_name" if address.is_empty() => b"<>",
        "" => address,
        "_name" => split_domain(address).map_or(address, |(local, _)| local),
        "_domain" => split_domain(address).map_or(&b""[..], |(_, domain)| domain),
        _ => return None,
    };
    Some(show(part).into_owned())
}

fn local_time() -> String {
    let time = LocalTime::at(sys::time::now());
    format!("{} {:02} {:02}:{:02}:{:02}", time.month_name(), time.day, time.hour, time.minute, time.second)
}
