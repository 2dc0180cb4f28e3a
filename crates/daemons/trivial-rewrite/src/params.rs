//! What trivial-rewrite(8) reads from main.cf.

conf::param_set! {
    /// For both kinds of question.
    pub struct RewriteParams {
        // The host.
        myhostname, mydomain, myorigin, mydestination, recipient_delimiter, owner_request_special,
        double_bounce_sender,
        // Standard form.
        swap_bangpath, append_at_myorigin, append_dot_mydomain, allow_percent_hack, remote_header_rewrite_domain,
        // Address classes.
        virtual_alias_domains, virtual_mailbox_domains, relay_domains, parent_domain_matches_subdomains,
        // Oddities.
        resolve_dequoted_address, resolve_null_domain, resolve_numeric_domain, empty_address_recipient,
        allow_min_user, smtputf8_enable, helpful_warnings, show_user_unknown_table_name,
        // Destinations.
        local_transport, virtual_transport, relay_transport, default_transport, relayhost, transport_maps,
        sender_dependent_default_transport_maps, sender_dependent_relayhost_maps, relocated_maps,
        relocated_prefix_enable, empty_address_relayhost_maps_lookup_key,
        empty_address_default_transport_maps_lookup_key,
        // Destinations of probes.
        address_verify_local_transport, address_verify_virtual_transport, address_verify_relay_transport,
        address_verify_default_transport, address_verify_relayhost, address_verify_transport_maps,
        address_verify_sender_dependent_default_transport_maps, address_verify_sender_dependent_relayhost_maps,
    }
}
