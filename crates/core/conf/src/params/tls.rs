//! TLS in general: ciphers, groups, options, randomness.

params! {
    /// The `openssl` command that `postfix tls` uses.
    openssl_path: Str = "openssl", min 1;

    /// Also trust the system's authorities when a CA file or directory is configured.
    tls_append_default_CA: Bool = "no";

    /// TLS library configuration file: `default`, `none`, or a path.
    tls_config_file: Str = "default";

    /// Section of the TLS library configuration file to use.
    tls_config_name: Str = "";

    /// How many random bytes a daemon asks of the TLS manager.
    tls_daemon_random_bytes: Int = "32", min 1;

    /// Digests for TLSA records, in order of preference. Others are not used.
    tls_dane_digests: Str = "sha512 sha256", min 1;

    /// Workarounds of the TLS library to turn off, by name or as a bit mask.
    tls_disable_workarounds: Str = "";

    /// Elliptic-curve and hybrid key exchange groups, in order of preference, as the TLS library names them.
    tls_eecdh_auto_curves: Str = "?X25519MLKEM768:DEFAULT";

    /// The curve of `smtpd_tls_eecdh_grade = strong`.
    tls_eecdh_strong_curve: Str = "prime256v1";

    /// The curve of `smtpd_tls_eecdh_grade = ultra`.
    tls_eecdh_ultra_curve: Str = "secp384r1";

    /// Obsolete and ignored.
    tls_export_cipherlist: Str = "";

    /// Do not wait for the peer's word when TLS is shut down.
    tls_fast_shutdown_enable: Bool = "yes";

    /// Finite-field Diffie-Hellman groups, in order of preference.
    tls_ffdhe_auto_groups: Str = "";

    /// Ciphers of grade `high`, as an OpenSSL cipher list. Best left alone.
    tls_high_cipherlist: Str = "aNULL:-aNULL:HIGH:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:@STRENGTH", min 1;

    /// Obsolete and ignored.
    tls_low_cipherlist: Str = "";

    /// Ciphers of grade `medium`, as an OpenSSL cipher list. Best left alone.
    tls_medium_cipherlist: Str = "aNULL:-aNULL:HIGH:MEDIUM:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:+RC4:@STRENGTH", min 1;

    /// Ciphers of grade `null`: authentication without encryption.
    tls_null_cipherlist: Str = "eNULL:!kDH:!kECDH:!aDSS:!MD5:!aNULL", min 1;

    /// Let the server's order of ciphers count instead of the client's.
    tls_preempt_cipherlist: Bool = "no";

    /// How many bytes the TLS manager reads from `tls_random_source` at a time.
    tls_random_bytes: Int = "32", min 1;

    /// File in which the TLS manager keeps its random state between runs.
    tls_random_exchange_name: Str = "${data_directory}/prng_exch";

    /// How often the TLS manager saves its random state, at most.
    tls_random_prng_update_period: Time = "3600s", min 1;

    /// How often the TLS manager reads fresh randomness, at most.
    tls_random_reseed_period: Time = "3600s", min 1;

    /// Outside source of randomness: `dev:/path` or `egd:/path`.
    tls_random_source: Str = "dev:/dev/urandom";

    /// Tables from server names that clients ask for (SNI) to files with keys and chains; built with `postmap
    /// -F`.
    tls_server_sni_maps: Str = "";

    /// Cipher for session tickets; empty to issue none.
    tls_session_ticket_cipher: Str = "aes-256-cbc";

    /// Options of the TLS library to turn on, by name or as a bit mask.
    tls_ssl_options: Str = "";

    /// Let `*.example.com` in a certificate match more than one label.
    tls_wildcard_matches_multiple_labels: Bool = "yes";
}
