//! Postfix's own case for tables of databases that cannot be opened, where the data are at hand.

// Not all of it is needed here.
#[allow(dead_code)]
#[path = "../../../core/table/tests/support/mod.rs"]
mod support;

use std::rc::Rc;

use support::{Call, Case, Journal, run_area};
use table::{Env, Flags, Mode, Table};

/// Cases of the area that need no database.
const SKIPPED: &[(&str, &str)] = &[("maps_test", ELSEWHERE), ("map_search_test", ELSEWHERE)];

const ELSEWHERE: &str = "run by the table crate";

#[test]
fn tables_that_cannot_be_opened() {
    ferrofix_databases::link();
    let Some(results) = run_area("maps", SKIPPED, &drive) else { return };
    assert_eq!(results.len(), 1, "{results:?}");
    for (name, result) in results {
        result.unwrap_or_else(|why| panic!("{name}: {why}"));
    }
}

fn drive(_case: &Case, call: &Call, journal: &Journal) {
    assert_eq!(call.function, "mail_dict");
    let mode = if call.args[1] == "read" { Mode::Read } else { Mode::Write };
    let table = Table::open_mode(&call.args[0], &Rc::new(Env::default()), mode, Flags::LOCK);
    for line in call.lines() {
        journal.bytes(&[b"> ", line.as_slice()].concat());
        let key = line.strip_prefix(b"get ").unwrap();
        let answer = match table.lookup_blocking(key) {
            Ok(Some(value)) => [key, b"=", &value].concat(),
            Ok(None) => [key, b": not found"].concat(),
            Err(_) => [key, b": error"].concat(),
        };
        journal.bytes(&answer);
    }
}
