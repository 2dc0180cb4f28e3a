//! Removing mail from the queue as the course does: with find and rm, while it runs.

use std::time::Duration;

use harness::{Sink, scenario};

use super::server;

scenario! {
    fn g5_12_files_removed_under_a_running_system(system) {
        server(system, "queue_run_delay = 1s\nminimal_backoff_time = 1s\nmaximal_backoff_time = 2s");
        system.start();
        let gone = system.submit("alice@domain.ork", &["user@example.net"], "Subject: gone\n\nText.\n");
        let kept = system.submit("alice@domain.ork", &["other@example.net"], "Subject: kept\n\nText.\n");
        system.wait_for_log(&format!("{gone}: to=<user@example.net>, .*status=deferred"));
        system.wait_for_log(&format!("{kept}: to=<other@example.net>, .*status=deferred"));
        system.shell(&format!("find /var/spool/postfix -name {gone} -print | xargs rm")).well();
        system.settle();
        let mark = system.mark();
        system.run(&["postqueue", "-f"]).well();
        system.wait_for_log_since(mark, &format!("{kept}: to=<other@example.net>, .*status=deferred"));
        system.settle();
        let sink = Sink::smtp("198.51.100.10:25");
        system.run(&["postqueue", "-f"]).well();
        let received = sink.wait_for(1, Duration::from_secs(10));
        assert!(received[0].text().contains("\nSubject: kept\n"));
        system.settle();
        assert!(!system.logged("fatal:|panic:|error:"), "{:?}", system.log());
        assert_eq!(system.run(&["mailq"]).well().stdout, "Mail queue is empty\n");
        assert_eq!(sink.messages().len(), 1);
    }
}

scenario! {
    fn g5_12_an_orphan_of_the_log_of_deferrals(system) {
        server(system, "");
        system.start();
        let gone = system.submit("alice@domain.ork", &["user@example.net"], "Subject: gone\n\nText.\n");
        system.wait_for_log(&format!("{gone}: to=<user@example.net>, .*status=deferred"));
        system.settle();
        assert!(system.queue("defer").contains(&gone));
        system.shell(&format!("find /var/spool/postfix/deferred -name {gone} -print | xargs rm")).well();
        system.run(&["postqueue", "-f"]).well();
        system.settle();
        assert_eq!(system.run(&["mailq"]).well().stdout, "Mail queue is empty\n");
        assert!(!system.logged("fatal:|panic:|error:"), "{:?}", system.log());
        // It stays and does no harm: none of these removes the record of a message that is not there.
        system.stop();
        system.shell(&format!("find /var/spool/postfix/defer -name {gone} -exec touch -d '30 days ago' {{}} +")).well();
        for arguments in [["postsuper", "-p"].as_slice(), &["postsuper", "-s"], &["postsuper", "-d", &gone]] {
            system.run(arguments).well();
            assert!(system.queue("defer").contains(&gone), "{arguments:?}");
        }
        // This does.
        let output = system.run(&["postsuper", "-d", "ALL", "defer"]).well();
        assert_eq!(output.stderr, "postsuper: Deleted: 0 messages\n");
        assert!(system.queue("defer").is_empty());
        system.start();
        system.settle();
        assert!(!system.logged("fatal:|panic:|error:"), "{:?}", system.log());
    }
}
