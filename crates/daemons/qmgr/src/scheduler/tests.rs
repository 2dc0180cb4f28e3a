use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::feedback::Feedback;
use super::simulation::*;
use super::*;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn list(count: usize, route: &str) -> Vec<(Recipient, Route)> {
    (0..count).map(|n| to(&format!("u{n}@x"), route)).collect()
}

fn default_world() -> World {
    World::new(limits(), |_| settings())
}

#[test]
fn one_message_one_delivery() {
    let mut world = default_world();
    world.submit("A", vec![to("b@x", "smtp:x"), to("a@X", "smtp:x")]);
    world.run();
    assert_eq!(world.started.len(), 1);
    assert_eq!(world.started[0].recipients, ["a@X", "b@x"]);
    assert_eq!(world.done, [(seconds(1001), "A".into(), false)]);
    assert_eq!(world.scheduler.recipient_count(), 0);
    assert!(world.queue("smtp", "x").is_none(), "an idle destination is forgotten");
}

#[test]
fn recipients_are_grouped_up_to_the_limit() {
    let mut world = default_world();
    world.submit("A", list(120, "smtp:x"));
    world.run();
    let sizes: Vec<_> = world.started.iter().map(|event| event.recipients.len()).collect();
    assert_eq!(sizes, [50, 50, 20]);
}

#[test]
fn a_limit_of_one_makes_recipients_destinations() {
    let mut world =
        World::new(limits(), |_| Settings { recipient_limit: 1, concurrency_limit: 2, ..settings() });
    let names = ["u@h", "u+a@h", "u+b@other", "v@h"];
    world.submit("A", names.iter().map(|name| to(name, "local:H")).collect());
    world.settle();
    // Two at a time for u whatever the extension, one for v.
    let mut queues: Vec<_> = world.started.iter().map(|event| event.queue.as_str()).collect();
    queues.sort_unstable();
    assert_eq!(queues, ["u@h", "u@h", "v@h"]);
    world.run();
    assert_eq!(world.started.len(), 4);
}

#[test]
fn windows_widen_with_success() {
    let mut world = default_world();
    world.agents = 1000;
    world.submit("A", (0..200).map(|n| to(&format!("u{n}@x"), "smtp:x")).collect());
    let mut world2 = World::new(limits(), |_| Settings { recipient_limit: 0, ..settings() });
    world2.submit("B", list(100, "smtp:y"));
    world2.run();
    assert_eq!(world2.started.len(), 1, "no limit");
    world.settle();
    assert_eq!(world.started.len(), 4);

    let single = || World::new(limits(), |_| Settings { recipient_limit: 2, ..settings() });
    let mut world = single();
    world.submit("A", list(800, "smtp:x"));
    world.settle();
    assert_eq!(world.started.len(), 5);
    world.run_until(seconds(1001));
    world.settle();
    // Five end at once; the window is never wider than what is in use by more than the initial concurrency.
    assert_eq!(world.window("smtp", "x"), Some(8));
    world.run_until(seconds(1010));
    world.settle();
    assert_eq!(world.window("smtp", "x"), Some(20), "the limit");
    world.run();
    assert_eq!(world.done.len(), 1);
}

#[test]
fn fractions_of_feedback_add_up() {
    let slow = || Settings {
        recipient_limit: 2,
        positive: Feedback::parse("1/concurrency").unwrap(),
        concurrency_limit: 7,
        ..settings()
    };
    let mut world = World::new(limits(), move |_| slow());
    world.submit("A", list(400, "smtp:x"));
    world.run_until(seconds(1001));
    world.settle();
    // Five successes of a fifth each.
    assert_eq!(world.window("smtp", "x"), Some(6));
    world.run();
}

#[test]
fn a_failed_cohort_makes_a_destination_dead() {
    let mut world = World::new(limits(), |_| Settings { recipient_limit: 2, ..settings() });
    world.judge = Box::new(|event| (seconds(1), if event.transport == "smtp" { dead() } else { sent() }));
    world.submit("A", list(40, "smtp:x"));
    world.run_until(seconds(1010));
    world.settle();
    // Windows 5, 4, 3 ... : 1/5 + 1/4 + 1/3 + 1/2 is more than one.
    let tried = world.started.iter().filter(|event| event.transport == "smtp").count();
    assert!((4..=5).contains(&tried), "{tried}");
    let retried: Vec<_> = world.started.iter().filter(|event| event.transport == "retry").collect();
    assert_eq!(retried.iter().map(|event| event.recipients.len()).sum::<usize>(), 40 - 2 * tried);
    assert_eq!(retried[0].queue, "4.4.1 delivery temporarily suspended: connection refused");
    assert_eq!(world.window("smtp", "x"), Some(0));

    // Later mail goes to retry at once, until the rest is over or somebody flushes.
    world.started.clear();
    world.submit("B", list(1, "smtp:x"));
    world.settle();
    assert_eq!(world.started.last().unwrap().transport, "retry");
    world.run_until(seconds(1400));
    assert_eq!(world.window("smtp", "x"), None);
    world.submit("C", list(1, "smtp:x"));
    world.settle();
    assert_eq!(world.started.last().unwrap().transport, "smtp");
    world.run();
    // Those that retry(8) "delivered" count as final here.
    let deferred: Vec<_> = world.done.iter().map(|(_, name, deferred)| (name.as_str(), *deferred)).collect();
    assert_eq!(deferred, [("A", true), ("B", false), ("C", true)]);
}

#[test]
fn flushing_wakes_the_dead() {
    let mut world =
        World::new(limits(), |_| Settings { recipient_limit: 2, initial_concurrency: 1, ..settings() });
    world.judge = Box::new(|event| (seconds(1), if event.transport == "smtp" { dead() } else { sent() }));
    world.submit("A", list(1, "smtp:x"));
    world.run_until(seconds(1002));
    assert_eq!(world.window("smtp", "x"), Some(0));
    world.scheduler.enable_all();
    assert_eq!(world.window("smtp", "x"), None);

    world.submit("B", list(1, "smtp:x"));
    world.run_until(seconds(1004));
    assert_eq!(world.window("smtp", "x"), Some(0));
    let message = world.scheduler.add(envelope("C"), true, 0, false);
    world.scheduler.place(message, list(1, "smtp:x"));
    world.settle();
    assert_eq!(world.started.last().unwrap().transport, "smtp");
    world.run();
}

#[test]
fn no_agents_no_transport() {
    let mut world = default_world();
    world.unavailable = vec!["smtp".into()];
    world.submit("A", list(3, "smtp:x"));
    world.settle();
    assert_eq!(world.started.len(), 1);
    assert_eq!(world.started[0].queue, "4.3.0 mail transport unavailable");
    world.submit("B", list(3, "smtp:y"));
    world.settle();
    assert_eq!(world.started[1].transport, "retry");
    world.unavailable.clear();
    world.run_until(seconds(1061));
    world.submit("C", list(3, "smtp:y"));
    world.run();
    assert_eq!(world.started[2].transport, "smtp");
    assert_eq!(world.done.len(), 3);
}

#[test]
fn without_retry_we_defer_ourselves() {
    let mut world = default_world();
    world.unavailable = vec!["smtp".into(), "retry".into()];
    world.submit("A", list(3, "smtp:x"));
    world.submit("B", list(2, "retry:4.3.2 deferred transport"));
    world.submit("C", list(2, "smtp:y"));
    world.run();
    assert_eq!(world.deferred.len(), 7);
    assert!(world.done.len() == 3 && world.done.iter().all(|(_, _, deferred)| *deferred));
}

#[test]
fn crashes_are_not_forgotten() {
    let mut world = World::new(limits(), |_| Settings { initial_concurrency: 1, ..settings() });
    world.judge = Box::new(|_| (seconds(1), Report::Crash));
    world.submit("A", list(1, "smtp:x"));
    world.run_until(seconds(1001));
    world.settle();
    assert_eq!(world.done, [(seconds(1001), "A".into(), true)]);
    world.submit("B", list(1, "smtp:x"));
    world.settle();
    let text = "4.3.0 delivery temporarily suspended: unknown mail transport error";
    assert_eq!(world.started.last().unwrap().queue, text);
    world.run();
}

#[test]
fn a_crash_frees_the_rate_lock() {
    let mut world = World::new(limits(), |_| Settings {
        transport_rate_delay: seconds(2),
        recipient_limit: 2,
        failed_cohort_limit: 0,
        ..settings()
    });
    world.judge = Box::new(|_| (seconds(1), Report::Crash));
    world.submit("A", list(6, "smtp:x"));
    world.run();
    let starts: Vec<_> = world.started.iter().map(|event| event.at.as_secs()).collect();
    assert_eq!(starts, [1002, 1005, 1008]);
}

#[test]
fn pauses_between_deliveries() {
    let mut world =
        World::new(limits(), |_| Settings { rate_delay: seconds(10), recipient_limit: 2, ..settings() });
    world.submit("A", list(6, "smtp:x"));
    world.submit("B", list(1, "smtp:y"));
    world.run();
    let starts = |queue: &str| -> Vec<u64> {
        world.started.iter().filter(|event| event.queue == queue).map(|event| event.at.as_secs()).collect()
    };
    assert_eq!(starts("x"), [1000, 1011, 1022]);
    assert_eq!(starts("y"), [1000]);
    assert!(world.queue("smtp", "x").is_none());
}

#[test]
fn destinations_and_transports_take_turns() {
    let mut world = World::new(limits(), |_| Settings {
        recipient_limit: 2,
        initial_concurrency: 1,
        concurrency_limit: 1,
        ..settings()
    });
    world.agents = 1;
    let mut recipients = list(8, "smtp:x");
    recipients.extend(list(8, "smtp:y"));
    recipients.extend(list(4, "relay:z"));
    world.submit("A", recipients);
    world.run();
    let smtp: String = world
        .started
        .iter()
        .filter(|event| event.transport == "smtp")
        .map(|event| event.queue.as_str())
        .collect();
    assert_eq!(smtp, "xyxyxyxy");
    let last_relay = world.started.iter().rposition(|event| event.transport == "relay").unwrap();
    assert!(last_relay <= 4, "{last_relay}");
}

#[test]
fn small_messages_overtake_large_ones() {
    let mut world = World::new(limits(), |_| Settings {
        recipient_limit: 2,
        concurrency_limit: 1000,
        initial_concurrency: 1000,
        ..settings()
    });
    world.agents = 10;
    world.submit("LIST", list(2000, "smtp:x"));
    world.run_until(seconds(1005));
    for n in 0..5 {
        world.submit(&format!("S{n}"), vec![to("one@y", "smtp:y")]);
    }
    world.run();
    let at = |name: &str| world.done.iter().find(|(_, found, _)| found == name).unwrap().0;
    for n in 0..5 {
        assert!(at(&format!("S{n}")) <= seconds(1009), "S{n} at {:?}", at(&format!("S{n}")));
    }
    assert!(at("LIST") <= seconds(1103));

    // Without preemption they wait.
    let mut world = World::new(limits(), |_| Settings {
        slot_cost: 0,
        recipient_limit: 2,
        concurrency_limit: 1000,
        initial_concurrency: 1000,
        ..settings()
    });
    world.agents = 10;
    world.submit("LIST", list(2000, "smtp:x"));
    world.run_until(seconds(1005));
    world.submit("S", vec![to("one@y", "smtp:y")]);
    world.run();
    let at = world.done.iter().find(|(_, found, _)| found == "S").unwrap().0;
    assert!(at >= seconds(1100));
}

#[test]
fn a_stream_of_small_ones_does_not_starve_a_large_one() {
    let mut world = World::new(limits(), |_| Settings {
        recipient_limit: 2,
        concurrency_limit: 1000,
        initial_concurrency: 1000,
        ..settings()
    });
    world.agents = 10;
    world.submit("LIST", list(1000, "smtp:x"));
    for second in 0..100 {
        world.run_until(seconds(1000 + second));
        for n in 0..10 {
            world.submit(&format!("S{second}x{n}"), vec![to("one@y", "smtp:y")]);
        }
    }
    world.run();
    let at = world.done.iter().find(|(_, found, _)| found == "LIST").unwrap().0;
    // 500 deliveries, 10 at a time, are 50 seconds; one in five more goes to others.
    assert!(at <= seconds(1000 + 50 + 10 + 2), "{at:?}");
}

#[test]
fn recipients_are_read_as_memory_allows() {
    let tight = Limits { recipients: 100, recipients_per_message: 10, ..limits() };
    let mut world = World::new(tight, |_| Settings {
        recipients: 60,
        extra_recipients: 20,
        refill_limit: 20,
        recipient_limit: 5,
        ..settings()
    });
    for name in ["A", "B", "C"] {
        let mut recipients = list(500, "smtp:x");
        recipients.extend(list(200, "relay:y"));
        world.submit(name, recipients);
    }
    let mut most = 0;
    while world.step() {
        most = most.max(world.scheduler.recipient_count());
    }
    assert_eq!(world.done.len(), 3);
    assert!(most <= 400, "{most}");
    let delivered: usize = world.started.iter().map(|event| event.recipients.len()).sum();
    assert_eq!(delivered, 2100);
}

#[test]
fn a_slow_destination_does_not_block_others() {
    let mut world = World::new(limits(), |_| Settings {
        recipient_limit: 2,
        initial_concurrency: 1,
        concurrency_limit: 1,
        ..settings()
    });
    world.judge = Box::new(|event| (seconds(if event.queue == "slow" { 100 } else { 1 }), sent()));
    world.submit("A", list(10, "smtp:slow"));
    world.submit("B", list(2, "smtp:slow"));
    world.submit("C", list(2, "smtp:fast"));
    world.run();
    assert_eq!(world.done[0], (seconds(1001), "C".into(), false));
    let order: Vec<_> = world.done.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(order, ["C", "A", "B"]);
}

#[test]
fn connections_are_kept_when_mail_follows_mail() {
    let mut world = default_world();
    let flags = |world: &World| world.queue("smtp", "x").map(|queue| queue.connection_flags());
    let both = ipc::deliver::FLAG_CONN_LOAD | ipc::deliver::FLAG_CONN_STORE;
    world.judge = Box::new(|event| (seconds(if event.message == "LONG" { 100 } else { 1 }), sent()));
    world.submit("LONG", list(1, "smtp:x"));
    world.submit("A", list(1, "smtp:x"));
    world.settle();
    assert_eq!(flags(&world), Some(0));
    world.run_until(seconds(1001));
    world.submit("B", list(1, "smtp:x"));
    world.settle();
    assert_eq!(flags(&world), Some(both));
    world.run();
}

#[test]
fn connections_are_kept_in_a_steady_stream() {
    let mut world = default_world();
    let mut number = 0;
    // Sends a message that many seconds after the last one was delivered, and says whether its connection is kept.
    let mut send = |world: &mut World, pause: u64| {
        number += 1;
        world.run_until(world.now + seconds(pause));
        world.submit(&format!("M{number}"), list(1, "smtp:x"));
        world.settle();
        let flags = world.queue("smtp", "x").unwrap().connection_flags();
        world.run();
        assert!(world.queue("smtp", "x").is_none());
        flags & ipc::deliver::FLAG_CONN_STORE != 0
    };
    for _ in 0..steady::STEADY {
        assert!(!send(&mut world, 1));
    }
    assert!(send(&mut world, 1));
    assert!(send(&mut world, 0));
    assert!(!send(&mut world, 2));
    for _ in 0..steady::STEADY {
        send(&mut world, 0);
    }
    assert!(send(&mut world, 0));
}

/// A large backlog for one slow destination, and behind it mail for many others, must not make each step slow.
#[test]
fn a_backlog_costs_little() {
    let mut world = default_world();
    world.checks = false;
    world.agents = 200;
    world.judge = Box::new(|event| (seconds(if event.queue == "slow" { 5 } else { 1 }), sent()));
    for n in 0..10_000 {
        world.submit(&format!("S{n}"), vec![to("u@slow", "smtp:slow")]);
    }
    for n in 0..10_000 {
        world.submit(&format!("F{n}"), vec![to("u@x", &format!("smtp:d{}", n % 500))]);
    }
    let start = std::time::Instant::now();
    world.run();
    println!("{:?}", start.elapsed());
    assert_eq!(world.done.len(), 20_000);
    assert!(start.elapsed() < seconds(20), "{:?}", start.elapsed());
}

fn outcome() -> impl Strategy<Value = u8> {
    prop_oneof![8 => Just(0u8), 1 => Just(1), 1 => Just(2), 1 => Just(3)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_recipient_is_tried_once(
        messages in prop::collection::vec(
            (0u64..20, prop::collection::vec((0usize..3, 0usize..5), 1..60)), 1..25),
        outcomes in prop::collection::vec((outcome(), 1u64..9), 64),
        agents in 1usize..6,
        recipient_limit in 1usize..4,
        slot_cost in 0i64..6,
        rate_delay in prop_oneof![4 => Just(0u64), 1 => Just(3)],
        out_of_order in prop::collection::vec(any::<bool>(), 3),
        pool in 5i64..50,
        feedback in prop_oneof![Just("1"), Just("1/concurrency"), Just("1/8"), Just("0")],
    ) {
        let feedback = Feedback::parse(feedback).unwrap();
        let tight = Limits { recipients: 2 * pool, recipients_per_message: 3, ..limits() };
        let mut world = World::new(tight, move |name| Settings {
            recipient_limit, slot_cost,
            recipients: pool, extra_recipients: pool / 4, refill_limit: pool / 3 + 1,
            rate_delay: if name == b"t1" { seconds(rate_delay) } else { Duration::ZERO },
            initial_concurrency: 2, concurrency_limit: 4,
            positive: feedback, negative: feedback,
            ..settings()
        });
        world.agents = agents;
        let names = ["t0", "t1", "retry"];
        world.unavailable =
            names.iter().zip(&out_of_order).filter(|(_, out)| **out).map(|(name, _)| (*name).into()).collect();
        let mut turn = 0;
        world.judge = Box::new(move |_| {
            turn += 1;
            let (kind, takes) = outcomes[turn % outcomes.len()];
            let report = match kind {
                0 => sent(),
                1 => dead(),
                2 => Report::Crash,
                _ => Report::Answer(ipc::deliver::Outcome { hop_status: None, is_final: false }),
            };
            (seconds(takes), report)
        });
        let mut expected = BTreeSet::new();
        let mut at = seconds(1000);
        for (number, (gap, recipients)) in messages.iter().enumerate() {
            at += seconds(*gap);
            world.run_until(at);
            let recipients: Vec<_> = recipients.iter().enumerate().map(|(n, (transport, nexthop))| {
                let address = format!("m{number}r{n}@d{nexthop}");
                expected.insert(address.clone());
                to(&address, &format!("t{transport}:d{nexthop}"))
            }).collect();
            world.submit(&format!("M{number}"), recipients);
        }
        world.run();
        prop_assert_eq!(world.done.len(), messages.len());
        let mut tried: Vec<_> = world.started.iter().flat_map(|event| event.recipients.clone()).collect();
        tried.extend(world.deferred.clone());
        tried.sort();
        prop_assert!(tried.windows(2).all(|pair| pair[0] != pair[1]), "twice");
        prop_assert_eq!(tried.into_iter().collect::<BTreeSet<_>>(), expected);
        prop_assert_eq!(world.scheduler.message_count(), 0);
        world.scheduler.check();
        for (_, transport) in world.scheduler.transports.iter() {
            prop_assert!(transport.queues.is_empty(), "all rests are over");
        }
    }
}
