//! Messages as bytes: headers, MIME structure, encodings and copies of a message for delivery.
//!
//! Everything here works on lines that the caller reads from wherever they are, and answers with lines or events; nothing
//! opens a file, a socket or a lookup table. Text is hostile: every length that an input can choose is limited by the
//! caller's configuration ([`mime::Limits`], [`header::HeaderTable`]), a malformed message is never an error but is handled
//! as Postfix handles it, and no input makes a function of this crate panic.
//!
//! | Module | What |
//! |---|---|
//! | [`header`] | is this line a header, which one, and what is special about it |
//! | [`token`] | RFC 822 and RFC 2045 tokens of a structured header |
//! | [`mime`] | the streaming MIME parser with optional 8-bit to quoted-printable conversion |
//! | [`checks`] | the actions of header_checks(5) that are safe in a delivery agent |
//! | [`rfc2047`], [`text`] | full names and comments in headers |
//! | [`xtext`] | RFC 3461 and RFC 6533 address quoting |
//! | [`date`] | RFC 5322 dates in local time |
//! | [`received`] | the `Received:` header as `smtpd` and `pickup` write it |
//! | [`copy`], [`delivered`] | the copy of a message for a mailbox, and the loop check on it |

pub mod checks;
pub mod copy;
pub mod date;
pub mod delivered;
pub mod header;
pub mod mime;
pub mod received;
pub mod rfc2047;
pub mod text;
pub mod token;
pub mod xtext;

/// How a physical line of a message ends in the queue file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The line is complete (record type `N`).
    Line,
    /// The line goes on in the next record (record type `L`).
    Part,
}
