//! The same scenarios against Ferrofix and against Debian's Postfix, compared.

fn main() {}
