//! Filters over delivery status codes and texts.

params! {
    /// Table that replaces the status code and text of a delivery; 4.x.x and 5.x.x may be exchanged.
    default_delivery_status_filter: Str = "";

    /// `default_delivery_status_filter` for `local`.
    local_delivery_status_filter: Str = "$default_delivery_status_filter";

    /// `default_delivery_status_filter` for `pipe`.
    pipe_delivery_status_filter: Str = "$default_delivery_status_filter";

    /// `default_delivery_status_filter` for the SMTP client.
    smtp_delivery_status_filter: Str = "$default_delivery_status_filter";

    /// `default_delivery_status_filter` for `virtual`.
    virtual_delivery_status_filter: Str = "$default_delivery_status_filter";
}
