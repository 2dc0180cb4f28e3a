//! Address classes, and what overrides their routes.

mod site;

use ferrofix_trivial_rewrite::resolve::Scope;
use ipc::rewrite::{Purpose, Rule};
use site::{Site, shown};

fn plain() -> Site {
    Site::new([])
}

const LOST: &str = "CHANNEL NOT UPDATED|NEXTHOP NOT UPDATED";

#[test]
fn the_five_classes() {
    let site = Site::new([
        ("virtual_alias_domains", "alias.test"),
        ("virtual_mailbox_domains", "box.test, .sub.test"),
        ("relay_domains", "relay.test"),
    ]);
    for (address, want) in [
        ("u@host.example.com", "local|host.example.com|u@host.example.com|CLASS_LOCAL"),
        ("u", "local|host.example.com|u@host.example.com|CLASS_LOCAL"),
        ("u@localhost", "local|host.example.com|u@localhost|CLASS_LOCAL"),
        ("u@[192.0.2.1]", "local|host.example.com|u@[192.0.2.1]|CLASS_LOCAL"),
        ("u@[IPv6:2001:db8::1]", "local|host.example.com|u@[IPv6:2001:db8::1]|CLASS_LOCAL"),
        ("u@[192.0.2.2]", "smtp|[192.0.2.2]|u@[192.0.2.2]|CLASS_DEFAULT"),
        ("u@alias.test", "error|5.1.1 User unknown in virtual alias table|u@alias.test|CLASS_ALIAS"),
        ("u@ALIAS.test", "error|5.1.1 User unknown in virtual alias table|u@ALIAS.test|CLASS_ALIAS"),
        ("u@box.test", "virtual|box.test|u@box.test|CLASS_VIRTUAL"),
        ("u@x.sub.test", "smtp|x.sub.test|u@x.sub.test|CLASS_DEFAULT"),
        ("u@relay.test", "relay|relay.test|u@relay.test|CLASS_RELAY"),
        ("u@below.relay.test", "relay|below.relay.test|u@below.relay.test|CLASS_RELAY"),
        ("u@else.test", "smtp|else.test|u@else.test|CLASS_DEFAULT"),
        ("", "local|host.example.com|MAILER-DAEMON@host.example.com|CLASS_LOCAL"),
    ] {
        assert_eq!(site.route("", address), want, "{address}");
    }
}

#[test]
fn relayhosts_and_transports_in_main_cf() {
    let site = Site::new([
        ("relayhost", "[gw.test]:587"),
        ("relay_domains", "relay.test"),
        ("local_transport", "lmtp:unix:/run/x"),
        ("virtual_mailbox_domains", "box.test"),
        ("virtual_transport", "lmtp:"),
        ("default_transport", "smtp:[other.test]"),
    ]);
    assert_eq!(site.route("", "u@a.test"), "smtp|[other.test]|u@a.test|CLASS_DEFAULT");
    assert_eq!(site.route("", "u@relay.test"), "relay|[gw.test]:587|u@relay.test|CLASS_RELAY");
    assert_eq!(site.route("", "u@box.test"), "lmtp|box.test|u@box.test|CLASS_VIRTUAL");
    assert_eq!(site.route("", "u"), "lmtp|unix:/run/x|u@host.example.com|CLASS_LOCAL");
    let site = Site::new([("default_transport", ":nowhere")]);
    assert_eq!(site.route("", "u@a.test"), "|nowhere|u@a.test|FLAG_FAIL CLASS_DEFAULT");
}

#[test]
fn transport_maps_override() {
    let site = Site::new([
        ("recipient_delimiter", "+"),
        (
            "transport_maps",
            "inline:{ {a@x.test=slow:[a.test]}, {x.test=:[b.test]}, {.y.test=error}, {z.test=:}, \
             {host.example.com=retry:5.1.1 not: here}, {\"q r\"@x.test = lmtp:quoted} }",
        ),
        ("relayhost", "gw.test"),
        ("parent_domain_matches_subdomains", "transport_maps"),
    ]);
    assert_eq!(site.route("", "a+b@x.test"), "slow|[a.test]|a+b@x.test|CLASS_DEFAULT");
    assert_eq!(site.route("", "c@X.test"), "smtp|[b.test]|c@X.test|CLASS_DEFAULT");
    assert_eq!(site.route("", "c@sub.x.test"), "smtp|[b.test]|c@sub.x.test|CLASS_DEFAULT");
    assert_eq!(site.route("", "c@sub.y.test"), "smtp|gw.test|c@sub.y.test|CLASS_DEFAULT");
    assert_eq!(site.route("", "c@z.test"), "smtp|gw.test|c@z.test|CLASS_DEFAULT");
    assert_eq!(site.route("", "q r@x.test"), "lmtp|quoted|q r@x.test|CLASS_DEFAULT");
    assert_eq!(site.route("", "u"), "retry|5.1.1 not: here|u@host.example.com|CLASS_LOCAL");
    let site = Site::new([("transport_maps", "inline:{ {.y.test=error}, {*=slow:} }")]);
    assert_eq!(site.route("", "c@sub.y.test"), "error|Address is undeliverable|c@sub.y.test|CLASS_DEFAULT");
    assert_eq!(site.route("", "c@y.test"), "slow|y.test|c@y.test|CLASS_DEFAULT");
    let site = Site::new([("transport_maps", "inline:{x.test=a:b}"), ("virtual_alias_domains", "x.test")]);
    assert!(site.route("", "c@x.test").starts_with("error|5.1.1 User unknown"));
}

#[test]
fn senders_choose() {
    let site = Site::new([
        (
            "sender_dependent_relayhost_maps",
            "inline:{ {a@s.test=[a.test]}, {@s.test=[s.test]}, {<>=[null.test]}, {d@s.test=dunno} }",
        ),
        (
            "sender_dependent_default_transport_maps",
            "inline:{ {a@s.test=out-a}, {b@s.test=out-b:[direct]}, {d@s.test=DUNNO} }",
        ),
        ("relayhost", "gw.test"),
        ("relay_domains", "relay.test"),
    ]);
    for (sender, address, want) in [
        ("a@s.test", "u@x.test", "out-a|[a.test]|u@x.test|CLASS_DEFAULT"),
        ("b@s.test", "u@x.test", "out-b|[direct]|u@x.test|CLASS_DEFAULT"),
        ("c@s.test", "u@x.test", "smtp|[s.test]|u@x.test|CLASS_DEFAULT"),
        ("d@s.test", "u@x.test", "smtp|gw.test|u@x.test|CLASS_DEFAULT"),
        ("", "u@x.test", "smtp|[null.test]|u@x.test|CLASS_DEFAULT"),
        ("e@other.test", "u@x.test", "smtp|gw.test|u@x.test|CLASS_DEFAULT"),
        ("a@s.test", "u@relay.test", "relay|[a.test]|u@relay.test|CLASS_RELAY"),
        ("a@s.test", "u", "local|host.example.com|u@host.example.com|CLASS_LOCAL"),
    ] {
        assert_eq!(site.route(sender, address), want, "{sender} {address}");
    }
}

#[test]
fn probes_have_their_own_routes() {
    let site = Site::new([
        ("relayhost", "gw.test"),
        ("address_verify_relayhost", ""),
        ("address_verify_transport_maps", "inline:{x.test=probe:}"),
        ("address_verify_local_transport", "lmtp:local"),
        ("transport_maps", "inline:{x.test=slow:}"),
    ]);
    assert_eq!(site.route("", "u@x.test"), "slow|x.test|u@x.test|CLASS_DEFAULT");
    assert_eq!(site.probe("", "u@x.test"), "probe|x.test|u@x.test|CLASS_DEFAULT");
    assert_eq!(site.probe("", "u@y.test"), "smtp|y.test|u@y.test|CLASS_DEFAULT");
    assert_eq!(site.probe("", "u"), "lmtp|local|u@host.example.com|CLASS_LOCAL");
}

#[test]
fn relocated_users() {
    let map = "inline:{ {old@host.example.com=new@x.test}, {gone=5.7.1 nobody here}, {@x.test=there} }";
    let site = Site::new([("relocated_maps", map)]);
    let moved = "error|5.1.6 User has moved to";
    assert_eq!(site.route("", "old"), format!("{moved} new@x.test|old@host.example.com|CLASS_LOCAL"));
    assert_eq!(site.route("", "u@x.test"), format!("{moved} there|u@x.test|CLASS_DEFAULT"));
    let site = Site::new([("relocated_maps", map), ("relocated_prefix_enable", "no")]);
    assert_eq!(site.route("", "gone"), "error|5.7.1 nobody here|gone@host.example.com|CLASS_LOCAL");
    assert_eq!(site.route("", "u@x.test"), "error|5.2.0 Mailbox is unavailable|u@x.test|CLASS_DEFAULT");
}

#[test]
fn tables_that_fail_defer() {
    for name in [
        "mydestination",
        "virtual_alias_domains",
        "virtual_mailbox_domains",
        "relay_domains",
        "transport_maps",
        "relocated_maps",
        "sender_dependent_relayhost_maps",
        "sender_dependent_default_transport_maps",
    ] {
        let site = Site::new([(name, "fail:test")]);
        let resolved = site.resolve_for(Purpose::Delivery, "s@s.test", "u@x.test");
        assert!(resolved.flags.has(ipc::rewrite::Flags::FAIL), "{name}");
    }
}

#[test]
fn malformed_addresses() {
    let site = plain();
    for (address, recipient) in [
        ("u@1.2.3.4", "u@1.2.3.4"),
        ("u@[1.2.3]", "u@[1.2.3]"),
        ("u@a..b", "u@a..b"),
        ("u@-a.b", "u@-a.b"),
        ("u@\u{fffd}\u{1f4a9}..b", "u@\u{fffd}\u{1f4a9}..b"),
    ] {
        let want = format!("{LOST}|{recipient}|FLAG_ERROR CLASS_DEFAULT");
        assert_eq!(site.route("", address), want, "{address}");
    }
    assert_eq!(site.route("", "-u@x.test"), "smtp|x.test|-u@x.test|FLAG_ERROR CLASS_DEFAULT");
    let site = Site::new([("allow_min_user", "yes"), ("resolve_numeric_domain", "yes")]);
    assert_eq!(site.route("", "-u@x.test"), "smtp|x.test|-u@x.test|CLASS_DEFAULT");
    assert_eq!(site.route("", "u@1.2.3.4"), "smtp|[1.2.3.4]|u@[1.2.3.4]|CLASS_DEFAULT");
    assert_eq!(site.route("", "u@192.0.2.1"), "local|host.example.com|u@[192.0.2.1]|CLASS_LOCAL");
}

#[test]
fn internationalised_domains() {
    let site = plain();
    assert_eq!(site.route("", "ü@bücher.test"), "smtp|bücher.test|ü@bücher.test|CLASS_DEFAULT");
    let site = Site::new([("smtputf8_enable", "no")]);
    assert_eq!(site.route("", "u@bücher.test"), format!("{LOST}|u@bücher.test|FLAG_ERROR CLASS_DEFAULT"));
}

#[test]
fn routing_is_taken_off() {
    let site = plain();
    for (address, want) in [
        ("a%b.test@localhost", "smtp|b.test|a@b.test|CLASS_DEFAULT"),
        ("b.test!a@localhost", "smtp|b.test|a@b.test|CLASS_DEFAULT"),
        ("a@b.test@localhost", "smtp|b.test|a@b.test|CLASS_DEFAULT"),
        ("a%b.test@c.test", "smtp|c.test|a%b.test@c.test|FLAG_ROUTED CLASS_DEFAULT"),
        ("@localhost:a@b.test", "smtp|b.test|@localhost:a@b.test|FLAG_ROUTED CLASS_DEFAULT"),
        ("a b@localhost", "local|host.example.com|a b@localhost|CLASS_LOCAL"),
        ("a@localhost.", "local|host.example.com|a@localhost|CLASS_LOCAL"),
    ] {
        assert_eq!(site.route("", address), want, "{address}");
    }
    let site = Site::new([
        ("allow_percent_hack", "no"),
        ("swap_bangpath", "no"),
        ("resolve_dequoted_address", "no"),
        ("resolve_null_domain", "yes"),
    ]);
    for (address, want) in [
        ("a%b.test@localhost", "local|host.example.com|a%b.test@localhost|FLAG_ROUTED CLASS_LOCAL"),
        ("b!a", "local|host.example.com|b!a@host.example.com|FLAG_ROUTED CLASS_LOCAL"),
        ("a@", "local|host.example.com|a@host.example.com|CLASS_LOCAL"),
    ] {
        assert_eq!(site.route("", address), want, "{address}");
    }
}

#[test]
fn some_answers_hold_for_a_whole_domain() {
    let site = Site::new([
        ("virtual_alias_domains", "alias.test"),
        ("relay_domains", "inline:{relay.test=x}"),
        ("address_verify_transport_maps", "inline:{x=y}"),
    ]);
    for address in ["u@host.example.com", "u@alias.test", "u@relay.test", "u+x@else.test"] {
        assert_eq!(site.scope(address), Scope::Domain, "{address}");
    }
    for address in
        ["u", "", "u@localhost", "-u@else.test", "u%x@else.test", "\"u\"@else.test", "u@1.2", "u@192.0.2.7"]
    {
        assert_eq!(site.scope(address), Scope::Address, "{address}");
    }
    for (name, value) in [
        ("transport_maps", "inline:{x=y}"),
        ("relocated_maps", "inline:{x=y}"),
        ("sender_dependent_relayhost_maps", "inline:{x=y}"),
        ("sender_dependent_default_transport_maps", "inline:{x=y}"),
        ("relay_domains", "tcp:[127.0.0.1]:9"),
        ("virtual_mailbox_domains", "fail:x"),
    ] {
        assert_eq!(Site::new([(name, value)]).scope("u@else.test"), Scope::Address, "{name}");
    }
}

#[test]
fn deep_nesting_ends() {
    let site = plain();
    let deep = format!("u{}", "@localhost".repeat(2000));
    assert_eq!(site.route("", &deep), "local|host.example.com|u@localhost|CLASS_LOCAL");
    for byte in 0..=255u8 {
        let text = String::from_utf8_lossy(&[byte, b'!', byte, b'%', b'@', byte]).into_owned();
        site.route(&text, &text);
        site.rewrite(Rule::Local, &text);
    }
}

#[test]
fn standard_form() {
    let site = Site::new([("myorigin", "example.com"), ("append_dot_mydomain", "yes")]);
    for (address, want) in [
        ("user", "user@example.com"),
        ("user@host", "user@host.example.com"),
        ("user@[1.2.3.4]", "user@[1.2.3.4]"),
        ("first last", "\"first last\"@example.com"),
        ("\"\"", "\"\""),
        ("user (comment)", "\"user (comment)\"@example.com"),
        ("  ", "\"\""),
        ("!a b", "ab@"),
        ("x!a b", "\"a b\"@x.example.com"),
    ] {
        assert_eq!(shown(&site.rewrite(Rule::Local, address)), want, "{address}");
    }
    assert_eq!(shown(&site.rewrite(Rule::Remote, "user")), "user");
    assert_eq!(shown(&site.rewrite(Rule::Remote, "user@host")), "user@host");
    let off = Site::new([("append_at_myorigin", "no"), ("append_dot_mydomain", "no")]);
    assert_eq!(shown(&off.rewrite(Rule::Local, "user")), "user");
    assert_eq!(shown(&off.rewrite(Rule::Local, "user@host")), "user@host");
}
