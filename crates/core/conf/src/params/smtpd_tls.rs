//! TLS in the SMTP server.

params! {
    /// Require TLS of clients. Superseded by `smtpd_tls_security_level`.
    smtpd_enforce_tls: Bool = "no";

    /// File of certificates of the authorities that the server trusts for client certificates.
    smtpd_tls_CAfile: Str = "";

    /// Directory of certificates of the authorities that the server trusts, indexed by hash.
    smtpd_tls_CApath: Str = "";

    /// Give clients a TLS session id even when sessions are not cached.
    smtpd_tls_always_issue_session_ids: Bool = "yes";

    /// Ask clients for a certificate.
    smtpd_tls_ask_ccert: Bool = "no";

    /// Offer AUTH only in sessions with TLS.
    smtpd_tls_auth_only: Bool = "no";

    /// Longest chain of a client's certificate.
    smtpd_tls_ccert_verifydepth: Int = "9";

    /// File with the server's RSA certificate and its chain, or `none` for no certificate.
    smtpd_tls_cert_file: Str = "";

    /// Files with private keys and certificate chains of any kind, in place of the separate key and certificate
    /// parameters.
    smtpd_tls_chain_files: Str = "";

    /// Least grade of ciphers when TLS is optional: `medium`, `high`, or `null`. The older names `export` and
    /// `low` mean `medium`.
    smtpd_tls_ciphers: Str = "medium", min 1;

    /// File with the server's DSA certificate. Obsolete.
    smtpd_tls_dcert_file: Str = "";

    /// File with finite-field Diffie-Hellman parameters, or `auto`; empty uses built-in ones.
    smtpd_tls_dh1024_param_file: Str = "";

    /// File with export-grade Diffie-Hellman parameters. Has no function any more.
    smtpd_tls_dh512_param_file: Str = "";

    /// File with the key of the server's DSA certificate. Obsolete.
    smtpd_tls_dkey_file: Str = "$smtpd_tls_dcert_file";

    /// File with the server's ECDSA certificate and its chain.
    smtpd_tls_eccert_file: Str = "";

    /// File with the key of the server's ECDSA certificate, without a passphrase.
    smtpd_tls_eckey_file: Str = "$smtpd_tls_eccert_file";

    /// Elliptic-curve key exchange of the server: `auto`, `none`, or the older `strong` and `ultra`.
    smtpd_tls_eecdh_grade: Str = "auto", min 1;

    /// Accept a raw public key (RFC 7250) in place of a client's certificate.
    smtpd_tls_enable_rpk: Bool = "no";

    /// Ciphers or cipher types never to use.
    smtpd_tls_exclude_ciphers: Str = "";

    /// Digest with which client fingerprints are made, for `relay_clientcerts` and access tables.
    smtpd_tls_fingerprint_digest: Str = "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}", min 1;

    /// File with the key of the server's RSA certificate, without a passphrase.
    smtpd_tls_key_file: Str = "$smtpd_tls_cert_file";

    /// How much the server logs about TLS, from 0 (nothing) to 4 (everything).
    smtpd_tls_loglevel: Str = "0";

    /// Least grade of ciphers when TLS is required.
    smtpd_tls_mandatory_ciphers: Str = "medium", min 1;

    /// Ciphers or cipher types not to use when TLS is required.
    smtpd_tls_mandatory_exclude_ciphers: Str = "";

    /// TLS versions when TLS is required: `>=version`, `<=version`, or names to include or (with `!`) exclude.
    smtpd_tls_mandatory_protocols: Str = ">=TLSv1";

    /// TLS versions when TLS is optional.
    smtpd_tls_protocols: Str = ">=TLSv1";

    /// Show the TLS protocol, cipher and client certificate in the Received: header.
    smtpd_tls_received_header: Bool = "no";

    /// Require a trusted certificate of clients when TLS is required.
    smtpd_tls_req_ccert: Bool = "no";

    /// Use of TLS: `none`, `may`, or `encrypt`. Empty looks at the older parameters.
    smtpd_tls_security_level: Str = "";

    /// Table in which TLS sessions are kept for resumption; tickets work without.
    smtpd_tls_session_cache_database: Str = "";

    /// How long a cached TLS session or ticket may be resumed; zero for not at all.
    smtpd_tls_session_cache_timeout: Time = "3600s", max 8640000;

    /// Start TLS at once on connecting (port 465), without STARTTLS.
    smtpd_tls_wrappermode: Bool = "no";

    /// Offer STARTTLS. Superseded by `smtpd_tls_security_level`.
    smtpd_use_tls: Bool = "no";
}
