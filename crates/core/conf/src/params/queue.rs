//! The queue: files, locks, space and pace.

params! {
    /// How often to try for an exclusive lock on a mailbox file or bounce logfile.
    deliver_lock_attempts: Int = "20", min 1;

    /// Pause between two attempts for an exclusive lock.
    deliver_lock_delay: Time = "1s", min 1;

    /// How many addresses are remembered in order to drop repeated recipients; zero for no limit.
    duplicate_filter_limit: Int = "1000";

    /// How many levels of subdirectories the queues named in `hash_queue_names` have.
    hash_queue_depth: Int = "1", min 1;

    /// Queues that are spread over subdirectories.
    hash_queue_names: Str = "deferred, defer", min 1;

    /// How long cleanup pauses before it accepts a message when more mail arrives than the queue manager takes
    /// in.
    in_flow_delay: Time = "1s", max 10;

    /// Largest mailbox or maildir file that `local` may write, in bytes; zero for no limit.
    mailbox_size_limit: Long = "51200000";

    /// Largest message accepted, envelope included, in bytes; zero for no limit.
    message_size_limit: Long = "10240000";

    /// Highest number of name=value attributes in one queue file.
    queue_file_attribute_count_limit: Int = "100", min 1;

    /// Free space, in bytes, that the queue's file system must have before the SMTP server accepts mail; zero for
    /// none.
    queue_minfree: Long = "0";

    /// Age from which an external lock file (`user.lock`) counts as left behind and is removed.
    stale_lock_time: Time = "500s", min 1;

    /// Largest mailbox or maildir file that `virtual` may write, in bytes; zero for no limit.
    virtual_mailbox_limit: Long = "51200000";
}
