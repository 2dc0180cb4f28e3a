//! The service's arguments in master.cf: `flags=... user=... argv=...`.

use std::path::PathBuf;

use address::MAILER_DAEMON;
use address::fold::FoldPart;
use mailbox::{Identity, find_user};
use message::copy::CopyFlags;

/// What master.cf says about the service.
#[derive(Clone, Debug)]
pub struct Attributes {
    /// The command and its arguments, with macros.
    pub argv: Vec<String>,
    /// `user=`
    pub who: Identity,
    /// What is added to the message: flags `B D F O R . >`.
    pub copy: CopyFlags,
    /// Flags `h` and `u`.
    pub fold: Option<FoldPart>,
    /// Flag `q`.
    pub quoting: Quoting,
    /// Flag `X`.
    pub action: Action,
    /// `directory=`
    pub directory: Option<PathBuf>,
    /// `chroot=`
    pub chroot: Option<PathBuf>,
    /// `eol=`
    pub eol: Vec<u8>,
    /// `null_sender=`
    pub null_sender: Vec<u8>,
    /// `size=`; 0 is no limit.
    pub size_limit: i64,
}

/// How addresses appear in arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// As they are.
    Plain,
    /// With the local part quoted where RFC 5322 asks for it.
    Rfc5322,
}

/// What success means for the recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The message is on its way elsewhere.
    Relayed,
    /// The message has arrived.
    Delivered,
}

/// Identities that commands must not have.
#[derive(Clone, Debug, Default)]
pub struct SystemIds {
    /// `mail_owner`
    pub owner_name: String,
    /// Its ids.
    pub owner: Option<Identity>,
    /// `setgid_group`
    pub group_name: String,
    /// Its id.
    pub group: Option<u32>,
}

impl SystemIds {
    /// Looks the names up.
    pub fn find(mail_owner: &str, setgid_group: &str) -> Self {
        let owner = find_user(mail_owner.as_bytes()).ok().flatten();
        Self {
            owner_name: mail_owner.to_owned(),
            owner: owner.map(|owner| Identity::of(&owner)),
            group_name: setgid_group.to_owned(),
            group: group_id(setgid_group),
        }
    }
}

impl Attributes {
    /// Reads the arguments. An error is the text of a fatal error.
    pub fn parse(arguments: &[String], system: &SystemIds) -> Result<Self, String> {
        let mut user = None;
        let mut parsed = Self {
            argv: Vec::new(),
            who: Identity { uid: 0, gid: 0 },
            copy: CopyFlags::NONE,
            fold: None,
            quoting: Quoting::Plain,
            action: Action::Relayed,
            directory: None,
            chroot: None,
            eol: b"\n".to_vec(),
            null_sender: MAILER_DAEMON.to_vec(),
            size_limit: 0,
        };
        let mut rest = arguments;
        while let [argument, tail @ ..] = rest {
            let Some((name, value)) = argument.split_once('=') else {
                return Err(format!("unknown attribute name: {argument}"));
            };
            match name.to_ascii_lowercase().as_str() {
                "flags" => parsed.set_flags(value)?,
                "user" => user = Some(identity(value)?),
                "directory" => parsed.directory = Some(value.into()),
                "chroot" => parsed.chroot = Some(value.into()),
                "eol" => parsed.eol = unescape(value.as_bytes()),
                "null_sender" => parsed.null_sender = value.as_bytes().to_vec(),
                "size" => {
                    let size = bytes::decimal(value.as_bytes());
                    let bad = || format!("get_service_attr: bad size= value: {value}");
                    parsed.size_limit = size.ok_or_else(bad)?;
                }
                "argv" => {
                    parsed.argv = std::iter::once(value.to_owned()).chain(tail.iter().cloned()).collect();
                    break;
                }
                _ => return Err(format!("unknown attribute name: {argument}")),
            }
            rest = tail;
        }
        parsed.who = user.ok_or("missing user= command-line attribute")?;
        if parsed.argv.is_empty() {
            return Err("missing argv= command-line attribute".to_owned());
        }
        forbid(parsed.who, system)?;
        Ok(parsed)
    }

    /// The sender as the command sees it.
    pub fn sender<'a>(&'a self, sender: &'a [u8]) -> &'a [u8] {
        if sender.is_empty() { &self.null_sender } else { sender }
    }

    fn set_flags(&mut self, letters: &str) -> Result<(), String> {
        let folded = |other: FoldPart, this: Option<FoldPart>, part: FoldPart| match this {
            Some(found) if found == other || found == FoldPart::All => Some(FoldPart::All),
            _ => Some(part),
        };
        for letter in letters.chars() {
            match letter {
                'B' => self.copy |= CopyFlags::BLANK,
                'D' => self.copy |= CopyFlags::DELIVERED,
                'F' => self.copy |= CopyFlags::FROM,
                'O' => self.copy |= CopyFlags::ORIGINAL_RECIPIENT,
                'R' => self.copy |= CopyFlags::RETURN_PATH,
                'X' => self.action = Action::Delivered,
                '.' => self.copy |= CopyFlags::DOT,
                '>' => self.copy |= CopyFlags::QUOTE,
                'h' => self.fold = folded(FoldPart::User, self.fold, FoldPart::Host),
                'u' => self.fold = folded(FoldPart::Host, self.fold, FoldPart::User),
                'q' => self.quoting = Quoting::Rfc5322,
                _ => return Err(format!("unknown flag: {letter} (ignored)")),
            }
        }
        Ok(())
    }
}

fn forbid(who: Identity, system: &SystemIds) -> Result<(), String> {
    let start = "user= command-line attribute specifies";
    let owner = &system.owner_name;
    if who.uid == 0 {
        return Err(format!("{start} root privileges"));
    }
    if system.owner.is_some_and(|owner| owner.uid == who.uid) {
        return Err(format!("{start} mail system owner {owner}"));
    }
    if who.gid == 0 {
        return Err(format!("{start} privileged group id 0"));
    }
    if system.owner.is_some_and(|owner| owner.gid == who.gid) {
        return Err(format!("{start} mail system owner {owner} group id {}", who.gid));
    }
    if system.group == Some(who.gid) {
        return Err(format!("{start} mail system {} group id {}", system.group_name, who.gid));
    }
    Ok(())
}

/// `user` or `user:group`.
fn identity(text: &str) -> Result<Identity, String> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let found = find_user(user.as_bytes()).ok().flatten();
    let who = Identity::of(&found.ok_or_else(|| format!("get_service_attr: unknown username: {user}"))?);
    if group.is_empty() {
        return Ok(who);
    }
    let gid = group_id(group).ok_or_else(|| format!("get_service_attr: unknown group: {group}"))?;
    Ok(Identity { gid, ..who })
}

fn group_id(name: &str) -> Option<u32> {
    mailbox::find_group(name.as_bytes()).ok().flatten()
}

/// C's escape sequences; a backslash before another character, or at the end, vanishes.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut input = text.iter().copied().peekable();
    while let Some(byte) = input.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(escaped) = input.next() else { break };
        out.push(match escaped {
            b'a' => 0x07,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'0'..=b'7' => {
                let mut value = u32::from(escaped - b'0');
                for _ in 0..2 {
                    let Some(digit) = input.next_if(|digit| matches!(digit, b'0'..=b'7')) else { break };
                    value = value << 3 | u32::from(digit - b'0');
                }
                value as u8
            }
            other => other,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Attributes, String> {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Attributes::parse(&arguments, &SystemIds::default())
    }

    #[test]
    fn the_line_of_a_delivery_agent() {
        let parsed = parse("flags=DRhu user=daemon argv=/bin/deliver -f ${sender} user=x").unwrap();
        assert_eq!(parsed.argv, ["/bin/deliver", "-f", "${sender}", "user=x"]);
        assert!(parsed.copy.contains(CopyFlags::DELIVERED | CopyFlags::RETURN_PATH));
        assert_eq!((parsed.fold, parsed.quoting), (Some(FoldPart::All), Quoting::Plain));
        assert_eq!(parsed.sender(b""), b"MAILER-DAEMON");
        let parsed = parse("flags=Xq. eol=\\r\\n Size=100 null_sender= user=daemon argv=x").unwrap();
        assert_eq!((parsed.eol.as_slice(), parsed.size_limit), (&b"\r\n"[..], 100));
        assert_eq!((parsed.action, parsed.sender(b"")), (Action::Delivered, &b""[..]));
    }

    #[test]
    fn mistakes() {
        for (line, text) in [
            ("argv=x", "missing user= command-line attribute"),
            ("user=daemon", "missing argv= command-line attribute"),
            ("user=root argv=x", "user= command-line attribute specifies root privileges"),
            ("user=daemon:root argv=x", "user= command-line attribute specifies privileged group id 0"),
            ("user=no-such argv=x", "get_service_attr: unknown username: no-such"),
            ("flags=Z user=daemon argv=x", "unknown flag: Z (ignored)"),
            ("size=10k user=daemon argv=x", "get_service_attr: bad size= value: 10k"),
            ("colour=red", "unknown attribute name: colour=red"),
            ("-x", "unknown attribute name: -x"),
        ] {
            assert_eq!(parse(line).unwrap_err(), text);
        }
        let system = SystemIds::find("daemon", "no-such-group");
        let error = Attributes::parse(&["user=daemon".into(), "argv=x".into()], &system).unwrap_err();
        assert_eq!(error, "user= command-line attribute specifies mail system owner daemon");
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape(b"a\\r\\n\\012\\0601\\x\\"), b"a\r\n\n01x");
    }
}
