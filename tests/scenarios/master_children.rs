//! What master does with processes that fail, services that are woken, and its own end.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use harness::scenario;

scenario! {
    fn a_program_that_fails_is_started_rarely(system) {
        system.program("/tmp/failing", "#!/bin/sh\necho x >>/tmp/started\nexit 3\n");
        system.main_cf("service_throttle_time = 2s");
        system.master_cf("failing unix n n n - 1 ../../../../tmp/failing").start();
        let _client = UnixStream::connect("/var/spool/postfix/public/failing").expect("a service");
        system.wait_for_log(r"postfix/master\[\d+\]: warning: process /usr/lib/postfix/sbin/../../../../tmp/failing pid \d+ exit status 3$");
        system.wait_for_log("warning: /usr/lib/postfix/sbin/../../../../tmp/failing: bad command startup -- throttling");
        std::thread::sleep(Duration::from_secs(3));
        let times = system.read("/tmp/started").lines().count();
        assert!((2..=3).contains(&times), "started {times} times");
        system.submit("a@example.com", &["alice@example.com"], "Subject: others go on\n\n");
        system.wait_until("mail", || system.mailbox("alice").contains("others go on"));
    }
}

scenario! {
    fn a_process_that_is_killed_is_replaced(system) {
        system.start();
        let mut client = system.smtp();
        client.expect("EHLO client.example.org", 250);
        client.expect("QUIT", 221);
        std::thread::sleep(Duration::from_millis(300));
        system.shell("pkill -ABRT -x smtpd").well();
        system.wait_for_log(r"warning: process /usr/lib/postfix/sbin/smtpd pid \d+ killed by signal 6");
        // It had served a client: that is no reason to throttle.
        assert!(system.smtp().transcript().contains("220 "));
        assert!(!system.logged("throttling"));
    }
}

scenario! {
    fn services_are_woken(system) {
        for name in ["always", "used"] {
            system.file(&format!("/tmp/{name}"), "");
            system.shell(&format!("chmod 666 /tmp/{name}")).well();
            system.program(&format!("/usr/local/bin/{name}"), &format!("#!/bin/sh\necho x >>/tmp/{name}\n"));
        }
        system.master_cf(
            "always unix n n n 1 0 spawn\n  user=alice argv=/usr/local/bin/always\nused unix n n n 1? 0 spawn\n  user=alice argv=/usr/local/bin/used",
        );
        system.start();
        let times = |name: &str| system.read(&format!("/tmp/{name}")).lines().count();
        system.wait_until("three wakeups", || times("always") >= 3);
        assert_eq!(times("used"), 0);
        let _client = UnixStream::connect("/var/spool/postfix/public/used").expect("a service");
        system.wait_until("wakeups from then on", || times("used") >= 3);
    }
}

scenario! {
    fn a_stop_ends_all(system) {
        system.start();
        let _idle = system.smtp();
        system.submit("a@example.com", &["alice@example.com"], "Subject: x\n\n");
        system.run(&["postfix", "stop"]).well();
        system.wait_for_log(r"postfix/master\[\d+\]: terminating on signal 15");
        system.wait_until("the end of all processes", || system.shell("pgrep -f '[l]ib/postfix/sbin' || pgrep -x 'smtpd|qmgr|pickup|cleanup'").code != 0);
        assert_eq!(system.run(&["postfix", "stop"]).code, 1);
        system.wait_for_log("postfix/postfix-script.*: fatal: the Postfix mail system is not running");
    }
}

scenario! {
    fn the_death_of_master_is_noticed(system) {
        system.start();
        let mut client = system.smtp();
        client.expect("EHLO client.example.org", 250);
        let stale = system.read("/var/spool/postfix/pid/master.pid");
        system.shell("kill -9 $(cat /var/spool/postfix/pid/master.pid)").well();
        system.wait_until("the idle processes' end", || system.shell("pgrep -x 'qmgr|pickup'").code != 0);
        // The session goes on, and the id of the dead in the file is in nobody's way.
        client.expect("NOOP", 250);
        assert_eq!(system.run(&["postfix", "status"]).code, 1);
        system.file("/var/spool/postfix/pid/master.pid", &stale.replace(stale.trim(), "1"));
        system.run(&["postfix", "start"]).well();
        client.expect("QUIT", 221);
        system.submit("a@example.com", &["alice@example.com"], "Subject: again\n\n");
        system.wait_until("mail", || system.mailbox("alice").contains("again"));
    }
}

scenario! {
    fn master_ends_when_it_was_told(system) {
        let start = Instant::now();
        system.run(&["/usr/lib/postfix/sbin/master", "-s", "-e", "2"]).well();
        assert!(start.elapsed() < Duration::from_secs(8));
        system.wait_for_log("master exit time has arrived");
    }
}
