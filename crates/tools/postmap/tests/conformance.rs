//! Postfix's own cases for postmap(1).

#[path = "support/programs.rs"]
mod programs;

#[test]
fn cases_of_postfix() {
    programs::run_area("postmap", env!("CARGO_BIN_EXE_postmap"), &[]);
}
