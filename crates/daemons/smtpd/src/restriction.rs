//! Access restrictions: what they are, how a list of them is evaluated, what a rejection looks like.
//!
//! A list is a list of words, as in main.cf and in the results of access tables; each word is a restriction, the
//! argument of one, or the name of a list. Evaluation stops at the first restriction that permits or rejects.

mod access;
mod action;
mod client;
mod generic;
mod helo;
mod listed;
mod lookup;
mod mx_backup;
mod rbl;
mod recipient;
mod reject;
mod rewrite;
mod rules;
mod sender;
mod servers;
mod stages;
mod unsupported;
mod verify;
mod words;

pub(crate) use conf::restriction::Name;
pub(crate) use rbl::ListingCache;
pub(crate) use reject::{Checks, TempfailAction};
pub(crate) use rules::Rules;
pub(crate) use stages::Hangup;
pub(crate) use words::{Cursor, Words, has_required, required_text};

/// What a restriction says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing; go on with the next.
    Dunno,
    /// Permitted; the rest of the list does not matter.
    Permit,
    /// Rejected; the reply is in [`Checks`].
    Reject,
}

/// Why an evaluation was broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    /// It could not be done; the reply is in [`Checks`].
    Rejected,
    /// The connection is to be closed without a reply.
    Hangup,
}

pub(crate) type Check = Result<Verdict, Halt>;

/// What a list is evaluated about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// As shown in replies: an address, a name.
    pub(crate) name: &'a str,
    /// What kind of thing it is, as shown in replies.
    pub(crate) class: &'static str,
    /// The restriction that a bare `type:table` stands for; `None` where there is none.
    pub(crate) table: Option<Name>,
}

/// Kinds of things that are rejected, as replies name them.
pub(crate) mod class {
    pub(crate) const CLIENT: &str = "Client host";
    pub(crate) const REVERSE_CLIENT: &str = "Unverified Client host";
    pub(crate) const CERTIFICATE: &str = "Client certificate";
    pub(crate) const LOGIN: &str = "SASL login name";
    pub(crate) const HELO: &str = "Helo command";
    pub(crate) const SENDER: &str = "Sender address";
    pub(crate) const RECIPIENT: &str = "Recipient address";
    pub(crate) const ETRN: &str = "Etrn command";
    pub(crate) const DATA: &str = "Data command";
    pub(crate) const END_OF_DATA: &str = "End-of-data";
}
