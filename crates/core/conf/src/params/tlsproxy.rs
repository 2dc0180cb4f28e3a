//! tlsproxy: TLS on behalf of postscreen and of reused client connections.

params! {
    /// As `smtp_tls_CAfile`, for client connections made by tlsproxy.
    tlsproxy_client_CAfile: Str = "$smtp_tls_CAfile";

    /// As `smtp_tls_CApath`, for client connections made by tlsproxy.
    tlsproxy_client_CApath: Str = "$smtp_tls_CApath";

    /// As `smtp_tls_cert_file`, for client connections made by tlsproxy.
    tlsproxy_client_cert_file: Str = "$smtp_tls_cert_file";

    /// As `smtp_tls_chain_files`, for client connections made by tlsproxy.
    tlsproxy_client_chain_files: Str = "$smtp_tls_chain_files";

    /// As `smtp_tls_dcert_file`, for client connections made by tlsproxy.
    tlsproxy_client_dcert_file: Str = "$smtp_tls_dcert_file";

    /// As `smtp_tls_dkey_file`, for client connections made by tlsproxy.
    tlsproxy_client_dkey_file: Str = "$smtp_tls_dkey_file";

    /// As `smtp_tls_eccert_file`, for client connections made by tlsproxy.
    tlsproxy_client_eccert_file: Str = "$smtp_tls_eccert_file";

    /// As `smtp_tls_eckey_file`, for client connections made by tlsproxy.
    tlsproxy_client_eckey_file: Str = "$smtp_tls_eckey_file";

    /// As `smtp_enforce_tls`, for client connections made by tlsproxy.
    tlsproxy_client_enforce_tls: Nbool = "$smtp_enforce_tls";

    /// As `smtp_tls_fingerprint_digest`, for client connections made by tlsproxy.
    tlsproxy_client_fingerprint_digest: Str = "$smtp_tls_fingerprint_digest", min 1;

    /// As `smtp_tls_key_file`, for client connections made by tlsproxy.
    tlsproxy_client_key_file: Str = "$smtp_tls_key_file";

    /// As `smtp_tls_loglevel`, for client connections made by tlsproxy.
    tlsproxy_client_loglevel: Str = "$smtp_tls_loglevel";

    /// Name of the parameter that is blamed in messages about the client's log level.
    tlsproxy_client_loglevel_parameter: Str = "smtp_tls_loglevel";

    /// As `smtp_tls_per_site`, for client connections made by tlsproxy.
    tlsproxy_client_per_site: Str = "$smtp_tls_per_site";

    /// As `smtp_tls_policy_maps`, for client connections made by tlsproxy.
    tlsproxy_client_policy_maps: Str = "${tlsproxy_client_policy?{$tlsproxy_client_policy}:{$smtp_tls_policy_maps}}";

    /// As `smtp_tls_scert_verifydepth`, for client connections made by tlsproxy.
    tlsproxy_client_scert_verifydepth: Nint = "$smtp_tls_scert_verifydepth";

    /// As `smtp_tls_security_level`, for client connections made by tlsproxy.
    tlsproxy_client_security_level: Str = "${tlsproxy_client_level?{$tlsproxy_client_level}:{$smtp_tls_security_level}}";

    /// As `smtp_use_tls`, for client connections made by tlsproxy.
    tlsproxy_client_use_tls: Nbool = "$smtp_use_tls";

    /// As `smtpd_enforce_tls`, for server connections handled by tlsproxy.
    tlsproxy_enforce_tls: Nbool = "$smtpd_enforce_tls";

    /// As `smtpd_tls_CAfile`, for server connections handled by tlsproxy.
    tlsproxy_tls_CAfile: Str = "$smtpd_tls_CAfile";

    /// As `smtpd_tls_CApath`, for server connections handled by tlsproxy.
    tlsproxy_tls_CApath: Str = "$smtpd_tls_CApath";

    /// As `smtpd_tls_always_issue_session_ids`, for server connections handled by tlsproxy.
    tlsproxy_tls_always_issue_session_ids: Nbool = "$smtpd_tls_always_issue_session_ids";

    /// As `smtpd_tls_ask_ccert`, for server connections handled by tlsproxy.
    tlsproxy_tls_ask_ccert: Nbool = "$smtpd_tls_ask_ccert";

    /// As `smtpd_tls_ccert_verifydepth`, for server connections handled by tlsproxy.
    tlsproxy_tls_ccert_verifydepth: Nint = "$smtpd_tls_ccert_verifydepth";

    /// As `smtpd_tls_cert_file`, for server connections handled by tlsproxy.
    tlsproxy_tls_cert_file: Str = "$smtpd_tls_cert_file";

    /// As `smtpd_tls_chain_files`, for server connections handled by tlsproxy.
    tlsproxy_tls_chain_files: Str = "$smtpd_tls_chain_files";

    /// As `smtpd_tls_ciphers`, for server connections handled by tlsproxy.
    tlsproxy_tls_ciphers: Str = "$smtpd_tls_ciphers", min 1;

    /// As `smtpd_tls_dcert_file`, for server connections handled by tlsproxy.
    tlsproxy_tls_dcert_file: Str = "$smtpd_tls_dcert_file";

    /// As `smtpd_tls_dh1024_param_file`, for server connections handled by tlsproxy.
    tlsproxy_tls_dh1024_param_file: Str = "$smtpd_tls_dh1024_param_file";

    /// As `smtpd_tls_dh512_param_file`, for server connections handled by tlsproxy.
    tlsproxy_tls_dh512_param_file: Str = "$smtpd_tls_dh512_param_file";

    /// As `smtpd_tls_dkey_file`, for server connections handled by tlsproxy.
    tlsproxy_tls_dkey_file: Str = "$smtpd_tls_dkey_file";

    /// As `smtpd_tls_eccert_file`, for server connections handled by tlsproxy.
    tlsproxy_tls_eccert_file: Str = "$smtpd_tls_eccert_file";

    /// As `smtpd_tls_eckey_file`, for server connections handled by tlsproxy.
    tlsproxy_tls_eckey_file: Str = "$smtpd_tls_eckey_file";

    /// As `smtpd_tls_eecdh_grade`, for server connections handled by tlsproxy.
    tlsproxy_tls_eecdh_grade: Str = "$smtpd_tls_eecdh_grade", min 1;

    /// As `smtpd_tls_enable_rpk`, for server connections handled by tlsproxy.
    tlsproxy_tls_enable_rpk: Nbool = "$smtpd_tls_enable_rpk";

    /// As `smtpd_tls_exclude_ciphers`, for server connections handled by tlsproxy.
    tlsproxy_tls_exclude_ciphers: Str = "$smtpd_tls_exclude_ciphers";

    /// As `smtpd_tls_fingerprint_digest`, for server connections handled by tlsproxy.
    tlsproxy_tls_fingerprint_digest: Str = "$smtpd_tls_fingerprint_digest", min 1;

    /// As `smtpd_tls_key_file`, for server connections handled by tlsproxy.
    tlsproxy_tls_key_file: Str = "$smtpd_tls_key_file";

    /// As `smtpd_tls_loglevel`, for server connections handled by tlsproxy.
    tlsproxy_tls_loglevel: Str = "$smtpd_tls_loglevel";

    /// As `smtpd_tls_mandatory_ciphers`, for server connections handled by tlsproxy.
    tlsproxy_tls_mandatory_ciphers: Str = "$smtpd_tls_mandatory_ciphers", min 1;

    /// As `smtpd_tls_mandatory_exclude_ciphers`, for server connections handled by tlsproxy.
    tlsproxy_tls_mandatory_exclude_ciphers: Str = "$smtpd_tls_mandatory_exclude_ciphers";

    /// As `smtpd_tls_mandatory_protocols`, for server connections handled by tlsproxy.
    tlsproxy_tls_mandatory_protocols: Str = "$smtpd_tls_mandatory_protocols";

    /// As `smtpd_tls_protocols`, for server connections handled by tlsproxy.
    tlsproxy_tls_protocols: Str = "$smtpd_tls_protocols";

    /// As `smtpd_tls_req_ccert`, for server connections handled by tlsproxy.
    tlsproxy_tls_req_ccert: Nbool = "$smtpd_tls_req_ccert";

    /// As `smtpd_tls_security_level`, for server connections handled by tlsproxy.
    tlsproxy_tls_security_level: Str = "$smtpd_tls_security_level";

    /// As `smtpd_use_tls`, for server connections handled by tlsproxy.
    tlsproxy_use_tls: Nbool = "$smtpd_use_tls";

    /// How long one event may take before tlsproxy is terminated.
    tlsproxy_watchdog_timeout: Time = "10s", min 10;
}
