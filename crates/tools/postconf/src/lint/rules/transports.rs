//! Transports: those that no service provides, and those that want one recipient at a time.

use super::files;
use crate::lint::config::{Config, Service, Setting};
use crate::lint::nearest::{did_you_mean, nearest};
use crate::lint::report::Report;

/// Parameters whose value is `transport:nexthop`.
const NAMED: [&str; 8] = [
    "content_filter",
    "default_transport",
    "fallback_transport",
    "local_transport",
    "mailbox_transport",
    "relay_transport",
    "virtual_transport",
    "address_verify_default_transport",
];

/// Tables whose values are `transport:nexthop`.
const TABLES: [&str; 4] = [
    "transport_maps",
    "mailbox_transport_maps",
    "fallback_transport_maps",
    "sender_dependent_default_transport_maps",
];

/// A transport with the setting that names it, and the text that does.
struct Use<'a> {
    transport: String,
    setting: &'a Setting,
    text: String,
}

fn uses(config: &Config) -> Vec<Use<'_>> {
    let mut uses = Vec::new();
    let mut add = |setting, value: &str, text: &str| {
        let transport = value.split(':').next().unwrap_or_default();
        if !transport.is_empty() && !transport.contains(char::is_whitespace) {
            uses.push(Use { transport: transport.to_owned(), setting, text: text.to_owned() });
        }
    };
    for (scope, setting) in config.effective() {
        if NAMED.contains(&setting.name.as_str()) {
            let value = scope.expand(&setting.value);
            add(setting, &value, &setting.value);
        }
    }
    for (_, setting, table) in files::all(config) {
        let is_routing = TABLES.contains(&setting.name.as_str()) && !table.is_pattern();
        for row in table.rows().into_iter().flatten() {
            match row.value.strip_prefix("FILTER ") {
                Some(filter) => add(setting, filter.trim(), &table.name),
                None if is_routing => add(setting, &row.value, &table.name),
                None => {}
            }
        }
    }
    uses
}

/// Transports that master.cf does not have.
pub(crate) fn unknown(config: &Config, report: &mut Report) {
    for Use { transport, setting, text } in uses(config) {
        if config.transport(&transport).is_some() {
            continue;
        }
        let services = config.services.iter().filter(|service| service.entry.field(1) == "unix");
        let names = services.map(|service| service.entry.field(0));
        let mend = did_you_mean(
            nearest(&transport, names),
            &format!("add a service \"{transport} unix ...\" to master.cf"),
        );
        let what = format!("master.cf has no transport \"{transport}\"");
        let why = "mail waits: \"mail transport unavailable\"";
        report.error(&setting.spot_of(&text), what, why, &mend);
    }
}

/// pipe(8) with a header or a command for one recipient, in use without a limit of one recipient.
pub(crate) fn recipient_limits(config: &Config, report: &mut Report) {
    let scope = config.global();
    let uses = uses(config);
    for service in config.services.iter().filter(|service| service.program() == "pipe") {
        let transport = service.entry.field(0);
        let Some(flag) = flags(service).find(|flag| matches!(flag, 'D' | 'O')) else { continue };
        let name = format!("{transport}_destination_recipient_limit");
        let limit = match scope.setting(&name) {
            Some(setting) => scope.expand(&setting.value),
            None => scope.text("default_destination_recipient_limit"),
        };
        if limit.trim() == "1" || !uses.iter().any(|one| one.transport == transport) {
            continue;
        }
        let what = format!("flag \"{flag}\" without {name} = 1");
        let why = "mail for two recipients at once waits: \"pipe flag requires ..._destination_recipient_limit = 1\"";
        report.error(&service.spot, what, why, &format!("set {name} = 1 in main.cf"));
    }
}

fn flags(service: &Service) -> impl Iterator<Item = char> {
    let text = service.plain_arguments().find_map(|argument| argument.strip_prefix("flags="));
    text.unwrap_or_default().chars()
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::{MASTER, findings, lines};

    #[test]
    fn transports_that_are_missing() {
        let main = "content_filter = amavis:[127.0.0.1]:10024\nvirtual_transport = virtul\nlocal_transport = local:$myhostname\n\
                    transport_maps = inline:{a=smtp:b, c=slow:}, \n inline:{d=:, e=lmpt:unix:x}\n\
                    smtpd_sender_restrictions = check_client_access static:{FILTER scan:dummy}\n\
                    header_checks = pcre:{{/a/ FILTER smtp:x}}\n";
        assert_eq!(
            lines("unknown-transport", main, MASTER),
            [
                "error 1 content_filter: master.cf has no transport \"amavis\"",
                "error 2 virtual_transport: master.cf has no transport \"virtul\"",
                "error 4 transport_maps: master.cf has no transport \"slow\"",
                "error 5 transport_maps: master.cf has no transport \"lmpt\"",
                "error 6 smtpd_sender_restrictions: master.cf has no transport \"scan\"",
            ]
        );
        assert_eq!(findings("unknown-transport", main, MASTER)[1].mend, "did you mean \"virtual\"?");
        let service = "smtp inet n - n - - smtpd\n -o content_filter=scan:x\nscan unix - - n - - smtp\n";
        assert!(lines("unknown-transport", "content_filter = scan:x\n", service).is_empty());
    }

    #[test]
    fn one_recipient_at_a_time() {
        let pipe =
            |flags| format!("{MASTER}dovecot unix - n n - - pipe\n flags={flags} user=vmail argv=/x\n");
        let main = "virtual_transport = dovecot\n";
        assert_eq!(
            lines("recipient-limit", main, &pipe("DRhu")),
            ["error 7 dovecot/unix: flag \"D\" without dovecot_destination_recipient_limit = 1"]
        );
        assert!(lines("recipient-limit", main, &pipe("Rhu")).is_empty());
        assert!(lines("recipient-limit", "", &pipe("DRhu")).is_empty());
        let limited = format!("{main}dovecot_destination_recipient_limit = 1\n");
        assert!(lines("recipient-limit", &limited, &pipe("DRhu")).is_empty());
    }
}
