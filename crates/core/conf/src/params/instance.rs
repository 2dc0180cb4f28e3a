//! Several mail systems on one host (`postmulti`).

params! {
    /// Configuration directories of further instances; for the default instance only. Each directory contains its
    /// own main.cf.
    multi_instance_directories: Str = "";

    /// Whether this instance takes part when `postmulti` starts instances; others are only checked, and stopped.
    multi_instance_enable: Bool = "no";

    /// Group of this instance, by which `postmulti -g` selects several at once.
    multi_instance_group: Str = "";

    /// Name of this instance. It begins with `postfix-` and replaces `postfix` in the log.
    multi_instance_name: Str = "";

    /// Command through which `postfix` runs its own subcommands in every configured instance.
    multi_instance_wrapper: Str = "";

    /// Commands of `postfix` that `postmulti` runs for enabled instances only, in the order of starting.
    postmulti_control_commands: Str = "reload flush";

    /// Commands of `postfix` that `postmulti` treats as starting an instance.
    postmulti_start_commands: Str = "start";

    /// Commands of `postfix` that `postmulti` treats as stopping an instance, done in reverse order.
    postmulti_stop_commands: Str = "stop abort drain quick-stop";
}
