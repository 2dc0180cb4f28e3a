//! maxproc is the number of clients a service handles at once, also while a reload lets old processes finish.

use std::time::Duration;

use harness::{Sink, SmtpClient, System, scenario};

const PATIENCE: Duration = Duration::from_secs(10);

/// A client that nobody has greeted yet.
fn waiting() -> SmtpClient {
    let mut client =
        SmtpClient::connect(None, "127.0.0.1:25".parse().expect("an address")).expect("the backlog");
    client.patience(Duration::from_millis(600));
    client
}

fn is_greeted(client: &mut SmtpClient) -> bool {
    client.reply().code == 220
}

fn smtpd_processes(system: &System) -> usize {
    system.shell("pgrep -x smtpd | wc -l").stdout.trim().parse().unwrap_or(0)
}

scenario! {
    fn sessions_of_an_old_process_count(system) {
        system.master_cf("smtp inet n - n - 3 smtpd").start();
        let mut old: Vec<SmtpClient> = (0..3).map(|_| system.smtp()).collect();
        system.reload();
        let mut next = waiting();
        assert!(!is_greeted(&mut next), "a fourth client was greeted after the reload");
        next.patience(PATIENCE);
        old[0].expect("QUIT", 221);
        assert!(is_greeted(&mut next));
        // Two of the old ones and the new one: no more.
        let mut more = waiting();
        assert!(!is_greeted(&mut more), "a fourth client was greeted beside old ones");
        more.patience(PATIENCE);
        next.expect("QUIT", 221);
        assert!(is_greeted(&mut more));
        old[1].expect("EHLO client.example.org", 250);
    }
}

scenario! {
    fn idle_sessions_of_an_old_process_hold_up_nobody(system) {
        system.master_cf("smtp inet n - n - 4 smtpd").start();
        let mut old = [system.smtp(), system.smtp()];
        system.reload();
        for _ in 0..3 {
            let mut new = [system.smtp(), system.smtp()];
            new[0].expect("QUIT", 221);
            new[1].expect("QUIT", 221);
        }
        old[0].expect("EHLO client.example.org", 250);
        old[1].expect("EHLO client.example.org", 250);
    }
}

scenario! {
    fn a_killed_process_leaves_its_places(system) {
        system.master_cf("smtp inet n - n - 2 smtpd").start();
        let _lost = [system.smtp(), system.smtp()];
        system.shell("pkill -9 -x smtpd").well();
        // Nobody is greeted while the service is throttled, as it is when a process dies that had not finished with anybody.
        let mut clients = [waiting(), waiting(), waiting()];
        clients[0].patience(Duration::from_secs(70));
        assert!(is_greeted(&mut clients[0]));
        clients[1].patience(PATIENCE);
        assert!(is_greeted(&mut clients[1]));
        assert!(!is_greeted(&mut clients[2]));
    }
}

scenario! {
    fn deliveries_of_an_old_process_count(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on(".", "WAIT 600 250 2.0.0 Ok");
        system.main_cf("transport_maps = inline:{example.net=two:}\nsmtp_connection_cache_on_demand = no");
        system.master_cf("two unix - - n - 2 smtp").start();
        for number in 0..8 {
            system.submit("a@example.com", &[&format!("x{number}@example.net")], "Subject: x\n\n");
            if number % 3 == 1 {
                system.reload();
            }
        }
        sink.wait_for(8, Duration::from_secs(40));
        assert_eq!(sink.most_open(), 2);
    }
}

scenario! {
    fn many_clients_are_shared_out(system) {
        system.master_cf("smtp inet n - n - 200 smtpd").start();
        let mut clients: Vec<SmtpClient> = (0..8).map(|_| system.smtp()).collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        system.wait_until("processes", || smtpd_processes(system) >= cores.min(2));
        std::thread::sleep(Duration::from_secs(1));
        clients.extend((0..52).map(|_| system.smtp()));
        let counts = system.shell(
            "for pid in $(pgrep -x smtpd); do ss -tnpH state established sport = :25 2>/dev/null | grep -c pid=$pid,; done",
        );
        let counts: Vec<usize> = counts.stdout.lines().filter_map(|line| line.parse().ok()).collect();
        // Without ss(8), or rights to look, there is nothing to compare.
        if counts.iter().sum::<usize>() == clients.len() {
            let fair = clients.len() / counts.len();
            assert!(counts.iter().all(|count| count.abs_diff(fair) <= fair / 2), "{counts:?}");
        }
    }
}

scenario! {
    fn stress_shows_in_the_configuration(system) {
        system.main_cf("smtpd_banner = $myhostname ESMTP ${stress?{stressed}:{calm}}");
        system.master_cf("smtp inet n - n - 2 smtpd").start();
        let mut first = system.smtp();
        assert!(first.transcript().contains("calm"), "{}", first.transcript());
        let second = system.smtp();
        system.wait_for_log(
            r#"postfix/master\[\d+\]: warning: service "smtp" \(25\) has reached its process limit "2": new clients may experience noticeable delays"#,
        );
        system.wait_for_log("warning: to avoid this condition, increase the process count in master.cf or reduce the service time per client");
        system.wait_for_log("warning: see https://www.postfix.org/STRESS_README.html for examples of stress-adapting configuration settings");
        first.expect("QUIT", 221);
        drop((first, second));
        // It stays so for a while.
        let third = system.smtp();
        assert!(third.transcript().contains("stressed"), "{}", third.transcript());
    }
}
