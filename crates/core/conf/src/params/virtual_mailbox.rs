//! virtual: mailboxes of users without accounts.

params! {
    /// Tables of group ids by recipient, with which mailboxes are written. `static:` gives one for all.
    virtual_gid_maps: Str = "";

    /// Directory before every path that `virtual_mailbox_maps` gives.
    virtual_mailbox_base: Str = "", min 1;

    /// Domains whose mail is delivered by `virtual_transport`: names, files, or tables.
    virtual_mailbox_domains: Str = "$virtual_mailbox_maps";

    /// Ways to lock a mailbox of `virtual`, applied together: `fcntl`, `flock`, `dotlock`.
    virtual_mailbox_lock: Str = "fcntl, dotlock", min 1;

    /// Tables of all valid recipients in `virtual_mailbox_domains`, with the path of each mailbox.
    virtual_mailbox_maps: Str = "";

    /// Lowest user id with which `virtual` writes a mailbox.
    virtual_minimum_uid: Int = "100", min 1;

    /// Tables of user ids by recipient, with which mailboxes are written. `static:` gives one for all.
    virtual_uid_maps: Str = "";
}
