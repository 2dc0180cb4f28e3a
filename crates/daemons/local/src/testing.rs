//! Configurations for tests.

use conf::MainCf;

/// A configuration without aliases.
pub(crate) fn main_cf(settings: &[(&str, &str)]) -> MainCf {
    let mut main = MainCf::empty(std::path::Path::new("/etc/postfix"));
    main.set("myhostname", "mail.example.com");
    main.set("alias_maps", "");
    main.set("mail_owner", "daemon");
    settings.iter().for_each(|(name, value)| main.set(name, value));
    main
}
