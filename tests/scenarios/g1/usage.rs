//! The line that fills the guide's log every five minutes.

use harness::scenario;

use super::server;

scenario! {
    fn g1_20_wrong_sendmail_option(system) {
        server(system, "");
        system.start();
        let output = system.sendmail("bob", &["-J"], "");
        assert_eq!(output.code, 75, "{output:?}");
        assert!(output.stderr.starts_with("sendmail: invalid option -- 'J'\n"), "{output:?}");
        assert!(output.stderr.ends_with("\nsendmail: fatal: usage: sendmail [options]\n"), "{output:?}");
        system.wait_for_log(r"^postfix/sendmail\[\d+\]: fatal: usage: sendmail \[options\]$");
    }
}
