//! Edits main.cf and master.cf: everything that an edit does not touch stays as it is.

mod file;
mod lines;
pub(crate) mod main;
pub(crate) mod master;

use command::{Fatal, fatal};
use conf::reason;
use std::fs;
use std::path::Path;

/// Replaces a file by what `change` makes of it, unless `change` fails.
fn replace(path: &Path, change: impl FnOnce(&[u8]) -> Result<Vec<u8>, Fatal>) -> Result<(), Fatal> {
    let file = file::Replacement::open(path)?;
    let old = match fs::read(path) {
        Ok(old) => old,
        Err(error) => {
            file.abandon();
            return Err(fatal!("open {} for reading: {}", path.display(), reason(&error)));
        }
    };
    match change(&old) {
        Ok(new) => file.commit(&new),
        Err(fatal) => {
            file.abandon();
            Err(fatal)
        }
    }
}
