//! The built-in table types.

mod basic;
mod batch;
mod cidr;
mod combined;
mod index;
mod memory;
mod pattern;
mod pcre;
mod proxy;
mod ranges;
mod regexp;
mod system;

use std::cell::RefCell;
use std::future::Future;

pub(crate) use proxy::Pool as ProxyPool;

use crate::open::Opener;

/// What opens tables of a type.
pub(crate) fn opener(kind: &str) -> Option<Opener> {
    Some(match kind {
        "hash" | "btree" | "lmdb" => index::open,
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
        "proxy" => proxy::open,
        _ => return None,
    })
}

/// Names of the built-in types, for `postconf -m`.
pub const TYPES: &[&str] = &[
    "btree", "cidr", "debug", "environ", "fail", "hash", "inline", "internal", "lmdb", "pcre", "pipemap",
    "proxy", "randmap", "regexp", "static", "texthash", "unionmap", "unix",
];

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
