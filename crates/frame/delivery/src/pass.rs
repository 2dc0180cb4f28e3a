//! Passing a recipient on to another delivery agent.

use std::time::Duration;

use dsn::{Dsn, Status};
use ipc::deliver::{Outcome, PROTOCOL, Request};
use ipc::{Recipient, Stream};

use crate::{Job, Reporter, Verdict};

/// How often to knock, and the pause between.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_secs(10);

impl Job {
    /// Has another agent deliver to a recipient: `service` is `transport` or `transport:nexthop`.
    ///
    /// That agent reports the outcome; the mark in the queue file stays with the caller, who gets the verdict.
    pub async fn pass(&self, reporter: &Reporter, service: &str, recipient: &Recipient) -> Verdict {
        let (transport, nexthop) = service.split_once(':').unwrap_or((service, ""));
        let queue_id = &self.request.queue_id;
        let address = bytes::show(&recipient.address);
        if transport.is_empty() {
            log::warning!("{queue_id}: missing transport name in \"{service}\"");
            return self.not_passed(reporter, recipient, "mail transport unavailable").await;
        }
        log::info!("{queue_id}: passing <{address}> to transport={transport}");
        let mut request = self.request.clone();
        if !nexthop.is_empty() {
            request.nexthop = nexthop.as_bytes().to_vec();
        }
        // Without an offset the other agent marks nothing.
        request.recipients = vec![Recipient { offset: -1, ..recipient.clone() }];
        let path = format!("private/{transport}");
        let mut stream = match asked(&path, &request).await {
            Ok(stream) => stream,
            Err(error) => {
                log::warning!("{path}: {error}");
                return self.not_passed(reporter, recipient, "mail transport unavailable").await;
            }
        };
        match answered(&mut stream).await {
            Ok(Outcome { is_final: true, .. }) => Verdict::Done,
            Ok(_) => Verdict::Keep,
            Err(error) => {
                log::warning!("{path}: malformed response: {error}");
                self.not_passed(reporter, recipient, "unknown mail transport error").await
            }
        }
    }

    async fn not_passed(&self, reporter: &Reporter, recipient: &Recipient, reason: &str) -> Verdict {
        let dsn = Dsn::new(Status::new("4.3.0"), reason);
        reporter.deferred(self.message(), recipient, "none", dsn).await
    }
}

async fn asked(path: &str, request: &Request) -> ipc::Result<Stream> {
    let mut stream = connect(path).await?;
    stream.expect_greeting(PROTOCOL).await?;
    request.write(&mut stream);
    stream.flush().await?;
    Ok(stream)
}

async fn answered(stream: &mut Stream) -> ipc::Result<Outcome> {
    Outcome::from_attrs(&stream.receive().await?)
}

// A service that is being restarted is there again in a moment.
async fn connect(path: &str) -> ipc::Result<Stream> {
    let mut count = 1;
    loop {
        match Stream::connect(path).await {
            Err(error) if count <= ATTEMPTS => log::warning!("connect #{count} to subsystem {path}: {error}"),
            other => return other,
        }
        tokio::time::sleep(PAUSE).await;
        count += 1;
    }
}
