//! Where things are installed, and who owns them.

params! {
    /// Configuration directories besides the default one that the setgid commands accept with `-c` or
    /// `MAIL_CONFIG` from an ordinary user.
    alternate_config_directories: Str = "";

    /// Where the administrative commands (`postconf`, `postqueue`, ...) are installed.
    command_directory: Str = "/usr/sbin", min 1;

    /// The directory of main.cf and master.cf. `MAIL_CONFIG` in the environment or a `-c` option chooses another
    /// one.
    config_directory: Str = "/etc/postfix", min 1;

    /// Where the programs named in master.cf and the helper scripts are installed.
    daemon_directory: Str = "/usr/lib/postfix/sbin", min 1;

    /// Writable directory for state that the mail system owns: caches, the random seed, process locks. It belongs
    /// to `mail_owner` and to nobody else.
    data_directory: Str = "/var/lib/postfix", min 1;

    /// Shell command that a daemon started with `-D` runs in the background on itself, with the directory,
    /// program and process id in its environment.
    debugger_command: Str = "";

    /// Account whose rights `local` uses for a command or file delivery that is not done on behalf of a user.
    /// Never a privileged account, nor `mail_owner`.
    default_privs: Str = "nobody", min 1;

    /// Where the documentation in HTML is installed; `no` when it is not.
    html_directory: Str = "/usr/share/doc/postfix/html", min 1;

    /// Account that owns the queue and under which most daemons run. It must share its user id and group id with
    /// nothing else.
    mail_owner: Str = "postfix", min 1;

    /// Directory of UNIX-style mailboxes, one file (or, with a trailing slash, one maildir) per user name.
    mail_spool_directory: Str = "/var/mail";

    /// Path of the `mailq` compatibility command.
    mailq_path: Str = "/usr/bin/mailq", min 1;

    /// Where the manual pages are installed.
    manpage_directory: Str = "/usr/share/man", min 1;

    /// Directory of files about the installation itself, such as the list of its files and the table of
    /// dynamically loaded parts.
    meta_directory: Str = "/etc/postfix", min 1;

    /// Path of the `newaliases` compatibility command.
    newaliases_path: Str = "/usr/bin/newaliases", min 1;

    /// Directory of the daemons' lock files, below the queue directory.
    process_id_directory: Str = "pid", min 1;

    /// Top of the mail queue. Also the root directory of daemons that run chrooted.
    queue_directory: Str = "/var/spool/postfix", min 1;

    /// Where the README files are installed; `no` when they are not.
    readme_directory: Str = "/usr/share/doc/postfix", min 1;

    /// Where sample configuration files are installed.
    sample_directory: Str = "/etc/postfix", min 1;

    /// Path of the `sendmail` compatibility command.
    sendmail_path: Str = "/usr/sbin/sendmail", min 1;

    /// Group of the commands that may write to the maildrop queue and speak to the public sockets. It needs its
    /// own group id, used for nothing else.
    setgid_group: Str = "postdrop", min 1;

    /// Where shared libraries and loadable table types are installed; `no` when everything is linked in.
    shlib_directory: Str = "/usr/lib/postfix", min 1;
}
