//! The queue manager: scheduling and retries.

params! {
    /// How long a bounce stays queued before it is given up; zero for one attempt only.
    bounce_queue_lifetime: Time = "5d", max 8640000;

    /// How many deliveries earn one slot by which another job may go first in the same transport; zero turns that
    /// off.
    default_delivery_slot_cost: Int = "5";

    /// Percentage of the slots a job needs that is forgiven when it wants to go first.
    default_delivery_slot_discount: Int = "50", max 100;

    /// Number of slots that is lent to a job when it wants to go first.
    default_delivery_slot_loan: Int = "3";

    /// How many rounds of failed deliveries, each as large as the allowed concurrency, make a destination count
    /// as dead; zero for never.
    default_destination_concurrency_failed_cohort_limit: Int = "1";

    /// Highest number of parallel deliveries to one destination of a transport.
    default_destination_concurrency_limit: Int = "20";

    /// How much the allowed concurrency of a destination shrinks after a failed connection: a number or a
    /// function of `concurrency`.
    default_destination_concurrency_negative_feedback: Str = "1", min 1;

    /// How much the allowed concurrency of a destination grows after a success: a number or a function of
    /// `concurrency`.
    default_destination_concurrency_positive_feedback: Str = "1", min 1;

    /// Pause between two deliveries to the same destination of a transport; above zero, one at a time.
    default_destination_rate_delay: Time = "0s";

    /// Highest number of recipients in one delivery. With 1, a destination is a recipient and not a domain.
    default_destination_recipient_limit: Int = "50";

    /// Recipients in memory set aside for jobs that go first.
    default_extra_recipient_limit: Int = "1000";

    /// Smallest size of a job, in slots, from which others may be let pass it.
    default_minimum_delivery_slots: Int = "3";

    /// Highest number of recipients in memory for one transport.
    default_recipient_limit: Int = "20000";

    /// How long to wait, at most, before more recipients of a message are read into memory.
    default_recipient_refill_delay: Time = "5s", min 1;

    /// How many recipients of a message are read into memory at a time, at least.
    default_recipient_refill_limit: Int = "100", min 1;

    /// Pause between two deliveries by the same transport; above zero, one at a time.
    default_transport_rate_delay: Time = "0s";

    /// Transports whose mail stays in the deferred queue until it is flushed explicitly.
    defer_transports: Str = "";

    /// Log each change of a destination's concurrency.
    destination_concurrency_feedback_debug: Bool = "no";

    /// Number of parallel deliveries with which a destination starts.
    initial_destination_concurrency: Int = "5", min 1;

    /// `default_destination_concurrency_limit` for the `local` transport.
    local_destination_concurrency_limit: Int = "2";

    /// `default_destination_recipient_limit` for the `local` transport.
    local_destination_recipient_limit: Int = "1";

    /// Longest time between two attempts to deliver a deferred message.
    maximal_backoff_time: Time = "4000s", min 1;

    /// How long a message stays queued before it is returned; zero for one attempt only.
    maximal_queue_lifetime: Time = "5d", max 8640000;

    /// Shortest time between two attempts to deliver a deferred message, and how long an unreachable destination
    /// is left alone.
    minimal_backoff_time: Time = "300s", min 1;

    /// Shortest time between warnings that one destination is clogging the active queue; zero for none.
    qmgr_clog_warn_time: Time = "300s";

    /// Watchdog of the queue manager.
    qmgr_daemon_timeout: Time = "1000s", min 1;

    /// Share of delivery resources for one large mailing list message; used by the old queue manager only.
    qmgr_fudge_factor: Int = "100", min 10, max 100;

    /// Time limit of the queue manager for one read or write to another process.
    qmgr_ipc_timeout: Time = "60s", min 1;

    /// Highest number of messages in the active queue.
    qmgr_message_active_limit: Int = "20000", min 1;

    /// Highest number of recipients held in memory, and of destination status entries.
    qmgr_message_recipient_limit: Int = "20000", min 1;

    /// Number of recipients held in memory that every message is granted.
    qmgr_message_recipient_minimum: Int = "10", min 1;

    /// Time between two scans of the deferred queue.
    queue_run_delay: Time = "300s", min 1;

    /// Pause before a delivery agent is tried again after it failed to work.
    transport_retry_time: Time = "60s", min 1;
}
