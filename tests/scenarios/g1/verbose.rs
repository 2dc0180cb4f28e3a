//! `mail -v`: a report of the delivery.

use harness::scenario;

use super::server;
use crate::guides::have;

scenario! {
    fn g1_07_mail_v_sends_a_report(system) {
        if !have(&["mail"]) {
            return;
        }
        server(system, "");
        system.start();
        let output = system.run_as("bob", &["sh", "-c", "echo test | mail -v alice@mydomain.gr"], "");
        assert_eq!(output.code, 0, "{output:?}");
        assert_eq!(output.stdout, "Mail Delivery Status Report will be mailed to <bob>.\n", "{output:?}");
        let line = system.wait_for_log(r"postfix/bounce\[\d+\]: [0-9A-F]+: sender delivery status notification: [0-9A-F]+$");
        assert!(!line.is_empty());
        system.settle();
        assert_eq!(system.maildir("/home/alice/Maildir").len(), 1);
        let report = &system.maildir("/home/bob/Maildir")[0];
        assert!(report.contains("\nSubject: Mail Delivery Status Report\n"), "{report}");
        assert!(report.contains("\nEnclosed is the mail delivery report that you requested.\n"), "{report}");
        assert!(report.contains("\n<alice@mydomain.gr>: delivery via local: delivered to maildir\n"), "{report}");
        assert!(report.contains("\nAction: delivered\nStatus: 2.0.0\n"), "{report}");
    }
}

scenario! {
    fn g1_07_su_and_mail_v_to_an_alias(system) {
        if !have(&["mail"]) {
            return;
        }
        server(system, "");
        system.start();
        system.shell("echo bob:*:19000:0:99999:7::: >>/etc/shadow").well();
        system.run(&["su", "-", "bob", "-c", "echo test | mail -v info@mydomain.gr"]).well();
        system.wait_for_log(r"sender delivery status notification: [0-9A-F]+$");
        system.settle();
        assert_eq!(system.maildir("/home/alice/Maildir").len(), 1);
        let report = &system.maildir("/home/bob/Maildir")[0];
        assert!(
            report.contains("\n<alice@mydomain.gr> (expanded from <info@mydomain.gr>): delivery via local:\n"),
            "{report}"
        );
    }
}
