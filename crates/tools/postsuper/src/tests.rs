use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use queue::{Commit, IdForm, Layout, QueueId, QueueName, RecordType, Spool, mode};

use crate::by_id::Change;
use crate::counters::Counters;
use crate::wildcard::{Mass, Repair};
use crate::{Action, Target, Tool, Wanted, queues};

const REPAIR: Repair = Repair { purge: true, structure: true, redundant: false };

fn tool(layout: &Layout) -> (tempfile::TempDir, Tool) {
    let root = tempfile::tempdir().unwrap();
    for queue in QueueName::ALL {
        fs::create_dir(root.path().join(queue.as_str())).unwrap();
    }
    let tool = reopen(&root, layout);
    (root, tool)
}

fn reopen(root: &tempfile::TempDir, layout: &Layout) -> Tool {
    Tool {
        spool: Spool::at(root.path(), layout),
        queues: queues::DEFAULT.iter().map(|queue| queue.as_str().to_owned()).collect(),
        likely: Cell::new(0),
        counters: Arc::new(Counters::default()),
    }
}

fn message(tool: &Tool, queue: QueueName) -> QueueId {
    let mut draft = tool.spool.create(QueueName::Incoming).unwrap();
    draft.record(RecordType::End, b"").unwrap();
    let id = draft.commit(Commit::to(queue)).unwrap();
    tool.spool.append_bounce_log(QueueName::Defer, &id, b"\n").unwrap();
    id
}

fn ids(tool: &Tool, queue: QueueName) -> Vec<QueueId> {
    let mut ids: Vec<_> = tool.spool.scan(queue).unwrap().filter_map(Result::ok).collect();
    ids.sort();
    ids
}

fn one(change: Change, id: &QueueId) -> Wanted {
    let target = Target::One(id.as_bytes().to_vec());
    Wanted { repair: None, actions: vec![Action { change, target }] }
}

#[test]
fn a_message_on_its_way_around() {
    let (_root, tool) = tool(&Layout::default());
    let id = message(&tool, QueueName::Deferred);
    for (change, queue) in [
        (Change::Hold, QueueName::Hold),
        (Change::Release, QueueName::Deferred),
        (Change::Expire, QueueName::Deferred),
        (Change::Hold, QueueName::Hold),
        (Change::ExpireAndRelease, QueueName::Deferred),
        (Change::Requeue, QueueName::Maildrop),
        // Mail in maildrop is not sanitized.
        (Change::Hold, QueueName::Maildrop),
        (Change::Requeue, QueueName::Maildrop),
    ] {
        tool.run(&one(change, &id)).unwrap();
        assert_eq!(ids(&tool, queue), std::slice::from_ref(&id), "{change:?}");
    }
    assert!(tool.spool.check(QueueName::Maildrop, &id).unwrap().is_expired_by_force());
    assert_eq!(ids(&tool, QueueName::Defer).len(), 1);
    tool.run(&one(Change::Delete, &id)).unwrap();
    assert!(ids(&tool, QueueName::Maildrop).is_empty());
    assert!(ids(&tool, QueueName::Defer).is_empty());
}

#[test]
fn everything_at_once() {
    let (_root, tool) = tool(&Layout::default());
    for queue in [QueueName::Incoming, QueueName::Active, QueueName::Deferred, QueueName::Maildrop] {
        message(&tool, queue);
    }
    tool.walk_queues(Mass::Change(Change::Hold)).unwrap();
    assert_eq!(ids(&tool, QueueName::Hold).len(), 3);
    tool.walk_queues(Mass::Change(Change::Expire)).unwrap();
    let held = ids(&tool, QueueName::Hold);
    assert!(held.iter().all(|id| tool.spool.check(QueueName::Hold, id).unwrap().mode() & mode::EXPIRE != 0));
    tool.walk_queues(Mass::Change(Change::Release)).unwrap();
    assert_eq!(ids(&tool, QueueName::Deferred).len(), 3);
    tool.walk_queues(Mass::Change(Change::Requeue)).unwrap();
    assert_eq!(ids(&tool, QueueName::Maildrop).len(), 4);
    tool.walk_queues(Mass::Change(Change::Delete)).unwrap();
    assert!(ids(&tool, QueueName::Maildrop).is_empty());
    assert!(ids(&tool, QueueName::Defer).is_empty());
}

#[test]
fn names_follow_inodes_and_logs_follow_names() {
    let (_root, tool) = tool(&Layout::default());
    let id = message(&tool, QueueName::Deferred);
    let wrong = id.with_inode(IdForm::Short, 4711);
    for queue in [QueueName::Deferred, QueueName::Defer] {
        fs::rename(tool.spool.path(queue, &id), tool.spool.path(queue, &wrong)).unwrap();
    }
    let fault = tool.run(&Wanted { repair: Some(REPAIR), ..one(Change::Delete, &wrong) }).unwrap_err();
    assert_eq!(fault.to_string(), "CHECK YOUR QUEUE IDS AND RE-ISSUE THE COMMAND");
    assert_eq!(ids(&tool, QueueName::Deferred), std::slice::from_ref(&id));
    assert_eq!(ids(&tool, QueueName::Defer), [id]);
}

#[test]
fn a_new_layout() {
    let (root, tool) = tool(&Layout::default());
    let id = message(&tool, QueueName::Deferred);
    let deep = Layout { depth: 2, hashed: vec!["deferred".into()], ..Layout::default() };
    let tool = reopen(&root, &deep);
    tool.walk_queues(Mass::Repair(REPAIR)).unwrap();
    assert!(tool.spool.check(QueueName::Deferred, &id).is_some());
    assert!(tool.spool.path(QueueName::Defer, &id).exists());
    assert!(!root.path().join("defer").join(&id.as_str()[..1]).exists());
    let flat = Layout { hashed: vec!["maildrop".into()], ..Layout::default() };
    let tool = reopen(&root, &flat);
    let fault = tool.walk_queues(Mass::Repair(REPAIR)).unwrap_err();
    assert_eq!(fault.to_string(), "maildrop queue must not be hashed");
}

#[test]
fn rubbish() {
    let (root, tool) = tool(&Layout::default());
    let hold = root.path().join("hold");
    std::os::unix::fs::symlink("/etc/passwd", hold.join("ABCDEF")).unwrap();
    fs::create_dir(hold.join("empty")).unwrap();
    fs::create_dir_all(hold.join("full/inside")).unwrap();
    fs::write(hold.join("ABCDEF12"), "").unwrap();
    fs::set_permissions(hold.join("ABCDEF12"), fs::Permissions::from_mode(0o600)).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(8 * 24 * 3600);
    fs::File::options().write(true).open(hold.join("ABCDEF12")).unwrap().set_modified(old).unwrap();
    fs::write(hold.join("young.tmp"), "").unwrap();
    let purge = Repair { purge: true, ..Repair::default() };
    tool.walk_queues(Mass::Repair(purge)).unwrap();
    let mut left: Vec<_> = fs::read_dir(&hold).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["full", "young.tmp"]);
    assert!(queues::find("corrupt").is_err());
    assert_eq!(queues::find("x").unwrap_err().to_string(), "invalid directory name: x");
}
