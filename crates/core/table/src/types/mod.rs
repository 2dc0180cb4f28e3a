//! The built-in table types.

mod basic;
mod memory;

use std::future::Future;

use crate::open::Opener;

/// What opens tables of a type.
pub(crate) fn opener(kind: &str) -> Option<Opener> {
    Some(match kind {
        "static" => basic::open_static,
        "fail" => basic::open_fail,
        "internal" => memory::open_internal,
        "inline" => memory::open_inline,
        "texthash" => memory::open_texthash,
        _ => return None,
    })
}

/// Waits for an answer, in a program without a runtime.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::yield_now();
    }
}
