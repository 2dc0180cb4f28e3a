//! The program, run for one client at a time.

mod conformance;
mod harness;
mod requests;
