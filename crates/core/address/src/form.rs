//! The names of address forms in lookups.

use std::fmt;

/// In which form an address is given, wanted, or looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressForm {
    /// Quoted.
    External,
    /// Not quoted.
    Internal,
    /// Quoted, and not quoted when that is not found.
    ExternalFirst,
    /// Not quoted, and quoted when that is not found.
    InternalFirst,
}

impl AddressForm {
    const NAMES: [(&'static str, AddressForm); 4] = [
        ("external", AddressForm::External),
        ("internal", AddressForm::Internal),
        ("external-first", AddressForm::ExternalFirst),
        ("internal-first", AddressForm::InternalFirst),
    ];

    /// The form of this name.
    pub fn parse(name: &str) -> Option<AddressForm> {
        AddressForm::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, form)| *form)
    }

    /// The form that `info_log_address_format` asks for; the error is Postfix's text.
    pub fn for_log(setting: &str) -> Result<AddressForm, String> {
        match AddressForm::parse(setting) {
            Some(form @ (AddressForm::External | AddressForm::Internal)) => Ok(form),
            _ => Err(format!("invalid parameter setting \"info_log_address_format = {setting}\"")),
        }
    }

    /// An address for a log line: quoted where the form asks for it, harmless in any case.
    pub fn logged(self, address: &[u8]) -> String {
        match self {
            AddressForm::External | AddressForm::ExternalFirst if !address.is_empty() => {
                bytes::show(&crate::quote_822_local(address)).to_string()
            }
            _ => bytes::show(address).to_string(),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            AddressForm::External => "external",
            AddressForm::Internal => "internal",
            AddressForm::ExternalFirst => "external-first",
            AddressForm::InternalFirst => "internal-first",
        }
    }
}

impl fmt::Display for AddressForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
