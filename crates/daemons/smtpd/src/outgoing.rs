//! A message on its way out of this program: to cleanup(8), or by hand to postdrop(1).

use ipc::cleanup::{Reply, Status, Submission};
use ipc::{Error, Stream};
use tokio::process::Child;

/// Where the records of a message go. Dropping it before [`Outgoing::finish`] abandons the message.
pub enum Outgoing {
    /// To the queue.
    Cleanup(Submission),
    /// To the maildrop, through the one program that may write there.
    Postdrop(Postdrop),
}

/// A conversation with postdrop(1).
pub struct Postdrop {
    stream: Stream,
    queue_id: String,
    /// Ends when the conversation does; kept so that it can be waited for.
    child: Child,
}

impl Postdrop {
    const PROTOCOL: &'static str = "postdrop_protocol";

    /// Hears from postdrop(1) what the message is called.
    pub(crate) async fn greeted(mut stream: Stream, child: Child) -> ipc::Result<Postdrop> {
        let greeting = stream.receive().await?;
        let got = greeting.text("protocol")?;
        if got != Self::PROTOCOL.as_bytes() {
            return Err(Error::Protocol { got: bytes::show(got).to_string(), expected: Self::PROTOCOL });
        }
        let queue_id = String::from_utf8_lossy(greeting.text("queue_id")?).into_owned();
        Ok(Postdrop { stream, queue_id, child })
    }
}

impl Outgoing {
    /// The queue id.
    #[must_use]
    pub fn queue_id(&self) -> &str {
        match self {
            Outgoing::Cleanup(submission) => submission.queue_id(),
            Outgoing::Postdrop(postdrop) => &postdrop.queue_id,
        }
    }

    /// Where records are collected.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        match self {
            Outgoing::Cleanup(submission) => submission.buffer(),
            Outgoing::Postdrop(postdrop) => postdrop.stream.output(),
        }
    }

    /// Sends what was collected.
    pub async fn flush(&mut self) -> ipc::Result<()> {
        match self {
            Outgoing::Cleanup(submission) => submission.flush().await,
            Outgoing::Postdrop(postdrop) => postdrop.stream.flush().await,
        }
    }

    /// Sends the rest and waits until the message is safe, or refused.
    pub async fn finish(self) -> ipc::Result<Reply> {
        match self {
            Outgoing::Cleanup(submission) => submission.finish().await,
            Outgoing::Postdrop(mut postdrop) => {
                postdrop.stream.flush().await?;
                let reply = postdrop.stream.receive().await?;
                let status = Status(reply.flags("status")?);
                let reason = reply.text("reason")?.to_vec();
                postdrop.child.wait().await?;
                Ok(Reply { status, reason })
            }
        }
    }
}
