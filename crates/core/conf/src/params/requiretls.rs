//! REQUIRETLS and TLS-Required (RFC 8689).

params! {
    /// Offer and honour REQUIRETLS.
    requiretls_enable: Nbool = "yes";

    /// Note REQUIRETLS in a header too, so that it survives a filter that passes mail on by SMTP.
    requiretls_esmtp_header: Nbool = "yes";

    /// Return headers only when a message with REQUIRETLS bounces, and send the bounce without REQUIRETLS.
    requiretls_redact_dsn: Nbool = "yes";

    /// Honour the header `TLS-Required: no`, by which a sender waives the TLS policy of the destination.
    tls_required_enable: Nbool = "yes";
}
