//! The parameters that smtpd(8) reads.
#![allow(non_snake_case)] // The names are those of main.cf.

conf::param_set! {
    /// What smtpd(8) reads.
    pub struct Settings {
        myhostname, myorigin, mail_name, mynetworks, mynetworks_style, relay_domains, soft_bounce, line_length_limit,
        message_size_limit, queue_minfree, recipient_delimiter, double_bounce_sender, smtputf8_enable,
        strict_smtputf8, smtputf8_autodetect_classes, default_verp_delimiters, verp_delimiter_filter,
        parent_domain_matches_subdomains, info_log_address_format, inet_protocols, cleanup_service_name,
        rewrite_service_name, ipc_idle, ipc_timeout, ipc_ttl, notify_classes, bounce_notice_recipient,
        error_notice_recipient, header_from_format, receive_override_options, content_filter,
        address_verify_sender, address_verify_sender_ttl, address_verify_service_name, address_verify_poll_count,
        address_verify_poll_delay, unverified_sender_defer_code, unverified_sender_reject_code,
        unverified_sender_reject_reason, unverified_sender_tempfail_action, unverified_recipient_defer_code,
        unverified_recipient_reject_code, unverified_recipient_reject_reason, unverified_recipient_tempfail_action, alias_maps, owner_request_special,

        smtpd_banner, smtpd_timeout, smtpd_per_request_deadline, smtpd_min_data_rate, smtpd_helo_required,
        smtpd_peername_lookup, smtpd_client_port_logging, smtpd_noop_commands, smtpd_forbidden_commands,
        smtpd_forbid_unauth_pipelining, smtpd_forbid_bare_newline, smtpd_forbid_bare_newline_exclusions,
        smtpd_forbid_bare_newline_reject_code, smtpd_discard_ehlo_keywords, smtpd_discard_ehlo_keyword_address_maps,
        smtpd_command_filter, smtpd_reject_filter_maps, smtpd_reject_footer, smtpd_reject_footer_maps,
        smtpd_hide_client_session, smtpd_authorized_verp_clients, smtpd_authorized_xclient_hosts,
        smtpd_authorized_xforward_hosts, smtpd_proxy_filter, smtpd_upstream_proxy_protocol, smtpd_milters,
        smtpd_milter_maps, smtpd_dns_reply_filter, smtpd_expansion_filter, smtpd_history_flush_threshold,
        disable_vrfy_command, strict_rfc821_envelopes, smtpd_delay_open_until_valid_rcpt, stress,

        smtpd_error_sleep_time, smtpd_soft_error_limit, smtpd_hard_error_limit, smtpd_junk_command_limit,
        smtpd_recipient_limit, smtpd_recipient_overshoot_limit, smtpd_client_connection_count_limit,
        smtpd_client_connection_rate_limit, smtpd_client_message_rate_limit, smtpd_client_recipient_rate_limit,
        smtpd_client_new_tls_session_rate_limit, smtpd_client_auth_rate_limit, smtpd_client_event_limit_exceptions,
        smtpd_client_ipv4_prefix_length, smtpd_client_ipv6_prefix_length,

        smtpd_client_restrictions, smtpd_helo_restrictions, smtpd_sender_restrictions, smtpd_relay_restrictions,
        smtpd_recipient_restrictions, smtpd_data_restrictions, smtpd_end_of_data_restrictions,
        smtpd_etrn_restrictions, smtpd_restriction_classes, smtpd_delay_reject,
        smtpd_relay_before_recipient_restrictions, smtpd_log_access_permit_actions, smtpd_null_access_lookup_key,
        smtpd_reject_unlisted_sender, smtpd_reject_unlisted_recipient, local_header_rewrite_clients,
        allow_untrusted_routing, permit_mx_backup_networks, show_user_unknown_table_name, rbl_reply_maps,
        default_rbl_reply, relay_clientcerts, unknown_address_tempfail_action, unknown_helo_hostname_tempfail_action,

        smtpd_policy_service_default_action, smtpd_policy_service_policy_context, smtpd_policy_service_timeout,
        smtpd_policy_service_max_idle, smtpd_policy_service_max_ttl, smtpd_policy_service_retry_delay,
        smtpd_policy_service_request_limit, smtpd_policy_service_try_limit, compatibility_level, mail_version,

        local_recipient_maps, relay_recipient_maps, virtual_alias_maps, virtual_mailbox_maps, canonical_maps,
        sender_canonical_maps, recipient_canonical_maps,

        access_map_defer_code, access_map_reject_code, defer_code, reject_code, invalid_hostname_reject_code,
        maps_rbl_reject_code, multi_recipient_bounce_reject_code, non_fqdn_reject_code, plaintext_reject_code,
        relay_domains_reject_code, unknown_address_reject_code, unknown_client_reject_code,
        unknown_hostname_reject_code, unknown_local_recipient_reject_code, unknown_relay_recipient_reject_code,
        unknown_virtual_alias_reject_code, unknown_virtual_mailbox_reject_code,

        smtpd_sasl_auth_enable, smtpd_sasl_authenticated_header,

        smtpd_use_tls, smtpd_enforce_tls, smtpd_tls_security_level, smtpd_tls_wrappermode, smtpd_tls_auth_only,
        smtpd_tls_ask_ccert, smtpd_tls_req_ccert, smtpd_tls_received_header, smtpd_tls_loglevel,
        smtpd_tls_cert_file, smtpd_tls_key_file, smtpd_tls_eccert_file, smtpd_tls_eckey_file,
        smtpd_tls_dcert_file, smtpd_tls_chain_files, smtpd_tls_CAfile, smtpd_tls_CApath,
        smtpd_tls_protocols, smtpd_tls_mandatory_protocols, smtpd_tls_exclude_ciphers,
        smtpd_tls_mandatory_exclude_ciphers, smtpd_tls_fingerprint_digest, smtpd_starttls_timeout,
        tls_append_default_CA, smtpd_tls_session_cache_timeout, tls_session_ticket_cipher, tlsmgr_service_name,
        smtpd_tls_ciphers, smtpd_tls_mandatory_ciphers, tls_preempt_cipherlist, tls_server_sni_maps
    }
}
