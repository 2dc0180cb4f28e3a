//! Facts that only the library's callbacks see, carried from there to the end of the handshake.
//!
//! Callbacks run while the handshake future is polled, and get no handle of the connection. A thread-local note, swapped in around
//! each poll, belongs to exactly one connection.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::{HandshakeKind, NamedGroup, ProtocolVersion, SignatureScheme};

use crate::keyinfo::KeyInfo;
use crate::protocols;
use crate::summary::{Role, Signature, Standing, Summary};

/// What the callbacks saw.
#[derive(Default)]
pub(crate) struct Notes {
    own: Option<(Arc<KeyInfo>, SignatureScheme)>,
    peer: Option<SignatureScheme>,
}

thread_local! {
    static CURRENT: RefCell<Notes> = RefCell::default();
}

/// Our key was asked for a signature.
pub(crate) fn note_own(key: &Arc<KeyInfo>, scheme: SignatureScheme) {
    CURRENT.with_borrow_mut(|notes| notes.own = Some((Arc::clone(key), scheme)));
}

/// The peer showed a signature.
pub(crate) fn note_peer(scheme: SignatureScheme) {
    CURRENT.with_borrow_mut(|notes| notes.peer = Some(scheme));
}

/// A handshake future with its notes.
pub(crate) struct Noted<F> {
    inner: F,
    notes: Notes,
}

impl<F> Noted<F> {
    pub(crate) fn new(inner: F) -> Self {
        Self { inner, notes: Notes::default() }
    }
}

impl<F: Future + Unpin> Future for Noted<F> {
    type Output = (F::Output, Notes);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        CURRENT.with_borrow_mut(|current| std::mem::swap(current, &mut this.notes));
        let polled = Pin::new(&mut this.inner).poll(cx);
        CURRENT.with_borrow_mut(|current| std::mem::swap(current, &mut this.notes));
        polled.map(|output| (output, std::mem::take(&mut this.notes)))
    }
}

/// The connection's own account of the handshake.
pub(crate) struct Facts {
    pub(crate) version: Option<ProtocolVersion>,
    pub(crate) suite: Option<rustls::CipherSuite>,
    pub(crate) group: Option<NamedGroup>,
    pub(crate) kind: Option<HandshakeKind>,
}

/// A summary without the peer's identity, which each side adds.
pub(crate) fn summary(role: Role, facts: &Facts, notes: Notes, peer_key: Option<&KeyInfo>) -> Summary {
    let (cipher, bits) = facts.suite.map_or(("unknown", 0), protocols::suite);
    let resumed = facts.kind == Some(HandshakeKind::Resumed);
    // Older protocols tell all this by the name of the cipher, and Postfix says nothing more there.
    let modern = facts.version == Some(ProtocolVersion::TLSv1_3);
    let own = notes.own.and_then(|(key, scheme)| key.signature(scheme));
    let peer = notes.peer.zip(peer_key).and_then(|(scheme, key)| key.signature(scheme));
    let (server, client) = match role {
        Role::Server => (own, peer),
        Role::Client => (peer, own),
    };
    let signature = |signature: Option<Signature>| signature.filter(|_| modern && !resumed);
    Summary {
        role,
        protocol: protocols::version(facts.version),
        cipher,
        bits,
        key_exchange: facts.group.filter(|_| modern).and_then(key_exchange),
        server_signature: signature(server),
        client_signature: signature(client),
        standing: Standing::Anonymous,
        peer: None,
        resumed,
        sni: None,
    }
}

/// The group as OpenSSL calls it since 3.0, which is what Postfix logs since it asks for the name of the group.
fn key_exchange(group: NamedGroup) -> Option<&'static str> {
    Some(match group {
        NamedGroup::X25519 => "x25519",
        NamedGroup::X448 => "x448",
        NamedGroup::secp256r1 => "secp256r1",
        NamedGroup::secp384r1 => "secp384r1",
        NamedGroup::secp521r1 => "secp521r1",
        NamedGroup::X25519MLKEM768 => "X25519MLKEM768",
        NamedGroup::secp256r1MLKEM768 => "SecP256r1MLKEM768",
        NamedGroup::MLKEM768 => "MLKEM768",
        _ => return None,
    })
}
