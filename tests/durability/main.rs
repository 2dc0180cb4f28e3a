//! What must not be lost: the spool that both systems share, and mail in the face of kills, full disks, crashes and
//! hostile files.
//!
//! Every message of these tests has its number in each of its recipients' addresses, so that the receivers' own records
//! say who got what, and how often. `UNDER_TEST=reference` runs all of it, where it makes sense, against the
//! reference: that is how the tests themselves are tested.

mod disk;
mod exchange;
mod hostile;
mod kill;
mod kinds;
mod power;
mod process;
mod receiver;
mod spool;
mod summary;
mod trace;
