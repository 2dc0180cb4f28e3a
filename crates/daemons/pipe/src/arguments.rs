//! The command's arguments, with `$recipient` and the like in them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use address::fold::{FoldPart, fold_address};
use address::{Splitter, casefold, quote_822_local, split_at_domain};
use conf::expand::Expand;
use ipc::Recipient;
use ipc::deliver::Request;

use crate::attributes::{Attributes, Quoting};

/// A macro that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadMacro(pub String);

/// Macros about the message.
const MESSAGE: [&str; 14] = [
    "nexthop",
    "sender",
    "size",
    "client_address",
    "client_hostname",
    "client_port",
    "client_protocol",
    "client_helo",
    "sasl_method",
    "sasl_username",
    "sasl_sender",
    "queue_id",
    "envid",
    "",
];

/// Macros about a recipient: an argument with one of these becomes one argument a recipient.
const RECIPIENT: [&str; 6] = ["recipient", "original_recipient", "user", "extension", "mailbox", "domain"];

/// Expands the arguments for a request.
pub fn expand(
    attributes: &Attributes,
    splitter: &Splitter,
    request: &Request,
) -> Result<Vec<OsString>, BadMacro> {
    let mut argv = Vec::with_capacity(attributes.argv.len());
    for argument in &attributes.argv {
        let names = names_in(argument)?;
        let of_message = |name: &str| message_value(name, attributes, request);
        if !names.iter().any(|name| RECIPIENT.contains(&name.as_str())) {
            argv.push(replace(argument, of_message));
            continue;
        }
        for recipient in &request.recipients {
            let parts = Parts::of(recipient, attributes, splitter);
            if names.iter().any(|name| name != "recipient" && name != "original_recipient")
                && !recipient.address.contains(&b'@')
            {
                log::warning!("no @ in recipient address: {}", bytes::show(&recipient.address));
            }
            // `+folder@domain` is for a folder that is nobody's; its command has no argument for a user.
            if names.iter().any(|name| name == "user") && parts.user.is_empty() {
                continue;
            }
            argv.push(replace(argument, |name| parts.value(name).or_else(|| of_message(name))));
        }
    }
    Ok(argv)
}

fn names_in(argument: &str) -> Result<Vec<String>, BadMacro> {
    let mut names = Vec::new();
    let mut bad = None;
    let scanned = Expand::PLAIN.scan(argument.as_bytes(), |name| {
        let name = String::from_utf8_lossy(name).into_owned();
        let is_known = RECIPIENT.contains(&name.as_str()) || MESSAGE.contains(&name.as_str());
        if !is_known {
            bad.get_or_insert(BadMacro(name.clone()));
        }
        names.push(name);
    });
    for warning in &scanned.warnings {
        log::warning!("{warning}");
    }
    match bad {
        Some(bad) => Err(bad),
        None if scanned.failed => Err(BadMacro(argument.to_owned())),
        None => Ok(names),
    }
}

fn replace(argument: &str, value: impl Fn(&str) -> Option<Vec<u8>>) -> OsString {
    let lookup = |name: &[u8]| -> Option<Vec<u8>> { value(std::str::from_utf8(name).ok()?) };
    OsString::from_vec(Expand::PLAIN.run(argument.as_bytes(), &lookup).text)
}

fn message_value(name: &str, attributes: &Attributes, request: &Request) -> Option<Vec<u8>> {
    let client = &request.client;
    Some(match name {
        "nexthop" if matches!(attributes.fold, Some(FoldPart::Host | FoldPart::All)) => {
            casefold(&request.nexthop)
        }
        "nexthop" => request.nexthop.clone(),
        "sender" => {
            let sender = attributes.sender(&request.sender);
            let quotes = attributes.quoting == Quoting::Rfc5322 && !sender.is_empty();
            if quotes { quote_822_local(sender) } else { sender.to_vec() }
        }
        "size" => request.data_size.to_string().into_bytes(),
        "client_address" => client.address.clone(),
        "client_hostname" => client.name.clone(),
        "client_port" => client.port.clone(),
        "client_protocol" => client.protocol.clone(),
        "client_helo" => client.helo.clone(),
        "sasl_method" => client.sasl_method.clone(),
        "sasl_username" => client.sasl_username.clone(),
        "sasl_sender" => client.sasl_sender.clone(),
        "queue_id" => request.queue_id.clone().into_bytes(),
        "envid" => request.dsn_envid.clone(),
        _ => return None,
    })
}

/// A recipient's address, taken apart.
struct Parts {
    recipient: Vec<u8>,
    original_recipient: Vec<u8>,
    user: Vec<u8>,
    extension: Vec<u8>,
    mailbox: Vec<u8>,
    domain: Vec<u8>,
}

impl Parts {
    fn of(recipient: &Recipient, attributes: &Attributes, splitter: &Splitter) -> Self {
        let fold = |address: &[u8]| match attributes.fold {
            Some(part) => fold_address(address, part),
            None => address.to_vec(),
        };
        let whole = |address: &[u8]| match attributes.quoting {
            Quoting::Rfc5322 => fold(&quote_822_local(address)),
            Quoting::Plain => fold(address),
        };
        // Parts of addresses are never quoted.
        let folded = fold(&recipient.address);
        let (mailbox, domain) = split_at_domain(&folded);
        let (user, extension) = match splitter.split(mailbox) {
            Some((user, extension)) => (user, extension),
            None => (mailbox, &b""[..]),
        };
        Self {
            recipient: whole(&recipient.address),
            original_recipient: whole(&recipient.original),
            user: user.to_vec(),
            extension: extension.to_vec(),
            mailbox: mailbox.to_vec(),
            domain: domain.unwrap_or_default().to_vec(),
        }
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        let value = match name {
            "recipient" => &self.recipient,
            "original_recipient" => &self.original_recipient,
            "user" => &self.user,
            "extension" => &self.extension,
            "mailbox" => &self.mailbox,
            "domain" => &self.domain,
            _ => return None,
        };
        Some(value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::SystemIds;

    fn argv(flags: &str, command: &[&str], addresses: &[&str]) -> Result<Vec<String>, BadMacro> {
        let mut arguments = vec![format!("flags={flags}"), "user=daemon".to_owned()];
        arguments.push(format!("argv={}", command[0]));
        arguments.extend(command[1..].iter().map(|&word| word.to_owned()));
        let attributes = Attributes::parse(&arguments, &SystemIds::default()).unwrap();
        let recipient =
            |address: &&str| Recipient { address: address.as_bytes().to_vec(), ..Recipient::default() };
        let request = Request {
            nexthop: b"Next.Example".to_vec(),
            data_size: 42,
            recipients: addresses.iter().map(recipient).collect(),
            ..Request::default()
        };
        let argv = expand(&attributes, &Splitter::new("+"), &request)?;
        Ok(argv.into_iter().map(|word| word.into_string().unwrap()).collect())
    }

    #[test]
    fn one_argument_a_recipient() {
        let two = ["Joe+X@Example.COM", "jim@example.org"];
        assert_eq!(
            argv("", &["deliver", "-f", "$sender", "-m${extension}", "-s$size", "$recipient"], &two).unwrap(),
            ["deliver", "-f", "MAILER-DAEMON", "-mX", "-m", "-s42", "Joe+X@Example.COM", "jim@example.org"]
        );
        assert_eq!(
            argv("hu", &["d", "${user}/${domain}", "$mailbox", "$nexthop"], &two[..1]).unwrap(),
            ["d", "joe/example.com", "joe+x", "next.example"]
        );
        assert_eq!(argv("h", &["d", "$recipient"], &two[..1]).unwrap(), ["d", "Joe+X@example.com"]);
    }

    #[test]
    fn quotes_around_whole_addresses_only() {
        let odd = ["a b@example.org"];
        assert_eq!(
            argv("q", &["d", "$recipient", "$user"], &odd).unwrap(),
            ["d", "\"a b\"@example.org", "a b"]
        );
        assert_eq!(argv("", &["d", "${recipient}"], &odd).unwrap(), ["d", "a b@example.org"]);
    }

    #[test]
    fn conditions_and_mistakes() {
        assert_eq!(
            argv("", &["d", "${extension?-x}${extension}", "$$"], &["joe+y@example.org"]).unwrap(),
            ["d", "-xy", "$"]
        );
        assert_eq!(argv("", &["d", "$colour"], &["a@b"]), Err(BadMacro("colour".to_owned())));
    }
}
