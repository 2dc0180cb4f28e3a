//! Requests that are made again when they fail: the settings `max_try` and `retry_pause`.

use std::time::Duration;

use crate::client::link::Trouble;
use crate::client::peer::{Exchange, Failure, Limits, Peer};
use crate::client::{Endpoint, Settings};
use crate::open::{Opening, reason};

/// No time limit at all, in effect.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);

/// A cache server, and how often it is asked.
pub(crate) struct Retries {
    title: String,
    peer: Peer,
    max_try: i32,
    pause: Duration,
}

/// What came of one request.
pub(crate) enum Attempt<T> {
    Done(T),
    /// The server answered what it should not, as the text says.
    Odd(String),
}

/// The server cannot be asked. What is wrong has been logged.
pub(crate) struct Unavailable;

impl Retries {
    /// Reads the settings. The error is Postfix's text.
    pub(crate) fn read(opening: &Opening<'_>, settings: &Settings, server: &str) -> Result<Self, String> {
        let timeout = settings.seconds("timeout", 2, ..)?;
        let limits =
            Limits { step: if timeout.is_zero() { FOREVER } else { timeout }, idle: None, age: None };
        let pause = settings.seconds("retry_pause", 1, 1..)?;
        let max_try = settings.number("max_try", 2, 1..)?;
        let peer = Peer::new(Endpoint::parse(server, opening.env)?, limits);
        Ok(Self { title: opening.title(), peer, max_try, pause })
    }

    /// Makes a request until it succeeds. As in Postfix the first failure is nothing to talk about, unless there is no
    /// second attempt, and a server that cannot be reached is not tried again.
    pub(crate) async fn run<T>(
        &self,
        mut request: impl AsyncFnMut(&mut Exchange) -> Result<Attempt<T>, Trouble>,
    ) -> Result<T, Unavailable> {
        for count in 0..self.max_try {
            if count > 0 {
                tokio::time::sleep(self.pause).await;
            }
            let title = &self.title;
            let problem = match self.peer.ask(&mut request).await {
                Ok(Attempt::Done(answer)) => return Ok(answer),
                Ok(Attempt::Odd(text)) => text,
                Err(Failure::Connect(error)) => {
                    log::warning!("connect to {}: {}", self.peer.endpoint().text(), reason(&error));
                    break;
                }
                Err(Failure::Reply(Trouble::Closed | Trouble::TooLong)) => {
                    format!("database {title}: I/O error")
                }
                Err(Failure::Reply(trouble)) => format!("database {title}: I/O error: {}", trouble.reason()),
            };
            if count > 0 || self.max_try == 1 {
                log::warning!("{problem}");
            }
        }
        Err(Unavailable)
    }
}
