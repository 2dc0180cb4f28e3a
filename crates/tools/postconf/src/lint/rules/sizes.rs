//! Limits of mailboxes and messages that do not go together.

use crate::lint::config::Config;
use crate::lint::report::Report;

/// A mailbox that cannot hold one message.
pub(crate) fn limits(config: &Config, report: &mut Report) {
    for (program, name, domains) in [
        ("local", "mailbox_size_limit", "mydestination"),
        ("virtual", "virtual_mailbox_limit", "virtual_mailbox_domains"),
    ] {
        for scope in config.scopes_of(program) {
            let is_in_use = !scope.text(domains).is_empty()
                && (program == "local"
                    || scope.text("virtual_transport").split(':').next() == Some("virtual"));
            let (Some(mailbox), Some(message)) = (scope.number(name), scope.number("message_size_limit"))
            else {
                continue;
            };
            if !is_in_use || mailbox == 0 || (message > 0 && message <= mailbox) {
                continue;
            }
            let what = match message {
                0 => format!("{name} is limited ({mailbox}), but message_size_limit is not"),
                _ => format!("{name} ({mailbox}) is smaller than message_size_limit ({message})"),
            };
            let why = format!(
                "{program} ends with \"fatal: configuration error\" at each delivery, and mail waits"
            );
            let place = if scope.setting(name).is_some() { name } else { "message_size_limit" };
            report.error(
                &scope.spot(place),
                what,
                &why,
                &format!("{name} = 0, or more than message_size_limit"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::{MASTER, lines};

    #[test]
    fn mailboxes_and_messages() {
        let main =
            "message_size_limit = 60000000\nvirtual_mailbox_limit = 50000000\nvirtual_mailbox_domains = a\n";
        assert_eq!(
            lines("size-limits", main, MASTER),
            [
                "error 1 message_size_limit: mailbox_size_limit (51200000) is smaller than message_size_limit (60000000)",
                "error 2 virtual_mailbox_limit: virtual_mailbox_limit (50000000) is smaller than message_size_limit (60000000)"
            ]
        );
        let unlimited = "message_size_limit = 0\nmailbox_size_limit = 0\n";
        assert!(lines("size-limits", unlimited, MASTER).is_empty());
        assert_eq!(lines("size-limits", "message_size_limit = 0\n", MASTER).len(), 1);
        let elsewhere = "message_size_limit = 60000000\nmailbox_size_limit = 0\nvirtual_mailbox_domains = a\nvirtual_transport = lmtp:x\n";
        assert!(lines("size-limits", elsewhere, MASTER).is_empty());
        assert!(lines("size-limits", "", MASTER).is_empty());
    }
}
