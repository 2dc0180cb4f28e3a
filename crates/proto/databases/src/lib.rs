//! The table types that ask a database, for every program that opens the tables of an administrator.
//!
//! A program's first words are [`link`]; from then on it opens `mysql:` and its like as it opens `hash:`. It is the
//! program, and no library, that says so: a program without the line, such as the set-gid postdrop(1), has no database
//! client in it, and refuses such tables as types that it does not support.

/// Adds the types to this process.
pub fn link() {
    CLIENTS.iter().for_each(|types| table::link(types));
}

/// The types of each client.
const CLIENTS: [&[(&str, table::Opener)]; 3] = [table_ldap::TYPES, table_mongodb::TYPES, table_sql::TYPES];

#[cfg(test)]
mod tests {
    #[test]
    fn all_types_have_a_client() {
        let mut types: Vec<&str> = crate::CLIENTS.concat().iter().map(|&(kind, _)| kind).collect();
        types.sort_unstable();
        assert_eq!(types, table::LINKED_TYPES, "what `postconf -m` shows");
    }
}
