use super::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A server that notes what happens to it.
#[derive(Clone)]
struct Fake {
    name: &'static str,
    reach: Reach,
    log: Rc<RefCell<Vec<&'static str>>>,
    is_up: Rc<Cell<bool>>,
    open: Arc<()>,
}

impl Server for Fake {
    type Connection = Arc<()>;

    fn reach(&self) -> Reach {
        self.reach
    }

    async fn connect(&self) -> Option<Arc<()>> {
        self.log.borrow_mut().push(self.name);
        self.is_up.get().then(|| Arc::clone(&self.open))
    }
}

type Log = Rc<RefCell<Vec<&'static str>>>;

fn fake(log: &Log, name: &'static str, reach: Reach) -> Fake {
    let is_up = Rc::new(Cell::new(true));
    Fake { name, reach, log: Rc::clone(log), is_up, open: Arc::new(()) }
}

const RETRY: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(30);

fn servers(list: &[&Fake]) -> Servers<Fake> {
    Servers::new(list.iter().map(|&fake| fake.clone()).collect(), RETRY, IDLE)
}

/// Asks who answers.
async fn who(servers: &Servers<Fake>) -> Option<&'static str> {
    servers.ask(async |server, _| Ok(server.name)).await
}

fn connections(fake: &Fake) -> usize {
    // One is the server's own, and so is one for each copy of the server in the list.
    Arc::strong_count(&fake.open)
}

#[tokio::test(start_paused = true)]
async fn local_sockets_come_first() {
    let log = Log::default();
    let (a, b, c) =
        (fake(&log, "inet", Reach::Inet), fake(&log, "unix", Reach::Unix), fake(&log, "uri", Reach::Uri));
    let all = servers(&[&a, &b, &c]);
    assert_eq!(who(&all).await, Some("unix"));
    assert_eq!(who(&all).await, Some("unix"));
    assert_eq!(*log.borrow(), ["unix"], "the connection was used again");
    b.is_up.set(false);
    tokio::time::sleep(IDLE).await;
    assert_eq!(who(&all).await, Some("inet"));
    assert_eq!(*log.borrow(), ["unix", "unix", "inet"]);
    // An open connection is better than a local socket.
    b.is_up.set(true);
    tokio::time::sleep(IDLE / 2).await;
    assert_eq!(who(&all).await, Some("inet"));
}

#[tokio::test(start_paused = true)]
async fn equals_share_by_chance() {
    let log = Log::default();
    let (a, b) = (fake(&log, "a", Reach::Inet), fake(&log, "b", Reach::Inet));
    for _ in 0..64 {
        who(&servers(&[&a, &b])).await.unwrap();
    }
    let count = log.borrow().iter().filter(|&&name| name == "a").count();
    assert!((8..=56).contains(&count), "{count}");
}

#[tokio::test(start_paused = true)]
async fn servers_that_failed_are_left_alone() {
    let log = Log::default();
    let (a, b) = (fake(&log, "a", Reach::Unix), fake(&log, "b", Reach::Inet));
    let all = servers(&[&a, &b]);
    a.is_up.set(false);
    b.is_up.set(false);
    assert_eq!(who(&all).await, None);
    assert_eq!(*log.borrow(), ["a", "b"]);
    a.is_up.set(true);
    tokio::time::sleep(RETRY).await;
    assert_eq!(who(&all).await, None, "not yet");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(who(&all).await, Some("a"));
    assert_eq!(*log.borrow(), ["a", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_single_server_is_tried_again_at_once() {
    let log = Log::default();
    let a = fake(&log, "a", Reach::Unix);
    let single = servers(&[&a]);
    let mut is_first = true;
    let answer = single.ask(async |_, _| match std::mem::take(&mut is_first) {
        true => Err(Failure::Connection),
        false => Ok(()),
    });
    assert_eq!(answer.await, Some(()));
    assert_eq!(*log.borrow(), ["a", "a"]);
    assert_eq!(single.ask(async |_, _| Err::<(), _>(Failure::Connection)).await, None);
    assert_eq!(who(&single).await, None, "both are left alone");
    assert_eq!(*log.borrow(), ["a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_question() {
    let log = Log::default();
    let (a, b) = (fake(&log, "a", Reach::Unix), fake(&log, "b", Reach::Inet));
    let all = servers(&[&a, &b]);
    assert_eq!(all.ask(async |_, _| Err::<(), _>(Failure::Question)).await, None);
    assert_eq!(*log.borrow(), ["a", "b"]);
    assert_eq!(who(&all).await, Some("a"), "other questions are answered");
    assert_eq!(*log.borrow(), ["a", "b"], "over the same connection");
}

#[tokio::test(start_paused = true)]
async fn connections_are_closed_when_idle() {
    let log = Log::default();
    let a = fake(&log, "a", Reach::Unix);
    let single = servers(&[&a]);
    let without = connections(&a);
    who(&single).await.unwrap();
    assert_eq!(connections(&a), without + 1);
    tokio::time::sleep(IDLE / 2).await;
    who(&single).await.unwrap();
    tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
    assert_eq!(connections(&a), without + 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(connections(&a), without, "without anybody asking");
    who(&single).await.unwrap();
    drop(single);
    tokio::time::sleep(IDLE * 2).await;
    assert_eq!(connections(&a), 1);
}

#[tokio::test(start_paused = true)]
async fn questions_run_side_by_side() {
    let log = Log::default();
    let (a, b) = (fake(&log, "a", Reach::Unix), fake(&log, "b", Reach::Unix));
    let all = servers(&[&a, &b]);
    let begin = Instant::now();
    let slow = all.ask(async |server, _| {
        tokio::time::sleep(Duration::from_secs(5)).await;
        Ok(server.name)
    });
    let quick = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let name = who(&all).await;
        assert_eq!(begin.elapsed(), Duration::from_secs(1));
        name
    };
    let (slow, quick) = tokio::join!(slow, quick);
    assert_eq!(slow, quick, "the server that is in use gets the other question as well");
    // Who goes away leaves nothing behind.
    let asked = all.ask(async |_, _| std::future::pending::<Result<(), Failure>>().await);
    assert!(tokio::time::timeout(Duration::from_secs(1), asked).await.is_err());
    assert!(lock(&all.pool).slots.iter().all(|slot| slot.busy == 0));
}
