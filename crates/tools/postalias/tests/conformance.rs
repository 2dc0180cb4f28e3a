//! Postfix's own cases for postalias(1).

#[path = "../../postmap/tests/support/programs.rs"]
mod programs;

#[test]
fn cases_of_postfix() {
    programs::run_area("postalias", env!("CARGO_BIN_EXE_postalias"), &[]);
}
