//! postalias(1): builds, asks and changes alias tables, whose text has the format of aliases(5).
//!
//! `newaliases` runs this program. What it does is in `table-command`, which postmap shares; how aliases are read is in
//! `table::build`.
//!
//! Trust: alias files belong to who runs the command, or for the superuser, to the user as whom the table is built.
//! A table is replaced in one step or not at all. Failures end the program with status 1 and a `fatal:` line.

use command::{Fatal, Invocation, Log, Name, Program};
use table::build::Format;
use table_command::Dialect;

/// The program.
pub const PROGRAM: Program = Program { name: Name::Base, log: Log::Mail, failure: 1 };

const DIALECT: Dialect = Dialect {
    letters: "Nc:d:fijnopq:rsuvw",
    usage: "Nfinoprsuvw",
    format: Format::Alias,
    separator: ":\t",
    message_keys: None,
};

/// Does what the command line says; the exit status.
pub fn main(invocation: &Invocation) -> Result<u8, Fatal> {
    table_command::main(&DIALECT, invocation)
}
