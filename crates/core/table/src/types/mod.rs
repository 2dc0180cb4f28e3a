//! The built-in table types.

mod basic;
mod batch;
mod cdb;
mod cidr;
mod combined;
mod index;
mod memcache;
mod memory;
mod pattern;
mod pcre;
mod proxy;
mod ranges;
mod redis;
mod regexp;
mod socketmap;
mod system;
mod tcp;

use std::cell::RefCell;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

pub(crate) use proxy::Pool as ProxyPool;

use crate::open::Opener;

/// What opens tables of a type.
pub(crate) fn opener(kind: &str) -> Option<Opener> {
    Some(match kind {
        "hash" | "btree" | "lmdb" => index::open,
        "cdb" => cdb::open,
        "static" => basic::open_static,
        "fail" => basic::open_fail,
        "internal" => memory::open_internal,
        "inline" => memory::open_inline,
        "texthash" => memory::open_texthash,
        "cidr" => cidr::open,
        "regexp" => regexp::open,
        "pcre" => pcre::open,
        "unix" => system::open_unix,
        "environ" => system::open_environ,
        "randmap" => basic::open_randmap,
        "pipemap" => combined::open_pipemap,
        "unionmap" => combined::open_unionmap,
        "debug" => combined::open_debug,
        "memcache" => memcache::open,
        "proxy" => proxy::open,
        "redis" => redis::open,
        "socketmap" => socketmap::open,
        "tcp" => tcp::open,
        _ => return None,
    })
}

/// Names of the built-in types, for `postconf -m`.
pub const TYPES: &[&str] = &[
    "btree",
    "cdb",
    "cidr",
    "debug",
    "environ",
    "fail",
    "hash",
    "inline",
    "internal",
    "lmdb",
    "memcache",
    "pcre",
    "pipemap",
    "proxy",
    "randmap",
    "redis",
    "regexp",
    "socketmap",
    "static",
    "tcp",
    "texthash",
    "unionmap",
    "unix",
];

/// Names of the types that programs link, with their heavy clients, where tables may be of any type: see [`link`].
pub const LINKED_TYPES: &[&str] = &["ldap", "mongodb", "mysql", "pgsql", "sqlite"];

static LINKED: Mutex<Vec<(&'static str, Opener)>> = Mutex::new(Vec::new());

/// Adds table types to this process. Programs do that first of all, so that a program has the clients that it depends
/// on, and no library needs to know them.
pub fn link(types: &[(&'static str, Opener)]) {
    LINKED.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(types);
}

/// What opens tables of a type that was linked.
pub(crate) fn linked(kind: &str) -> Option<Opener> {
    let types = LINKED.lock().unwrap_or_else(PoisonError::into_inner);
    types.iter().find(|(known, _)| *known == kind).map(|&(_, opener)| opener)
}

/// What it takes to wait for an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waiting {
    /// Nothing: it is there at once.
    Here,
    /// A runtime, to hear from another process.
    Elsewhere,
}

/// Waits for an answer, in a program without a runtime.
pub(crate) fn wait<T>(waiting: Waiting, future: impl Future<Output = T>) -> T {
    thread_local! {
        // Kept, since connections to other processes belong to it.
        static RUNTIME: RefCell<Option<tokio::runtime::Runtime>> = const { RefCell::new(None) };
    }
    let mut future = std::pin::pin!(future);
    if waiting == Waiting::Here {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
    RUNTIME.with_borrow_mut(|runtime| {
        let runtime = runtime.get_or_insert_with(|| {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_all().build().expect("the system has descriptors for a runtime")
        });
        runtime.block_on(future)
    })
}
