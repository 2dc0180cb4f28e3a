//! The LMTP client, where it has parameters of its own or defaults that differ.

params! {
    /// As `smtp_address_preference`, for the LMTP client.
    lmtp_address_preference: Str = "any", min 1;

    /// As `smtp_address_verify_target`, for the LMTP client.
    lmtp_address_verify_target: Str = "rcpt", min 1;

    /// Take an LMTP server's success as final delivery when it does not announce DSN, so that reports say so.
    lmtp_assume_final: Bool = "no";

    /// As `smtp_balance_inet_protocols`, for the LMTP client.
    lmtp_balance_inet_protocols: Bool = "yes";

    /// As `smtp_bind_address`, for the LMTP client.
    lmtp_bind_address: Str = "";

    /// As `smtp_bind_address6`, for the LMTP client.
    lmtp_bind_address6: Str = "";

    /// As `smtp_bind_address_enforce`, for the LMTP client.
    lmtp_bind_address_enforce: Bool = "no";

    /// As `smtp_body_checks`, for the LMTP client.
    lmtp_body_checks: Str = "";

    /// As `smtp_cname_overrides_servername`, for the LMTP client.
    lmtp_cname_overrides_servername: Bool = "no";

    /// As `smtp_connect_timeout`, for the LMTP client.
    lmtp_connect_timeout: Time = "0s";

    /// As `smtp_connection_cache_destinations`, for the LMTP client.
    lmtp_connection_cache_destinations: Str = "";

    /// As `smtp_connection_cache_on_demand`, for the LMTP client.
    lmtp_connection_cache_on_demand: Bool = "yes";

    /// As `smtp_connection_cache_time_limit`, for the LMTP client.
    lmtp_connection_cache_time_limit: Time = "2s", min 1;

    /// As `smtp_connection_reuse_count_limit`, for the LMTP client.
    lmtp_connection_reuse_count_limit: Int = "0";

    /// As `smtp_connection_reuse_time_limit`, for the LMTP client.
    lmtp_connection_reuse_time_limit: Time = "300s", min 1;

    /// As `smtp_data_done_timeout`, for the LMTP client.
    lmtp_data_done_timeout: Time = "600s", min 1;

    /// As `smtp_data_init_timeout`, for the LMTP client.
    lmtp_data_init_timeout: Time = "120s", min 1;

    /// As `smtp_data_xfer_timeout`, for the LMTP client.
    lmtp_data_xfer_timeout: Time = "180s", min 1;

    /// As `smtp_defer_if_no_mx_address_found`, for the LMTP client.
    lmtp_defer_if_no_mx_address_found: Bool = "no";

    /// As `smtp_delivery_status_filter`, for the LMTP client.
    lmtp_delivery_status_filter: Str = "$default_delivery_status_filter";

    /// Tables by server address of LHLO keywords to ignore in its answer.
    lmtp_discard_lhlo_keyword_address_maps: Str = "";

    /// LHLO keywords to ignore in every server's answer.
    lmtp_discard_lhlo_keywords: Str = "";

    /// As `smtp_dns_reply_filter`, for the LMTP client.
    lmtp_dns_reply_filter: Str = "";

    /// As `smtp_dns_resolver_options`, for the LMTP client.
    lmtp_dns_resolver_options: Str = "";

    /// As `smtp_dns_support_level`, for the LMTP client.
    lmtp_dns_support_level: Str = "";

    /// As `smtp_enforce_tls`, for the LMTP client.
    lmtp_enforce_tls: Bool = "no";

    /// As `smtp_fallback_relay`, for the LMTP client.
    lmtp_fallback_relay: Str = "";

    /// As `smtp_generic_maps`, for the LMTP client.
    lmtp_generic_maps: Str = "";

    /// As `smtp_header_checks`, for the LMTP client.
    lmtp_header_checks: Str = "";

    /// As `smtp_host_lookup`, for the LMTP client.
    lmtp_host_lookup: Str = "dns", min 1;

    /// Name to give in LHLO.
    lmtp_lhlo_name: Str = "$myhostname", min 1;

    /// Time limit for sending LHLO and for the server's answer, and for its greeting.
    lmtp_lhlo_timeout: Time = "300s", min 1;

    /// As `smtp_line_length_limit`, for the LMTP client.
    lmtp_line_length_limit: Int = "998";

    /// As `smtp_log_tls_feature_status`, for the LMTP client.
    lmtp_log_tls_feature_status: Nbool = "${{$compatibility_level} <level {3.11} ? {no} : {yes}}";

    /// As `smtp_mail_timeout`, for the LMTP client.
    lmtp_mail_timeout: Time = "300s", min 1;

    /// As `smtp_mime_header_checks`, for the LMTP client.
    lmtp_mime_header_checks: Str = "";

    /// As `smtp_min_data_rate`, for the LMTP client.
    lmtp_min_data_rate: Int = "500", min 1;

    /// As `smtp_mx_address_limit`, for the LMTP client.
    lmtp_mx_address_limit: Int = "5";

    /// As `smtp_mx_session_limit`, for the LMTP client.
    lmtp_mx_session_limit: Int = "2";

    /// As `smtp_nested_header_checks`, for the LMTP client.
    lmtp_nested_header_checks: Str = "";

    /// As `smtp_per_request_deadline`, for the LMTP client.
    lmtp_per_request_deadline: Nbool = "${lmtp_per_record_deadline?{$lmtp_per_record_deadline}:{no}}";

    /// As `smtp_pix_workaround_delay_time`, for the LMTP client.
    lmtp_pix_workaround_delay_time: Time = "10s", min 1;

    /// As `smtp_pix_workaround_maps`, for the LMTP client.
    lmtp_pix_workaround_maps: Str = "";

    /// As `smtp_pix_workaround_threshold_time`, for the LMTP client.
    lmtp_pix_workaround_threshold_time: Time = "500s";

    /// As `smtp_pix_workarounds`, for the LMTP client.
    lmtp_pix_workarounds: Str = "disable_esmtp,delay_dotcrlf";

    /// As `smtp_quit_timeout`, for the LMTP client.
    lmtp_quit_timeout: Time = "300s", min 1;

    /// As `smtp_quote_rfc821_envelope`, for the LMTP client.
    lmtp_quote_rfc821_envelope: Bool = "yes";

    /// As `smtp_randomize_addresses`, for the LMTP client.
    lmtp_randomize_addresses: Bool = "yes";

    /// As `smtp_rcpt_timeout`, for the LMTP client.
    lmtp_rcpt_timeout: Time = "300s", min 1;

    /// As `smtp_reply_filter`, for the LMTP client.
    lmtp_reply_filter: Str = "";

    /// As `smtp_requiretls_policy`, for the LMTP client.
    lmtp_requiretls_policy: Str = "opportunistic";

    /// As `smtp_rset_timeout`, for the LMTP client.
    lmtp_rset_timeout: Time = "20s", min 1;

    /// As `smtp_sasl_auth_cache_name`, for the LMTP client.
    lmtp_sasl_auth_cache_name: Str = "";

    /// As `smtp_sasl_auth_cache_time`, for the LMTP client.
    lmtp_sasl_auth_cache_time: Time = "90d";

    /// As `smtp_sasl_auth_enable`, for the LMTP client.
    lmtp_sasl_auth_enable: Bool = "no";

    /// As `smtp_sasl_auth_soft_bounce`, for the LMTP client.
    lmtp_sasl_auth_soft_bounce: Bool = "yes";

    /// As `smtp_sasl_mechanism_filter`, for the LMTP client.
    lmtp_sasl_mechanism_filter: Str = "";

    /// As `smtp_sasl_password_maps`, for the LMTP client.
    lmtp_sasl_password_maps: Str = "";

    /// As `smtp_sasl_password_result_delimiter`, for the LMTP client.
    lmtp_sasl_password_result_delimiter: Str = ":", min 1, max 1;

    /// As `smtp_sasl_path`, for the LMTP client.
    lmtp_sasl_path: Str = "";

    /// As `smtp_sasl_security_options`, for the LMTP client.
    lmtp_sasl_security_options: Str = "noplaintext, noanonymous";

    /// As `smtp_sasl_tls_security_options`, for the LMTP client.
    lmtp_sasl_tls_security_options: Str = "$lmtp_sasl_security_options";

    /// As `smtp_sasl_tls_verified_security_options`, for the LMTP client.
    lmtp_sasl_tls_verified_security_options: Str = "$lmtp_sasl_tls_security_options";

    /// As `smtp_sasl_type`, for the LMTP client.
    lmtp_sasl_type: Str = "cyrus", min 1;

    /// As `smtp_send_dummy_mail_auth`, for the LMTP client.
    lmtp_send_dummy_mail_auth: Bool = "no";

    /// As `smtp_send_xforward_command`, for the LMTP client.
    lmtp_send_xforward_command: Bool = "no";

    /// As `smtp_sender_dependent_authentication`, for the LMTP client.
    lmtp_sender_dependent_authentication: Bool = "no";

    /// As `smtp_skip_5xx_greeting`, for the LMTP client.
    lmtp_skip_5xx_greeting: Bool = "yes";

    /// As `smtp_skip_quit_response`, for the LMTP client.
    lmtp_skip_quit_response: Bool = "no";

    /// As `smtp_starttls_timeout`, for the LMTP client.
    lmtp_starttls_timeout: Time = "300s", min 1;

    /// As `smtp_tcp_port`, for the LMTP client.
    lmtp_tcp_port: Str = "24";

    /// As `smtp_tls_CAfile`, for the LMTP client.
    lmtp_tls_CAfile: Str = "";

    /// As `smtp_tls_CApath`, for the LMTP client.
    lmtp_tls_CApath: Str = "";

    /// As `smtp_tls_block_early_mail_reply`, for the LMTP client.
    lmtp_tls_block_early_mail_reply: Bool = "no";

    /// As `smtp_tls_cert_file`, for the LMTP client.
    lmtp_tls_cert_file: Str = "";

    /// As `smtp_tls_chain_files`, for the LMTP client.
    lmtp_tls_chain_files: Str = "";

    /// As `smtp_tls_ciphers`, for the LMTP client.
    lmtp_tls_ciphers: Str = "medium", min 1;

    /// As `smtp_tls_connection_reuse`, for the LMTP client.
    lmtp_tls_connection_reuse: Bool = "no";

    /// As `smtp_tls_dcert_file`, for the LMTP client.
    lmtp_tls_dcert_file: Str = "";

    /// As `smtp_tls_dkey_file`, for the LMTP client.
    lmtp_tls_dkey_file: Str = "$lmtp_tls_dcert_file";

    /// As `smtp_tls_eccert_file`, for the LMTP client.
    lmtp_tls_eccert_file: Str = "";

    /// As `smtp_tls_eckey_file`, for the LMTP client.
    lmtp_tls_eckey_file: Str = "$lmtp_tls_eccert_file";

    /// As `smtp_tls_enable_rpk`, for the LMTP client.
    lmtp_tls_enable_rpk: Bool = "no";

    /// As `smtp_tls_enforce_peername`, for the LMTP client.
    lmtp_tls_enforce_peername: Bool = "yes";

    /// As `smtp_tls_enforce_sts_mx_patterns`, for the LMTP client.
    lmtp_tls_enforce_sts_mx_patterns: Nbool = "yes";

    /// As `smtp_tls_exclude_ciphers`, for the LMTP client.
    lmtp_tls_exclude_ciphers: Str = "";

    /// As `smtp_tls_fingerprint_cert_match`, for the LMTP client.
    lmtp_tls_fingerprint_cert_match: Str = "";

    /// As `smtp_tls_fingerprint_digest`, for the LMTP client.
    lmtp_tls_fingerprint_digest: Str = "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}", min 1;

    /// As `smtp_tls_force_insecure_host_tlsa_lookup`, for the LMTP client.
    lmtp_tls_force_insecure_host_tlsa_lookup: Bool = "no";

    /// As `smtp_tls_key_file`, for the LMTP client.
    lmtp_tls_key_file: Str = "$lmtp_tls_cert_file";

    /// As `smtp_tls_loglevel`, for the LMTP client.
    lmtp_tls_loglevel: Str = "0";

    /// As `smtp_tls_mandatory_ciphers`, for the LMTP client.
    lmtp_tls_mandatory_ciphers: Str = "medium", min 1;

    /// As `smtp_tls_mandatory_exclude_ciphers`, for the LMTP client.
    lmtp_tls_mandatory_exclude_ciphers: Str = "";

    /// As `smtp_tls_mandatory_protocols`, for the LMTP client.
    lmtp_tls_mandatory_protocols: Str = ">=TLSv1";

    /// As `smtp_tls_note_starttls_offer`, for the LMTP client.
    lmtp_tls_note_starttls_offer: Bool = "no";

    /// As `smtp_tls_per_site`, for the LMTP client.
    lmtp_tls_per_site: Str = "";

    /// As `smtp_tls_policy_maps`, for the LMTP client.
    lmtp_tls_policy_maps: Str = "";

    /// As `smtp_tls_protocols`, for the LMTP client.
    lmtp_tls_protocols: Str = ">=TLSv1";

    /// As `smtp_tls_scert_verifydepth`, for the LMTP client.
    lmtp_tls_scert_verifydepth: Int = "9";

    /// As `smtp_tls_secure_cert_match`, for the LMTP client.
    lmtp_tls_secure_cert_match: Str = "nexthop", min 1;

    /// As `smtp_tls_security_level`, for the LMTP client.
    lmtp_tls_security_level: Str = "";

    /// As `smtp_tls_servername`, for the LMTP client.
    lmtp_tls_servername: Str = "";

    /// As `smtp_tls_session_cache_database`, for the LMTP client.
    lmtp_tls_session_cache_database: Str = "";

    /// As `smtp_tls_session_cache_timeout`, for the LMTP client.
    lmtp_tls_session_cache_timeout: Time = "3600s", max 8640000;

    /// As `smtp_tls_trust_anchor_file`, for the LMTP client.
    lmtp_tls_trust_anchor_file: Str = "";

    /// As `smtp_tls_verify_cert_match`, for the LMTP client.
    lmtp_tls_verify_cert_match: Str = "hostname", min 1;

    /// As `smtp_tls_wrappermode`, for the LMTP client.
    lmtp_tls_wrappermode: Bool = "no";

    /// As `smtp_tlsrpt_enable`, for the LMTP client.
    lmtp_tlsrpt_enable: Nbool = "no";

    /// As `smtp_tlsrpt_skip_reused_handshakes`, for the LMTP client.
    lmtp_tlsrpt_skip_reused_handshakes: Nbool = "no";

    /// As `smtp_tlsrpt_socket_name`, for the LMTP client.
    lmtp_tlsrpt_socket_name: Str = "";

    /// As `smtp_use_tls`, for the LMTP client.
    lmtp_use_tls: Bool = "no";

    /// As `smtp_xforward_timeout`, for the LMTP client.
    lmtp_xforward_timeout: Time = "300s", min 1;
}
