//! local: aliases, .forward files, mailboxes and commands of UNIX accounts.

params! {
    /// Alias files that `newaliases` rebuilds.
    alias_database: Str = "$default_database_type:/etc/aliases";

    /// Alias tables that `local` searches.
    alias_maps: Str = "$default_database_type:/etc/aliases";

    /// Where `|command` is allowed as a destination: `alias`, `forward`, `include`.
    allow_mail_to_commands: Str = "alias, forward";

    /// Where `/file/name` is allowed as a destination: `alias`, `forward`, `include`.
    allow_mail_to_files: Str = "alias, forward";

    /// Tell logged-in users about new mail by the local comsat service.
    biff: Bool = "yes";

    /// Directory in which `local` runs a command, after taking the user's identity.
    command_execution_directory: Raw = "";

    /// Characters that may appear in values expanded into `mailbox_command`; others become underscores.
    command_expansion_filter: Str = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", min 1;

    /// Time limit for a delivery by an external command.
    command_time_limit: Time = "1000s", min 1;

    /// Characters that may appear in values expanded into `command_execution_directory`.
    execution_directory_expansion_filter: Str = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", min 1;

    /// Use the right-hand side of an `owner-` alias as the sender of mail to that list, instead of the alias.
    expand_owner_alias: Bool = "no";

    /// Transport (and nexthop) for recipients with neither alias nor account.
    fallback_transport: Str = "";

    /// Tables of the `fallback_transport` by recipient.
    fallback_transport_maps: Str = "";

    /// Characters that may appear in values expanded into `forward_path`.
    forward_expansion_filter: Str = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", min 1;

    /// Places to look for a user's .forward file, tried in turn.
    forward_path: Raw = "$home/.forward${recipient_delimiter}${extension}, $home/.forward";

    /// Keep the Delivered-To: address the same all through alias and .forward expansion.
    frozen_delivered_to: Bool = "yes";

    /// Mailbox file (or, with a trailing slash, maildir) relative to the home directory.
    home_mailbox: Str = "";

    /// Shell for commands; empty starts `/bin/sh` only for commands that need one.
    local_command_shell: Str = "";

    /// Tables of all valid local recipients, with which the SMTP server refuses others. Empty accepts everybody.
    local_recipient_maps: Str = "proxy:unix:passwd.byname $alias_maps";

    /// Address that gets mail for unknown local recipients.
    luser_relay: Raw = "";

    /// Command that delivers to a mailbox, run as the recipient.
    mailbox_command: Raw = "";

    /// Tables of `mailbox_command` by recipient.
    mailbox_command_maps: Str = "";

    /// Ways to lock a mailbox, applied together: `fcntl`, `flock`, `dotlock`.
    mailbox_delivery_lock: Str = "fcntl, dotlock", min 1;

    /// Transport (and nexthop) for all local recipients, after alias and .forward expansion.
    mailbox_transport: Str = "";

    /// Tables of the `mailbox_transport` by recipient.
    mailbox_transport_maps: Str = "";

    /// Deliveries that get a Delivered-To: header: `command`, `file`, `forward`.
    prepend_delivered_header: Str = "command, file, forward";

    /// Wait with mail for a user whose home directory does not exist.
    require_home_directory: Bool = "no";

    /// Set the owner for nested aliases from the innermost one, even when it has no `owner-` alias.
    reset_owner_alias: Bool = "no";

    /// Wait with mail when a mailbox file does not belong to its recipient.
    strict_mailbox_ownership: Bool = "yes";
}
