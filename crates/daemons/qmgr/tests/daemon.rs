//! The whole program, started as master starts it, among services that do what each test wants.

#[allow(dead_code, missing_docs, unreachable_pub)]
mod support;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime};

use dsn::{Dsn, Status};
use ipc::bounce;
use ipc::deliver::{self, Outcome};
use queue::RecordType;
use support::{AGAIN, Mail, SENT, World, now, test};

fn modified(world: &World, name: &str) -> i64 {
    world.path(name).metadata().unwrap().mtime()
}

fn set_modified(world: &World, name: &str, seconds: i64) {
    let when = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds as u64);
    std::fs::File::open(world.path(name)).unwrap().set_modified(when).unwrap();
}

#[test]
fn delivers_and_removes() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        world.agent("smtp", SENT);
        let mail = Mail::to(&["b@x.org", "a@x.org"])
            .with(RecordType::Attr, "log_client_name=client.example")
            .with(RecordType::Attr, "encoding=8bit");
        world.put("incoming", "1F00D", &mail);
        world.trigger(b"I").await;
        world.logged("1F00D: removed").await;
        assert_eq!(
            world.log(),
            ["1F00D: from=<s@example.com>, size=15, nrcpt=2 (queue active)", "1F00D: removed"]
        );
        let requests = world.requests.borrow();
        assert_eq!(requests.len(), 1);
        let request = &requests[0].1;
        assert_eq!((request.queue.as_str(), request.queue_id.as_str()), ("active", "1F00D"));
        assert_eq!(
            (request.nexthop.as_slice(), request.sender.as_slice()),
            (&b"x.org"[..], &b"s@example.com"[..])
        );
        assert_eq!(request.flags, deliver::FLAG_SUCCESS | deliver::FLAG_BOUNCE | deliver::FLAG_KEEP);
        assert_eq!((request.data_size, request.encoding.as_str()), (15, "8bit"));
        assert_eq!(request.client.name, b"client.example");
        assert_eq!(request.rewrite_context, b"local");
        let names: Vec<_> = request.recipients.iter().map(|found| found.address.as_slice()).collect();
        assert_eq!(names, [b"a@x.org", b"b@x.org"]);
        for queue in ["incoming", "active", "deferred"] {
            assert_eq!(std::fs::read_dir(world.path(queue)).unwrap().count(), 0, "{queue}");
        }
    });
}

#[test]
fn defers_and_tries_again_when_asked() {
    test(
        |world| world.set("queue_run_delay = 1h"),
        async |world| {
            world.agent("smtp", AGAIN);
            let mut mail = Mail::to(&["a@x.org"]);
            mail.age = 1000;
            world.put("incoming", "ABCDE1", &mail);
            world.trigger(b"I").await;
            let file = "deferred/A/ABCDE1";
            world.until("deferral", || world.exists(file)).await;
            let wake = modified(&world, file) - now();
            assert!((995..=1001).contains(&wake), "{wake}");
            // It is not due, and a plain run leaves it alone.
            world.trigger(b"D").await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(world.requests.borrow().len(), 1);
            // postqueue -f
            world.trigger(b"DFA").await;
            world.until("second attempt", || world.requests.borrow().len() == 2).await;
            world.until("deferral", || world.exists(file)).await;
            set_modified(&world, file, now() - 5);
            world.trigger(b"D").await;
            world.until("third attempt", || world.requests.borrow().len() == 3).await;
        },
    );
}

#[test]
fn a_dead_destination_is_left_alone() {
    let dead = |_: &deliver::Request| {
        let dsn = Dsn::new(Status::new("4.4.1"), "connect to x.org[192.0.2.1]:25: Connection refused");
        Outcome { hop_status: Some(dsn), is_final: false }
    };
    test(
        |world| world.set("initial_destination_concurrency = 1"),
        async move |world| {
            world.agent("smtp", dead);
            world.agent("retry", AGAIN);
            world.put("incoming", "A1", &Mail::to(&["a@x.org"]));
            world.trigger(b"I").await;
            world.until("deferral", || world.exists("deferred/A/A1")).await;
            world.put("incoming", "A2", &Mail::to(&["b@x.org"]));
            world.trigger(b"I").await;
            world.until("deferral", || world.exists("deferred/A/A2")).await;
            let (service, request) = world.requests.borrow()[1].clone();
            assert_eq!(service, "retry");
            let text =
                "4.4.1 delivery temporarily suspended: connect to x.org[192.0.2.1]:25: Connection refused";
            assert_eq!(request.nexthop, text.as_bytes());
        },
    );
}

#[test]
fn no_agent_no_delivery() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        world.agent("retry", AGAIN);
        world.put("incoming", "A1", &Mail::to(&["a@x.org"]));
        world.trigger(b"W").await;
        world.until("deferral", || world.exists("deferred/A/A1")).await;
        world.logged("warning: connect to transport private/smtp: No such file or directory").await;
        assert_eq!(world.requests.borrow()[0].1.nexthop, b"4.3.0 mail transport unavailable");
    });
}

#[test]
fn without_agents_it_defers_by_itself() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        world.put("incoming", "A1", &Mail::to(&["a@x.org"]));
        world.trigger(b"I").await;
        world.until("deferral", || world.exists("deferred/A/A1")).await;
        let line = world.line("A1: to=").await;
        let reports = world.reports.borrow();
        let (service, bounce::Request::Append { dsn, recipient, queue_id, .. }) = &reports[0] else {
            panic!("{reports:?}")
        };
        assert_eq!((service.as_str(), queue_id.as_str()), ("defer", "A1"));
        assert_eq!((dsn.status.as_str(), recipient.address.as_slice()), ("4.3.0", &b"a@x.org"[..]));
        assert!(line.starts_with("A1: to=<a@x.org>, relay=none, delay="), "{line}");
        assert!(line.ends_with(", dsn=4.3.0, status=deferred (mail transport unavailable)"), "{line}");
    });
}

#[test]
fn an_agent_that_dies_is_no_delivery() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        world.agent("smtp", |_| panic!("agent"));
        world.put("incoming", "A1", &Mail::to(&["a@x.org"]));
        world.trigger(b"I").await;
        world.until("deferral", || world.exists("deferred/A/A1")).await;
        world.logged("warning: private/smtp: premature disconnect").await;
    });
}

#[test]
fn returns_what_is_too_old() {
    test(
        |world| world.set("maximal_queue_lifetime = 1d"),
        async |world| {
            world.agent("smtp", AGAIN);
            let mut mail = Mail::to(&["a@x.org"]);
            mail.age = 100_000;
            world.put("incoming", "A1", &mail);
            world.trigger(b"I").await;
            world.logged("A1: removed").await;
            world.logged("A1: from=<s@example.com>, status=expired, returned to sender").await;
            let (service, report) = world.reports.borrow()[0].clone();
            let bounce::Request::Flush { flags, message } = report else { panic!("{report:?}") };
            assert_eq!((service.as_str(), flags), ("defer", bounce::FLAG_DELETE_RECIPIENT));
            assert_eq!((message.queue_id.as_str(), message.sender.as_slice()), ("A1", &b"s@example.com"[..]));
            // A bounce that cannot be made leaves the message in the queue.
            world.reports_work.set(false);
            world.put("incoming", "A2", &mail);
            world.trigger(b"I").await;
            world.logged("A2: status=deferred (bounce failed)").await;
            world.until("deferral", || world.exists("deferred/A/A2")).await;
        },
    );
}

#[test]
fn warns_of_delay_once() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        world.agent("smtp", AGAIN);
        let mail = Mail::to(&["a@x.org"]).with(RecordType::Warn, format!("{:15}", now() - 10));
        world.put("incoming", "A1", &mail);
        world.trigger(b"I").await;
        world.until("deferral", || world.exists("deferred/A/A1")).await;
        assert!(matches!(world.reports.borrow()[0], (_, bounce::Request::Warn { .. })));
        let file = std::fs::read(world.path("deferred/A/A1")).unwrap();
        let want = b"W\x0f             -1";
        assert!(file.windows(want.len()).any(|found| found == want));
        world.trigger(b"DA").await;
        world.until("second attempt", || world.requests.borrow().len() == 2).await;
        world.until("deferral", || world.exists("deferred/A/A1")).await;
        assert_eq!(world.reports.borrow().len(), 1);
    });
}

#[test]
fn bounces_before_it_removes() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        world.agent("smtp", SENT);
        world.put_bytes("bounce", "A1", b"log", 0o600);
        world.put_bytes("bounce", "A2", b"", 0o600);
        world.put("incoming", "A1", &Mail::to(&["a@x.org"]));
        world.put("incoming", "A2", &Mail::to(&["a@x.org"]));
        world.trigger(b"I").await;
        world.logged("A1: removed").await;
        world.logged("A2: removed").await;
        assert!(!world.exists("bounce/A1") && !world.exists("bounce/A2"));
        let reports = world.reports.borrow();
        assert_eq!(reports.len(), 1);
        assert!(
            matches!(&reports[0], (service, bounce::Request::Flush { flags: 0, .. }) if service == "bounce")
        );
    });
}

#[test]
fn keeps_damaged_files_for_a_person() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        world.agent("smtp", SENT);
        let file = Mail::to(&["a@x.org"]).file();
        world.put_bytes("incoming", "A1", &file[..file.len() - 4], 0o700);
        world.put_bytes("incoming", "A2", b"junk", 0o700);
        world.put_bytes("incoming", "A3", &file, 0o600);
        world.trigger(b"I").await;
        for id in ["A1", "A2"] {
            world
                .logged(&format!(
                    "warning: saving corrupt file \"{id}\" from queue \"active\" to queue \"corrupt\""
                ))
                .await;
            world.logged(&format!("warning: {id}: message rejected: missing end record")).await;
            assert!(world.exists(&format!("corrupt/{id}")));
        }
        assert!(world.exists("incoming/A3"), "not complete yet");
    });
}

#[test]
fn an_agent_can_declare_a_file_corrupt() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        let active = world.path("active");
        world.agent("smtp", move |request| {
            let path = active.join(&request.queue_id);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o400)).unwrap();
            AGAIN(request)
        });
        world.put("incoming", "A1", &Mail::to(&["a@x.org"]));
        world.trigger(b"I").await;
        world.until("quarantine", || world.exists("corrupt/A1")).await;
    });
}

#[test]
fn leaves_alone_what_is_still_being_delivered() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        world.agent("smtp", SENT);
        world.put("incoming", "A1", &Mail::to(&["a@x.org"]));
        let file = std::fs::File::open(world.path("incoming/A1")).unwrap();
        sys::lock::flock(&file, sys::lock::Mode::Shared, sys::lock::Wait::No).unwrap();
        world.trigger(b"I").await;
        world.logged("A1: skipped, still being delivered").await;
        let wake = modified(&world, "incoming/A1") - now();
        assert!((55..=61).contains(&wake), "{wake}");
    });
}

#[test]
fn a_restart_takes_up_what_was_active() {
    test(
        |world| world.put("active", "A1", &Mail::to(&["a@x.org"])),
        async |world| {
            world.agent("smtp", SENT);
            world.until("no agent yet, or delivery", || !world.exists("active/A1")).await;
            world.trigger(b"IDFA").await;
            world.logged("A1: removed").await;
        },
    );
}

#[test]
fn an_administrator_can_end_a_message() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        world.agent("retry", AGAIN);
        let file = Mail::to(&["a@x.org"]).file();
        // With a defer log there is no need to ask anybody.
        world.put_bytes("defer/A", "A1", b"log", 0o600);
        world.put_bytes("incoming", "A1", &file, 0o710);
        world.trigger(b"I").await;
        world.logged("A1: from=<s@example.com>, status=force-expired, returned to sender").await;
        world.logged("A1: removed").await;
        assert!(world.requests.borrow().is_empty());
        world.put_bytes("incoming", "A2", &file, 0o710);
        world.trigger(b"I").await;
        world.logged("A2: removed").await;
        assert_eq!(world.requests.borrow()[0].1.nexthop, b"4.7.0 message is administratively expired");
    });
}

#[test]
fn routes_by_filter_redirect_and_deferred_transport() {
    test(
        |world| world.set("defer_transports = slow, other"),
        async |world| {
            world.agent("scan", SENT);
            world.agent("smtp", SENT);
            world.agent("slow", SENT);
            world.agent("retry", AGAIN);
            let done = |id: &'static str| format!("{id}: removed");
            let nexthop = |number: usize| {
                let requests = world.requests.borrow();
                let (service, request) = &requests[number];
                let to = request
                    .recipients
                    .iter()
                    .map(|found| String::from_utf8_lossy(&found.address).into_owned());
                let route = String::from_utf8_lossy(&request.nexthop).into_owned();
                (service.clone(), route, to.collect::<Vec<_>>().join(","))
            };
            world.put(
                "incoming",
                "A1",
                &Mail::to(&["a@x", "b@y"]).with(RecordType::FILTER, "scan:[host]:10"),
            );
            world.trigger(b"I").await;
            world.logged(&done("A1")).await;
            assert_eq!(nexthop(0), ("scan".into(), "[host]:10".into(), "a@x,b@y".into()));

            world.put("incoming", "A2", &Mail::to(&["a@x"]).with(RecordType::FILTER, "scan:"));
            world.trigger(b"I").await;
            world.logged(&done("A2")).await;
            assert_eq!(nexthop(1), ("scan".into(), "x".into(), "a@x".into()));

            world.put("incoming", "A3", &Mail::to(&["a@x", "b@y"]).with(RecordType::Redirect, "spam@z"));
            world.trigger(b"I").await;
            world.logged(&done("A3")).await;
            assert_eq!(nexthop(2), ("smtp".into(), "z".into(), "spam@z".into()));

            world.put("incoming", "A4", &Mail::to(&["slow!h@x"]));
            world.trigger(b"I").await;
            world.until("deferral", || world.exists("deferred/A/A4")).await;
            assert_eq!(nexthop(3).1, "4.3.2 deferred transport");
            // sendmail -qRx, postqueue -s: by mode.
            std::fs::rename(world.path("deferred/A/A4"), world.path("incoming/A4")).unwrap();
            set_modified(&world, "incoming/A4", now() - 1);
            let mode = std::fs::Permissions::from_mode(0o740);
            std::fs::set_permissions(world.path("incoming/A4"), mode).unwrap();
            world.trigger(b"I").await;
            world.logged(&done("A4")).await;
            assert_eq!(nexthop(4), ("slow".into(), "h".into(), "slow!h@x".into()));
        },
    );
}

#[test]
fn undeliverable_bounces_end_here() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        let mut mail = Mail::to(&["Double-Bounce@mail.example.com"]);
        mail.sender = "";
        world.put("incoming", "A1", &mail);
        world.trigger(b"I").await;
        world.logged("A1: removed").await;
        let line = world.line("A1: to=").await;
        let end = ", dsn=2.0.0, status=sent (undeliverable postmaster notification discarded)";
        assert!(
            line.starts_with("A1: to=<Double-Bounce@mail.example.com>, relay=none, ") && line.ends_with(end)
        );
    });
}

#[test]
fn verp_makes_a_sender_for_each_recipient() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        world.agent("smtp", SENT);
        let mut mail = Mail::to(&["a@x", "b@x"]);
        mail.sender = "list@example.com";
        mail.after.push((RecordType::Verp, b"+=".to_vec()));
        world.put("incoming", "A1", &mail);
        world.trigger(b"I").await;
        world.logged("A1: removed").await;
        let mut senders: Vec<_> =
            world.requests.borrow().iter().map(|(_, found)| found.sender.clone()).collect();
        senders.sort();
        assert_eq!(senders, [b"list+a=x@example.com", b"list+b=x@example.com"]);
    });
}

#[test]
fn success_reports_are_sent_and_their_record_is_killed() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        world.agent("smtp", SENT);
        let mail = Mail::to(&["a@x"]).with(RecordType::Attr, format!("trace_flags={}", deliver::FLAG_RECORD));
        world.put("incoming", "A1", &mail);
        world.trigger(b"I").await;
        world.logged("A1: removed").await;
        assert_eq!(world.requests.borrow()[0].1.flags, deliver::FLAG_RECORD | deliver::FLAG_KEEP | 3);
        let reports = world.reports.borrow();
        assert!(matches!(&reports[0], (service, bounce::Request::Trace { .. }) if service == "trace"));
    });
}

#[test]
fn large_messages_are_read_piece_by_piece() {
    let small = |world: &mut World| {
        world.set("qmgr_message_active_limit = 10");
        world.set("qmgr_message_recipient_limit = 60");
        world.set("default_recipient_limit = 40");
        world.set("default_extra_recipient_limit = 10");
        world.set("default_recipient_refill_limit = 10");
        world.set("default_destination_recipient_limit = 7");
    };
    test(small, async |world| {
        world.agent("smtp", SENT);
        world.agent("relay", SENT);
        for (id, flags) in [("A1", 0), ("A2", 1)] {
            let mut mail = Mail::to(&[]);
            mail.flags = flags;
            mail.recipients = (0..500).map(|n| format!("u{n}@d{}", n % 3)).collect();
            mail.recipients.extend((0..100).map(|n| format!("relay!r{n}@y")));
            world.put("incoming", id, &mail);
        }
        world.trigger(b"I").await;
        world.logged("A1: removed").await;
        world.logged("A2: removed").await;
        let requests = world.requests.borrow();
        for id in ["A1", "A2"] {
            let of_message = requests.iter().filter(|(_, request)| request.queue_id == id);
            let mut names: Vec<_> = of_message
                .flat_map(|(_, request)| request.recipients.iter().map(|found| found.address.clone()))
                .collect();
            assert_eq!(names.len(), 600);
            names.sort();
            names.dedup();
            assert_eq!(names.len(), 600);
        }
        assert!(requests.iter().all(|(_, request)| request.recipients.len() <= 7));
        assert!(!world.log().iter().any(|line| line.contains("mismatch")));
    });
}

#[test]
fn tokens_flow_back() {
    let pipe = |world: &mut World| {
        world.flow = Some(std::io::pipe().unwrap());
        world.set("default_process_limit = 7");
    };
    test(pipe, async |world| {
        use std::os::fd::AsFd;
        let count = || sys::descriptor::readable_bytes(world.flow.as_ref().unwrap().0.as_fd()).unwrap();
        world.until("tokens", || count() == 7).await;
        world.trigger(b"I").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(count(), 7);
    });
}

#[test]
fn a_bad_setting_is_fatal() {
    test(
        |world| world.set("smtp_destination_concurrency_limit = many"),
        async |world| {
            world.put("incoming", "A1", &Mail::to(&["a@x"]));
            world.trigger(b"I").await;
            world
                .logged("fatal: bad numerical configuration: smtp_destination_concurrency_limit = many")
                .await;
            let status = format!("/proc/{}/stat", world.pid());
            world
                .until("end", || std::fs::read_to_string(&status).is_ok_and(|text| text.contains(") Z ")))
                .await;
        },
    );
}

#[test]
fn no_kill_loses_mail() {
    let count = 300;
    let fill = |world: &mut World| {
        for number in 0..count {
            let recipients = [format!("u{number}@d{}", number % 7), format!("v{number}@d{}", number % 5)];
            let mail = Mail::to(&[&recipients[0], &recipients[1]]);
            world.put(if number % 2 == 0 { "incoming" } else { "active" }, &format!("A{number}"), &mail);
        }
    };
    test(fill, async |world| {
        // One in ten is deferred at first.
        let turn = std::cell::Cell::new(0);
        world.agent("smtp", move |request| {
            turn.set(turn.get() + 1);
            if turn.get() % 10 == 0 { AGAIN(request) } else { SENT(request) }
        });
        world.agent("retry", AGAIN);
        world.delay.set(Duration::from_millis(5));
        for round in 0..12 {
            tokio::time::sleep(Duration::from_millis(20 + round * 5)).await;
            world.stop();
            world.start();
        }
        let left = |world: &World| {
            let mut count = 0;
            for queue in ["incoming", "active", "deferred"] {
                for entry in walk(&world.path(queue)) {
                    // It may be gone already.
                    let status = std::fs::metadata(&entry);
                    assert!(status.is_ok_and(|status| status.mode() & 0o777 == 0o700) || !entry.exists());
                    count += 1;
                }
            }
            count
        };
        for _ in 0..200 {
            if left(&world) == 0 {
                break;
            }
            world.trigger(b"DFAI").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(left(&world), 0);
        assert_eq!(walk(&world.path("corrupt")).len(), 0);
        let requests = world.requests.borrow();
        let tried: std::collections::BTreeSet<_> = requests
            .iter()
            .filter(|(service, _)| service == "smtp")
            .flat_map(|(_, request)| request.recipients.iter().map(|found| found.address.clone()))
            .collect();
        assert_eq!(tried.len(), 2 * count);
    });
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(walk(&entry.path())),
            _ => found.push(entry.path()),
        }
    }
    found
}

/// Not a test of right and wrong: `cargo test -p ferrofix-qmgr --test daemon -- --ignored --nocapture rate`.
#[test]
#[ignore = "a measurement"]
fn rate_of_small_messages() {
    let count = 5000;
    let fill = |world: &mut World| {
        let mail = Mail::to(&["a@x.org"]);
        for number in 0..count {
            world.put("incoming", &format!("A{number}"), &mail);
        }
    };
    test(fill, async |world| {
        world.agent("smtp", SENT);
        let start = std::time::Instant::now();
        world.trigger(b"IF").await;
        world
            .until("all", || {
                std::fs::read_dir(world.path("incoming")).unwrap().next().is_none()
                    && std::fs::read_dir(world.path("active")).unwrap().next().is_none()
            })
            .await;
        println!("{count} messages in {:?}", start.elapsed());
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", world.pid())).unwrap();
        let ticks: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        println!("user {} system {} (1/100 s)", ticks[11], ticks[12]);
    });
}

#[test]
#[ignore = "a measurement"]
fn rate_of_looking_at_deferred_mail() {
    let count = 50_000;
    let fill = |world: &mut World| {
        let file = Mail::to(&["a@x.org"]).file();
        for number in 0..count {
            let id = format!("{number:05X}1F00D");
            let name = format!("{}/{id}", &id[..1]);
            world.put_bytes("deferred", &name, &file, 0o700);
            set_modified(world, &format!("deferred/{name}"), now() + 1000);
        }
    };
    test(fill, async |world| {
        world.agent("smtp", SENT);
        let start = std::time::Instant::now();
        world.put("incoming", "A1", &Mail::to(&["a@x.org"]));
        world.trigger(b"I").await;
        world.logged("A1: removed").await;
        println!("new mail took {:?}", start.elapsed());
        tokio::time::sleep(Duration::from_secs(3)).await;
        let status = std::fs::read_to_string(format!("/proc/{}/status", world.pid())).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", world.pid())).unwrap();
        let ticks: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        println!("user {} system {} (1/100 s)", ticks[11], ticks[12]);
        println!("{}", status.lines().find(|line| line.starts_with("VmRSS")).unwrap());
    });
}

#[test]
fn an_agent_that_stays_gets_the_next_request_on_the_same_connection() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        world.staying_agent("smtp", 3, true);
        for id in ["A1", "A2", "A3", "A4", "A5"] {
            world.put("incoming", id, &Mail::to(&["a@x.org"]));
            world.trigger(b"I").await;
            world.logged(&format!("{id}: removed")).await;
        }
        // The fourth was not taken on the first connection, and went on a second one.
        assert_eq!(world.requests.borrow().len(), 5);
        assert!(!world.log().iter().any(|line| line.starts_with("warning")), "{:?}", world.log());
    });
}

#[test]
fn an_agent_that_ends_without_a_word_may_have_delivered() {
    let nothing = |_: &mut World| {};
    test(nothing, async |world| {
        world.staying_agent("smtp", 1, false);
        world.agent("retry", AGAIN);
        for (id, is_lost) in [("A1", false), ("A2", true)] {
            world.put("incoming", id, &Mail::to(&["a@x.org"]));
            world.trigger(b"I").await;
            if is_lost {
                world.until("deferral", || world.exists(&format!("deferred/A/{id}"))).await;
            } else {
                world.logged(&format!("{id}: removed")).await;
            }
        }
        world.logged("warning: private/smtp: premature disconnect").await;
        assert_eq!(world.requests.borrow().iter().filter(|(name, _)| name == "smtp").count(), 1);
    });
}
