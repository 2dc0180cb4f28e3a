//! anvil and scache: counters and connections shared between processes.

params! {
    /// Unit of time over which client connections and other events are counted.
    anvil_rate_time_unit: Time = "60s", min 1;

    /// How often the highest counts seen are logged.
    anvil_status_update_time: Time = "600s", min 1;

    /// Time limit for handing a connection to the connection cache, or getting one from it.
    connection_cache_protocol_timeout: Time = "5s", min 1;

    /// How often statistics of the connection cache are logged.
    connection_cache_status_update_time: Time = "600s", min 1;

    /// Longest time that an idle connection is cached, whatever its owner asks for.
    connection_cache_ttl_limit: Time = "2s", min 1;
}
