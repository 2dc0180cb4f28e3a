//! What every delivery agent shares: taking requests from the queue manager, crossing recipients off, reporting outcomes.
//!
//! An [`Agent`] serves each connection and gets a [`Job`] for each request: the request and its open queue file. For each
//! recipient it ends with one of [`Job::sent`], [`Job::bounced`] and [`Job::deferred`], which write the delivery line to
//! the log, tell the bounce, defer, trace, verify and flush services, and cross the recipient off if it is dealt with.
//!
//! The order is what keeps mail safe: deliver, then report, then mark. A crash between two of them delivers twice rather
//! than never. A service that does not answer turns the outcome into a deferral. The queue manager itself and cleanup(8)
//! use the reporter too, for recipients that no agent sees. [`post`] is for mail that the mail system writes itself.

mod agent;
mod job;
mod line;
mod pass;
pub mod post;
mod report;

pub use agent::Agent;
pub use job::Job;
pub use line::{Line, delay_text};
pub use report::{Message, Reporter, Verdict};
