//! Where the cache file may be: in a directory of the mail system's own.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Types whose name is a file that gets written.
const FILE_TYPES: [&str; 7] = ["hash", "btree", "dbm", "lmdb", "cdb", "sdbm", "dbz"];

/// Who owns state files, and where they belong.
#[derive(Clone, Copy, Debug)]
pub struct Home<'a> {
    /// `data_directory`
    pub directory: &'a str,
    /// `mail_owner`
    pub owner: &'a str,
    /// The uid of `mail_owner`.
    pub uid: u32,
}

/// The table to use for `spec`. A file in a directory that belongs to somebody else, such as /etc/postfix of old
/// configurations, is replaced by one of the same name in `data_directory`.
pub fn redirect(spec: &str, default_type: &str, home: Home<'_>) -> String {
    let (kind, path) = spec.split_once(':').unwrap_or((default_type, spec));
    if !FILE_TYPES.contains(&kind) {
        return format!("{kind}:{path}");
    }
    let directory = match Path::new(path).parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Home { directory: data, owner, uid } = home;
    if fs::metadata(directory).map_or(true, |found| found.uid() == uid) {
        return format!("{kind}:{path}");
    }
    log::warning!("request to update table {spec} in non-{owner} directory {}", directory.display());
    log::warning!("redirecting the request to {owner}-owned data_directory {data}");
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    format!("{kind}:{data}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_move() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display().to_string();
        let uid = fs::metadata(&path).unwrap().uid();
        let home = |uid| Home { directory: "/var/lib/postfix", owner: "postfix", uid };
        let own = format!("btree:{path}/verify");
        assert_eq!(redirect(&own, "hash", home(uid)), own);
        assert_eq!(redirect(&own, "hash", home(uid + 1)), "btree:/var/lib/postfix/verify");
        assert_eq!(redirect(&format!("{path}/verify"), "hash", home(uid)), format!("hash:{path}/verify"));
        let other = format!("proxy:btree:{path}/verify");
        assert_eq!(redirect(&other, "hash", home(uid + 1)), other);
        assert_eq!(redirect("btree:/not/there/verify", "hash", home(uid + 1)), "btree:/not/there/verify");
    }
}
