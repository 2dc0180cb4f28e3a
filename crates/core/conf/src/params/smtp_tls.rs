//! TLS in the SMTP client.

params! {
    /// Require TLS and, with `smtp_tls_enforce_peername`, a valid server name. Superseded by
    /// `smtp_tls_security_level`.
    smtp_enforce_tls: Bool = "no";

    /// Time limit for the TLS handshake, and for shutting TLS down.
    smtp_starttls_timeout: Time = "300s", min 1;

    /// File of certificates of the authorities that the client trusts. Read before entering a chroot jail.
    smtp_tls_CAfile: Str = "";

    /// Directory of certificates of the authorities that the client trusts, indexed by hash.
    smtp_tls_CApath: Str = "";

    /// Guard against commands injected before the TLS handshake: fail when a server answers a command that was
    /// not sent yet.
    smtp_tls_block_early_mail_reply: Bool = "no";

    /// File with the client's RSA certificate and its chain. Servers rarely ask for one.
    smtp_tls_cert_file: Str = "";

    /// Files with private keys and certificate chains of any kind, in place of the separate key and certificate
    /// parameters.
    smtp_tls_chain_files: Str = "";

    /// Least grade of ciphers when TLS is optional: `medium`, `high`, or `null`. The older names `export` and
    /// `low` mean `medium`.
    smtp_tls_ciphers: Str = "medium", min 1;

    /// Make TLS connections through the TLS proxy, so that they can be kept open for reuse.
    smtp_tls_connection_reuse: Bool = "no";

    /// Level for servers with DANE records that were found by an insecure MX lookup: `may`, `encrypt`, or `dane`.
    smtp_tls_dane_insecure_mx_policy: Str = "dane";

    /// File with the client's DSA certificate. Obsolete.
    smtp_tls_dcert_file: Str = "";

    /// File with the key of the client's DSA certificate. Obsolete.
    smtp_tls_dkey_file: Str = "$smtp_tls_dcert_file";

    /// File with the client's ECDSA certificate and its chain.
    smtp_tls_eccert_file: Str = "";

    /// File with the key of the client's ECDSA certificate, without a passphrase.
    smtp_tls_eckey_file: Str = "$smtp_tls_eccert_file";

    /// Accept a raw public key (RFC 7250) in place of a server's certificate where the level allows.
    smtp_tls_enable_rpk: Bool = "no";

    /// With `smtp_enforce_tls`, require that the server's name is in its certificate. Superseded by the level
    /// `verify`.
    smtp_tls_enforce_peername: Bool = "yes";

    /// Follow the MX patterns of an MTA-STS policy plug-in: use matching hosts only, and match the certificate
    /// against the host's name.
    smtp_tls_enforce_sts_mx_patterns: Nbool = "yes";

    /// Ciphers or cipher types never to use.
    smtp_tls_exclude_ciphers: Str = "";

    /// Certificate or key fingerprints of servers at level `fingerprint`.
    smtp_tls_fingerprint_cert_match: Str = "";

    /// Digest with which server fingerprints are made.
    smtp_tls_fingerprint_digest: Str = "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}", min 1;

    /// Look for TLSA records even where a server's address records are not signed.
    smtp_tls_force_insecure_host_tlsa_lookup: Bool = "no";

    /// File with the key of the client's RSA certificate, without a passphrase.
    smtp_tls_key_file: Str = "$smtp_tls_cert_file";

    /// How much the client logs about TLS, from 0 (nothing) to 4 (everything).
    smtp_tls_loglevel: Str = "0";

    /// Least grade of ciphers when TLS is required.
    smtp_tls_mandatory_ciphers: Str = "medium", min 1;

    /// Ciphers or cipher types not to use when TLS is required.
    smtp_tls_mandatory_exclude_ciphers: Str = "";

    /// TLS versions when TLS is required: `>=version`, `<=version`, or names to include or (with `!`) exclude.
    smtp_tls_mandatory_protocols: Str = ">=TLSv1";

    /// Log the names of servers that offer STARTTLS where TLS is not yet in use.
    smtp_tls_note_starttls_offer: Bool = "no";

    /// Tables of TLS use by server or destination. Superseded by `smtp_tls_policy_maps`.
    smtp_tls_per_site: Str = "";

    /// Tables of TLS levels and attributes by destination.
    smtp_tls_policy_maps: Str = "";

    /// TLS versions when TLS is optional.
    smtp_tls_protocols: Str = ">=TLSv1";

    /// Longest chain of a server's certificate.
    smtp_tls_scert_verifydepth: Int = "9";

    /// Names that a certificate must match at level `secure`: `nexthop`, `dot-nexthop`, `hostname`, or literal
    /// names.
    smtp_tls_secure_cert_match: Str = "nexthop, dot-nexthop", min 1;

    /// Use of TLS by default: `none`, `may`, `encrypt`, `dane`, `dane-only`, `fingerprint`, `verify`, `secure`.
    /// Empty looks at the older parameters.
    smtp_tls_security_level: Str = "${{$compatibility_level} <level {3.11} ? {} : {may}}";

    /// Name to send as SNI: a literal name, `nexthop`, or `hostname`. Empty sends none outside DANE.
    smtp_tls_servername: Str = "";

    /// Table in which TLS sessions are kept for resumption, shared by all clients.
    smtp_tls_session_cache_database: Str = "";

    /// How long a cached TLS session may be resumed; zero for not at all.
    smtp_tls_session_cache_timeout: Time = "3600s", max 8640000;

    /// Files with trust anchors in place of public authorities.
    smtp_tls_trust_anchor_file: Str = "";

    /// Names that a certificate must match at level `verify`.
    smtp_tls_verify_cert_match: Str = "hostname", min 1;

    /// Start TLS at once on connecting (port 465), without STARTTLS.
    smtp_tls_wrappermode: Bool = "no";

    /// Send TLS handshake results to a TLSRPT (RFC 8460) collector.
    smtp_tlsrpt_enable: Nbool = "no";

    /// Do not report TLS handshakes that resumed an earlier session.
    smtp_tlsrpt_skip_reused_handshakes: Nbool = "no";

    /// Socket of the TLSRPT collector.
    smtp_tlsrpt_socket_name: Str = "";

    /// Use TLS where a server offers it. Superseded by `smtp_tls_security_level`.
    smtp_use_tls: Bool = "no";
}
