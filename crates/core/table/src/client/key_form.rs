//! From a key to what a cache server has in its place: the settings `domain`, `key_format` and `key_digest`.

use crate::client::{Digest, Formats, Settings, Template};
use crate::error::Error;
use crate::open::Opening;

/// How keys are made into the server's.
pub(crate) struct KeyForm {
    name: String,
    formats: Formats,
    template: Template,
    /// What `key_format` says.
    text: String,
    digest: Option<Digest>,
}

/// What is done with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    Lookup,
    Update,
    Delete,
}

impl KeyForm {
    /// Reads the settings. The error is Postfix's text.
    pub(crate) fn read(opening: &Opening<'_>, settings: &Settings) -> Result<Self, String> {
        let digest_name = settings.text("key_digest", "", ..)?;
        let text = settings.text("key_format", "%s", ..)?;
        let mut formats = Formats::new(opening);
        let template = formats.query(&text)?;
        formats.read_domains(settings, opening.env)?;
        let digest = Digest::by_name(&digest_name);
        if digest.is_none() && !digest_name.is_empty() {
            return Err(format!("open {}: key digest {digest_name} is not available", opening.name));
        }
        Ok(Self { name: opening.name.to_owned(), formats, template, text, digest })
    }

    /// The server's key; `None` where the server cannot have it, or should not be asked.
    pub(crate) async fn make(&self, key: &[u8], operation: Operation) -> Result<Option<Vec<u8>>, Error> {
        let skip = |why| {
            self.log_skipped(key, operation, why);
            Ok(None)
        };
        if key.is_empty() {
            return skip("empty lookup key");
        }
        if !self.formats.accepts(key).await? {
            return skip("domain mismatch");
        }
        let parts = self.formats.key(key);
        let expanded = parts.map(|key| self.template.expand(&key, |text, out| out.extend_from_slice(text)));
        match expanded.filter(|key| !key.is_empty()) {
            None => skip("empty lookup key expansion"),
            Some(expanded) => Ok(Some(match self.digest {
                Some(digest) => digest.hexadecimal(&expanded),
                None => expanded,
            })),
        }
    }

    /// Says that nothing is done with a key. Only where a value is lost is that worth a warning.
    pub(crate) fn log_skipped(&self, key: &[u8], operation: Operation, why: &str) {
        let (name, key) = (&self.name, bytes::show(key));
        match operation {
            Operation::Lookup => log::debug!("{name}: skipping lookup for name \"{key}\": {why}"),
            Operation::Update => log::warning!("{name}: skipping update for name \"{key}\": {why}"),
            Operation::Delete => log::debug!("{name}: skipping delete for name \"{key}\": {why}"),
        }
    }

    /// What stands before and after the key in the server's, where nothing but the whole key is in it: then a key can be
    /// found in the server's.
    pub(crate) fn around(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let (before, after) = self.text.split_once("%s").or_else(|| self.text.split_once("%S"))?;
        let literal = |text: &str| {
            let text = text.replace("%%", "\u{0}");
            (!text.contains('%')).then(|| text.replace('\u{0}', "%").into_bytes())
        };
        let parts = (literal(before)?, literal(after)?);
        self.digest.is_none().then_some(parts)
    }
}
