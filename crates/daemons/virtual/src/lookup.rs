//! From an address to a mailbox and its owner.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;

use address::Splitter;
use conf::MainCf;
use mailbox::Identity;
use table::address::{LocalDomains, Search, Site};
use table::{Env, Error, Flags, LocalFuture, Maps, StringList};

use crate::VirtualParams;

conf::param_set! {
    /// Which domains are local, and how extensions look.
    pub struct SiteParams {
        double_bounce_sender, mydestination, myorigin, owner_request_special, recipient_delimiter
    }
}

/// A mailbox without an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Whose it is.
    pub(crate) who: Identity,
}

/// The tables are not as they should be; a warning says how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misconfigured;

/// The tables of mailboxes and their owners.
pub(crate) struct Accounts {
    mailboxes: Maps,
    uids: Maps,
    gids: Maps,
    base: String,
    minimum_uid: i64,
    splitter: Splitter,
    domains: LocalDomains,
}

impl Accounts {
    pub(crate) fn open(main: &MainCf, params: &VirtualParams, env: &Rc<Env>) -> Result<Self, conf::Error> {
        // No case folding: addresses are folded before they get here.
        let flags = Flags::LOCK | Flags::PARANOID | Flags::UTF8_REQUEST;
        let site = SiteParams::load(main)?;
        let mut own: Vec<_> =
            conf::interfaces::own_addresses(main)?.into_iter().map(|interface| interface.address).collect();
        own.extend(conf::interfaces::proxy_addresses(main)?);
        Ok(Self {
            mailboxes: Maps::open("virtual_mailbox_maps", &params.virtual_mailbox_maps, env, flags),
            uids: Maps::open("virtual_uid_maps", &params.virtual_uid_maps, env, flags),
            gids: Maps::open("virtual_gid_maps", &params.virtual_gid_maps, env, flags),
            base: params.virtual_mailbox_base.clone(),
            minimum_uid: params.virtual_minimum_uid,
            splitter: Splitter::new(site.recipient_delimiter)
                .with_double_bounce_sender(site.double_bounce_sender)
                .with_owner_request_special(site.owner_request_special),
            domains: LocalDomains {
                myorigin: site.myorigin.into_bytes(),
                mydestination: StringList::open(
                    "mydestination",
                    &site.mydestination,
                    env,
                    Default::default(),
                ),
                is_own_address: Box::new(move |address| own.contains(&address)),
            },
        })
    }

    /// The mailbox of a folded address; `None` if there is none.
    pub(crate) async fn find(&self, address: &[u8]) -> Result<Option<Account>, Misconfigured> {
        let found = table::address::find(&self.mailboxes, address, Search::USUAL, self).await;
        let found = found.map_err(|error| {
            log::warning!("table {}: lookup {}: {error}", self.mailboxes.title(), bytes::show(address));
            Misconfigured
        })?;
        let Some(found) = found else { return Ok(None) };
        let path = [self.base.as_bytes(), b"/", &found.value].concat();
        let uid = self.number(&self.uids, "uid", address, self.minimum_uid).await?;
        let gid = self.number(&self.gids, "gid", address, 1).await?;
        Ok(Some(Account { path: PathBuf::from(OsStr::from_bytes(&path)), who: Identity { uid, gid } }))
    }

    async fn number(
        &self,
        maps: &Maps,
        what: &str,
        address: &[u8],
        least: i64,
    ) -> Result<u32, Misconfigured> {
        let (title, shown) = (maps.title(), bytes::show(address));
        let found = table::address::find(maps, address, Search::USUAL, self).await;
        let Ok(Some(found)) = found else {
            log::warning!("recipient {shown}: not found in {title}");
            return Err(Misconfigured);
        };
        let number = leading_number(&found.value).filter(|&number| i64::from(number) >= least);
        number.ok_or_else(|| {
            log::warning!("recipient {shown}: bad {what} {} in {title}", bytes::show(&found.value));
            Misconfigured
        })
    }
}

impl Site for Accounts {
    fn splitter(&self) -> &Splitter {
        &self.splitter
    }

    fn is_local<'a>(&'a self, domain: &'a [u8]) -> LocalFuture<'a, Result<bool, Error>> {
        Box::pin(self.domains.contains(domain))
    }
}

// What follows the digits does not count, as with atol(3). Numbers that no identity can have are none.
fn leading_number(text: &[u8]) -> Option<u32> {
    let text = bytes::trim_start(text);
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number: u32 = bytes::decimal(text.get(..digits)?)?;
    (number != u32::MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(settings: &[(&str, &str)]) -> Accounts {
        let mut main = MainCf::empty(std::path::Path::new("/etc/postfix"));
        main.set("myhostname", "mail.example.com");
        main.set("inet_interfaces", "loopback-only");
        main.set("virtual_mailbox_base", "/var/vmail");
        main.set("virtual_mailbox_maps", "inline:{ {joe@example.org = org/joe/}, {@example.net = net/all} }");
        main.set("virtual_uid_maps", "static:5000");
        main.set("virtual_gid_maps", "static:5001");
        settings.iter().for_each(|(name, value)| main.set(name, value));
        let params = VirtualParams::load(&main).unwrap();
        Accounts::open(&main, &params, &Env::load(&main).unwrap()).unwrap()
    }

    fn find(accounts: &Accounts, address: &str) -> Result<Option<Account>, Misconfigured> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(accounts.find(address.as_bytes()))
    }

    #[test]
    fn mailboxes_and_their_owners() {
        let accounts = accounts(&[("recipient_delimiter", "+")]);
        let who = Identity { uid: 5000, gid: 5001 };
        let account = |path: &str| Ok(Some(Account { path: path.into(), who }));
        assert_eq!(find(&accounts, "joe@example.org"), account("/var/vmail/org/joe/"));
        assert_eq!(find(&accounts, "joe+list@example.org"), account("/var/vmail/org/joe/"));
        assert_eq!(find(&accounts, "any@example.net"), account("/var/vmail/net/all"));
        assert_eq!(find(&accounts, "jim@example.org"), Ok(None));
    }

    #[test]
    fn powerful_owners_are_refused() {
        for (name, value) in [
            ("virtual_uid_maps", "static:99"),
            ("virtual_uid_maps", "static:nobody"),
            ("virtual_uid_maps", "static:4294967295"),
            ("virtual_gid_maps", "static:0"),
            ("virtual_gid_maps", "inline:{ x=1 }"),
            ("virtual_mailbox_maps", "fail:maps"),
        ] {
            assert_eq!(find(&accounts(&[(name, value)]), "joe@example.org"), Err(Misconfigured), "{value}");
        }
    }

    /// Cases of Postfix that are not run, and why.
    const SKIPPED: &[(&str, &str)] = &[
        ("relative base", "the program does not start with it"),
        ("trailing .. in path", "3.12 only: a table is not suspected"),
        ("leading .. in path", "3.12 only: a table is not suspected"),
        ("bad uid conversion", "3.12 only: what follows a number does not count before"),
        ("bad gid conversion", "3.12 only: what follows a number does not count before"),
    ];

    #[test]
    fn cases_of_postfix() {
        let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../../shared/conformance/upstream/virtual_mailbox/mailbox.toml");
        let Ok(text) = std::fs::read_to_string(&data) else {
            println!("skipped: no conformance data at {}", data.display());
            return;
        };
        let file: toml::Table = text.parse().unwrap();
        let mut count = 0;
        for vector in file["vector"].as_array().unwrap() {
            let text = |name: &str| vector.get(name).map(|value| value.as_str().unwrap());
            let name = text("name").unwrap();
            if let Some((_, why)) = SKIPPED.iter().find(|(skipped, _)| *skipped == name) {
                eprintln!("virtual_mailbox/{name}: not run: {why}");
                continue;
            }
            count += 1;
            let names =
                ["virtual_mailbox_maps", "virtual_uid_maps", "virtual_gid_maps", "virtual_mailbox_base"];
            let mut settings: Vec<(&str, String)> =
                names.iter().filter_map(|name| Some((*name, text(name)?.to_owned()))).collect();
            if let Some(least) = vector.get("virtual_minimum_uid") {
                settings.push(("virtual_minimum_uid", least.as_integer().unwrap().to_string()));
            }
            let settings: Vec<(&str, &str)> =
                settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let shown = match find(&accounts(&settings), text("recipient").unwrap()) {
                Ok(Some(Account { path, who })) => {
                    Some(format!("mailbox='{}', uid={}, gid={}", path.display(), who.uid, who.gid))
                }
                Ok(None) => None,
                Err(Misconfigured) => Some("dsn=4.3.5 reason=mail system configuration error".to_owned()),
            };
            assert_eq!(shown.as_deref(), text("want_delivery").or(text("want_deferred")), "{name}");
            assert_eq!(Some(shown.is_some()), vector["want_user_known"].as_bool(), "{name}");
        }
        assert!(count >= 8, "{count} cases");
    }

    #[test]
    fn numbers() {
        assert_eq!(leading_number(b" 5000 x"), Some(5000));
        assert_eq!(leading_number(b"-1"), None);
        assert_eq!(leading_number(b""), None);
    }
}
