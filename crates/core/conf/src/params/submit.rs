//! Mail from local programs: sendmail, postdrop, pickup.

params! {
    /// Users who may send mail with the `sendmail` and `postdrop` commands.
    authorized_submit_users: Str = "static:anyone";

    /// Result key that stands for the null sender in `local_login_sender_maps`.
    empty_address_local_login_sender_maps_lookup_key: Str = "<>";

    /// Tables of the envelope senders that a user may give to `sendmail` or `postdrop`.
    local_login_sender_maps: Str = "static:*";

    /// When `sendmail` turns CR LF into LF: `always`, `never`, or `strict` (only if the first line ends so).
    sendmail_fix_line_endings: Str = "always", min 1;
}
