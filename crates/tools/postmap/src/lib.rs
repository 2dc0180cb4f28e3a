//! postmap(1): builds, asks and changes lookup tables.
//!
//! What it does is in `table-command`, which postalias shares. What postmap has alone is here: the keys of `-h`, `-b` and
//! `-m` are the headers and the lines of a message, as header_checks and body_checks would see them.
//!
//! Trust: tables belong to who runs the command, or for the superuser, to the user as whom the table is built; a message
//! can be anything. A table is replaced in one step or not at all. Failures end the program with status 1 and a `fatal:`
//! line.

mod message_keys;

use command::{Fatal, Invocation, Log, Name, Program};
use table::build::Format;
use table_command::Dialect;

/// The program.
pub const PROGRAM: Program = Program { name: Name::Base, log: Log::Mail, failure: 1 };

const DIALECT: Dialect = Dialect {
    letters: "bc:d:fFhijmnNopq:rsuUvw",
    usage: "bfFhimnNoprsuUvw",
    format: Format::Map,
    separator: "\t",
    message_keys: Some(message_keys::visit),
};

/// Does what the command line says; the exit status.
pub fn main(invocation: &Invocation) -> Result<u8, Fatal> {
    table_command::main(&DIALECT, invocation)
}
