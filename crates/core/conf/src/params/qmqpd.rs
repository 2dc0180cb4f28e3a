//! qmqpd: mail from qmail systems by QMQP.

params! {
    /// Clients that may deliver by QMQP, by name or address. Nobody by default.
    qmqpd_authorized_clients: Str = "";

    /// Pause before an error is reported to a client.
    qmqpd_error_delay: Time = "1s";

    /// Time limit for one read or write on a QMQP connection.
    qmqpd_timeout: Time = "300s", min 1;
}
