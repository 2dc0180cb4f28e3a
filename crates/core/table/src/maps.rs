//! Searches over several tables: what `virtual_alias_maps = hash:/a, pcre:/b` means.

use std::rc::Rc;

use crate::env::Env;
use crate::error::Error;
use crate::flags::{Flags, Mode};
use crate::open::OnFailure;
use crate::table::Table;
use crate::text;

/// Tables that are searched in turn until one knows the key.
pub struct Maps {
    title: String,
    tables: Vec<Table>,
}

/// Which tables a lookup asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FindFlags {
    /// All.
    Any,
    /// Those with fixed keys: for partial addresses and parent domains, which patterns must not see.
    Fixed,
    /// Those with patterns.
    Pattern,
}

/// A value and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The value; not empty.
    pub value: Vec<u8>,
    /// `type:name` of the table.
    pub table_name: String,
}

impl Maps {
    /// Opens the tables of a list such as `hash:/a, inline:{ b=c }`. The title, usually the parameter's name, appears in
    /// log messages. Tables that cannot be opened fail each lookup that gets to them.
    pub fn open(title: &str, specs: &str, env: &Rc<Env>, flags: Flags) -> Self {
        let tables = text::elements(specs).map(|spec| Table::open(spec, env, flags)).collect();
        Self { title: title.to_owned(), tables }
    }

    /// As [`Maps::open`], for tools: the first table that cannot be opened is an error, with Postfix's text.
    pub fn try_open(title: &str, specs: &str, env: &Rc<Env>, flags: Flags) -> Result<Self, String> {
        let open = |spec| Table::open_or(spec, env, Mode::Read, flags, OnFailure::Report);
        let tables = text::elements(specs).map(open).collect::<Result<_, _>>()?;
        Ok(Self { title: title.to_owned(), tables })
    }

    /// Whether there is no table at all.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The title given when the tables were opened.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The tables.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Whether lookups take no waiting.
    pub fn is_local(&self) -> bool {
        self.tables.iter().all(Table::is_local)
    }

    /// The first value of a key.
    pub async fn find(&self, key: &[u8]) -> Result<Option<Found>, Error> {
        self.find_with(key, FindFlags::Any).await
    }

    /// As [`Maps::find`], in some of the tables.
    pub async fn find_with(&self, key: &[u8], flags: FindFlags) -> Result<Option<Found>, Error> {
        for table in self.asked(key, flags) {
            if let Some(found) = self.judge(table, key, table.lookup(key).await)? {
                return Ok(Some(found));
            }
        }
        Ok(self.not_found(key))
    }

    /// As [`Maps::find_with`], for programs without a runtime.
    pub fn find_blocking(&self, key: &[u8], flags: FindFlags) -> Result<Option<Found>, Error> {
        for table in self.asked(key, flags) {
            if let Some(found) = self.judge(table, key, table.lookup_blocking(key))? {
                return Ok(Some(found));
            }
        }
        Ok(self.not_found(key))
    }

    /// As [`Maps::find`], for tables opened with [`Flags::SRC_RHS_IS_FILE`]: the value is the file's content.
    pub async fn find_file(&self, key: &[u8], flags: FindFlags) -> Result<Option<Found>, Error> {
        for table in self.asked(key, flags) {
            if let Some(mut found) = self.judge(table, key, table.lookup(key).await)? {
                found.value = table.decode_file_value(key, &found.value)?;
                return Ok(Some(found));
            }
        }
        Ok(self.not_found(key))
    }

    /// The tables that a lookup asks. An empty key is in no table.
    fn asked<'a>(&'a self, key: &'a [u8], flags: FindFlags) -> impl Iterator<Item = &'a Table> {
        let wanted = move |table: &&Table| match flags {
            FindFlags::Any => true,
            FindFlags::Fixed => table.flags().contains(Flags::FIXED),
            FindFlags::Pattern => table.flags().contains(Flags::PATTERN),
        };
        self.tables.iter().filter(move |_| !key.is_empty()).filter(wanted)
    }

    fn judge(
        &self,
        table: &Table,
        key: &[u8],
        answer: Result<Option<Vec<u8>>, Error>,
    ) -> Result<Option<Found>, Error> {
        let shown = bytes::show(key);
        let title = &self.title;
        match answer {
            Ok(None) => Ok(None),
            Ok(Some(value)) if value.is_empty() => {
                log::warning!("{title} lookup of {shown} returns an empty string result");
                log::warning!("{title} should return NO RESULT in case of NOT FOUND");
                Err(Error::config(table.name()))
            }
            Ok(Some(value)) => {
                let more = if value.len() > 100 { "..." } else { "" };
                let text = bytes::show_limited(&value, 100);
                log::debug!("maps_find: {title}: {}: {shown} = {text}{more}", table.name());
                Ok(Some(Found { value, table_name: table.name() }))
            }
            Err(error) => {
                log::warning!("{} lookup error for \"{shown}\"", table.name());
                log::debug!("maps_find: {title}: {shown}: search aborted");
                Err(error)
            }
        }
    }

    fn not_found(&self, key: &[u8]) -> Option<Found> {
        log::debug!("maps_find: {}: {}: not found", self.title, bytes::show(key));
        None
    }
}
