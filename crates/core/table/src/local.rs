//! What a table implementation provides.

use std::future::Future;
use std::pin::Pin;

use crate::error::Error;

/// A table in this process: memory, an index file, patterns.
pub trait LocalTable {
    /// The value of a key.
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Stores a value. `None`: this type cannot.
    fn update(&self, key: &[u8], value: &[u8]) -> Option<Result<Update, Error>> {
        let _ = (key, value);
        None
    }

    /// Removes a key; whether it was there. `None`: this type cannot.
    fn delete(&self, key: &[u8]) -> Option<Result<bool, Error>> {
        let _ = key;
        None
    }

    /// The first or next entry, in the type's own order. `None`: this type cannot.
    fn sequence(&self, seek: Seek) -> Option<Result<Option<Entry>, Error>> {
        let _ = seek;
        None
    }

    /// Whether the file behind the table was unlinked or replaced since it was opened.
    fn is_replaced(&self) -> bool {
        false
    }

    /// Ends a bulk update: its result becomes the table's contents.
    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// A future that stays on its thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A table that another process or machine answers.
pub trait RemoteTable {
    /// The value of a key.
    fn lookup<'a>(&'a self, key: &'a [u8]) -> LocalFuture<'a, Result<Option<Vec<u8>>, Error>>;

    /// Stores a value. `None`: this type cannot.
    fn update<'a>(
        &'a self,
        key: &'a [u8],
        value: &'a [u8],
    ) -> Option<LocalFuture<'a, Result<Update, Error>>> {
        let _ = (key, value);
        None
    }

    /// Removes a key; whether it was there. `None`: this type cannot.
    fn delete<'a>(&'a self, key: &'a [u8]) -> Option<LocalFuture<'a, Result<bool, Error>>> {
        let _ = key;
        None
    }

    /// The first or next entry. `None`: this type cannot.
    fn sequence(&self, seek: Seek) -> Option<LocalFuture<'_, Result<Option<Entry>, Error>>> {
        let _ = seek;
        None
    }
}

/// Which entry of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seek {
    /// The first one.
    First,
    /// The one after the last answer.
    Next,
}

/// What became of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Update {
    /// It is in the table.
    Stored,
    /// The table keeps the older value of this key.
    Kept,
}

/// Who can change a table's contents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    /// How far the contents can be trusted.
    pub trust: Trust,
    /// The owner of the file, or [`Owner::NO_UID`].
    pub uid: u32,
}

/// How far a table's contents can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// Nobody knows, for example an answer from the network.
    Unknown,
    /// Only the superuser can change them.
    Trusted,
    /// The user with this uid can change them.
    Untrusted,
}

impl Owner {
    /// The uid of a table without a file.
    pub const NO_UID: u32 = i32::MAX as u32;
    /// Contents that are part of main.cf, or of the system.
    pub const TRUSTED: Self = Self { trust: Trust::Trusted, uid: Self::NO_UID };
    /// Contents of unknown origin.
    pub const UNKNOWN: Self = Self { trust: Trust::Unknown, uid: Self::NO_UID };

    /// The owner of a file.
    pub fn of_file(uid: u32) -> Self {
        Self { trust: if uid == 0 { Trust::Trusted } else { Trust::Untrusted }, uid }
    }

    /// Who can change at least one of several tables.
    pub(crate) fn weakest(tables: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self { trust: Trust::Trusted, uid: 0 };
        for one in tables {
            if all.trust == Trust::Trusted || one.trust == Trust::Unknown {
                all = one;
            } else if all.trust == one.trust && all.uid != one.uid {
                all = Self { trust: Trust::Unknown, uid: u32::MAX };
            }
        }
        all
    }
}
