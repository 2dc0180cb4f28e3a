//! trivial-rewrite: standard form of addresses, and the way of a recipient.

params! {
    /// Allow recipient addresses whose local part begins with `-`, which some commands would take as an option.
    allow_min_user: Bool = "no";

    /// Rewrite `user%domain` to `user@domain`.
    allow_percent_hack: Bool = "yes";

    /// Complete `user` to `user@$myorigin` in mail that originates here.
    append_at_myorigin: Bool = "yes";

    /// Complete `user@host` to `user@host.$mydomain` in mail that originates here.
    append_dot_mydomain: Nbool = "${{$compatibility_level} <level {1} ? {yes} : {no}}";

    /// Transport (and nexthop) for destinations that no other class or table covers.
    default_transport: Str = "smtp", min 1;

    /// Transport (and nexthop) for domains in `mydestination` and addresses of this host.
    local_transport: Str = "local:$myhostname", min 1;

    /// Domains for which this system relays mail onward: names, files, or tables. Subdomains match too unless
    /// told otherwise.
    relay_domains: Str = "${{$compatibility_level} <level {2} ? {$mydestination} : {}}";

    /// Transport (and nexthop) for domains in `relay_domains`.
    relay_transport: Str = "relay", min 1;

    /// Next host for all mail that is neither local nor routed otherwise. `[name]` turns the MX lookup off, and
    /// `:port` may follow; several are tried in turn.
    relayhost: Str = "";

    /// Tables with the new addresses or places of those who have moved away; mail to them is returned with that
    /// text.
    relocated_maps: Str = "";

    /// Put the standard "has moved to" status and text before a result of `relocated_maps`; otherwise results
    /// bring their own status code.
    relocated_prefix_enable: Nbool = "yes";

    /// Domain that completes incomplete header addresses of mail from remote clients. Empty leaves such headers
    /// alone.
    remote_header_rewrite_domain: Str = "";

    /// Tables of transports by sender address or sender domain, in place of `default_transport`.
    sender_dependent_default_transport_maps: Str = "";

    /// Tables of relay hosts by sender address or sender domain, in place of `relayhost`.
    sender_dependent_relayhost_maps: Str = "";

    /// Say in "user unknown" replies in which class of table the recipient was not found.
    show_user_unknown_table_name: Bool = "yes";

    /// Rewrite `site!user` to `user@site`.
    swap_bangpath: Bool = "yes";

    /// Tables from recipient or domain to transport and nexthop, before all other routing.
    transport_maps: Str = "";

    /// Transport (and nexthop) for domains in `virtual_mailbox_domains`.
    virtual_transport: Str = "virtual", min 1;
}
