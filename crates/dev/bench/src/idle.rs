//! Clients that connect all at once, say EHLO, and then nothing.

use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use crate::mailsystem::MailSystem;
use crate::memory;
use crate::outcome::Outcome;

/// The first few bring up the processes that are there whatever the number of clients.
const FIRST: u64 = 10;
/// How long a client waits for each answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many clients: what one more costs in memory, and how many were lost.
pub(crate) fn measure(system: &MailSystem, count: u64) -> Result<Outcome, String> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| error.to_string())?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    LocalSet::new().block_on(&runtime, clients(system, count))
}

async fn clients(system: &MailSystem, count: u64) -> Result<Outcome, String> {
    let mut held = greet(FIRST).await.0;
    system.quiet()?;
    let before = memory::of(&system.members()).map_err(|error| error.to_string())?;
    let cpu = system.cpu()?;
    let began = Instant::now();
    let (more, lost) = greet(count - FIRST).await;
    let wall = began.elapsed().as_secs_f64();
    held.extend(more);
    system.quiet()?;
    let cpu = system.cpu()? - cpu;
    let processes = system.members();
    let after = memory::of(&processes).map_err(|error| error.to_string())?;
    let greeted = held.len();
    // Whether each of them is still served.
    let mut served = 0;
    for client in &mut held {
        if matches!(client.ask("NOOP\r\n").await.as_deref(), Ok("250")) {
            served += 1;
        }
    }
    let each = |before: u64, after: u64| (after as f64 - before as f64) / (count - FIRST) as f64;
    let mut outcome = Outcome { count: count - FIRST, cpu, wall, ..Outcome::default() };
    for (name, value) in [
        ("proportional", each(before.proportional, after.proportional)),
        ("private", each(before.private, after.private)),
        ("held", served as f64),
        ("processes", memory::named(&processes, "smtpd") as f64),
    ] {
        outcome.extra.insert(name.to_owned(), value);
    }
    if let Some(why) = lost {
        return Err(format!("{greeted} clients of {count} were greeted: {why}"));
    }
    if served != count {
        return Err(format!("{served} clients of {count} were still served at the end"));
    }
    Ok(outcome)
}

/// A client that has been greeted.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    async fn connect() -> Result<Self, String> {
        let stream = TcpStream::connect("127.0.0.1:25").await.map_err(|error| format!("connect: {error}"))?;
        let mut client = Self { stream: BufReader::with_capacity(256, stream) };
        match client.reply().await?.as_str() {
            "220" => {}
            code => return Err(format!("greeting {code}")),
        }
        match client.ask("EHLO client.example.net\r\n").await?.as_str() {
            "250" => Ok(client),
            code => Err(format!("EHLO {code}")),
        }
    }

    async fn ask(&mut self, command: &str) -> Result<String, String> {
        self.stream.write_all(command.as_bytes()).await.map_err(|error| error.to_string())?;
        self.reply().await
    }

    /// The code of the next reply.
    async fn reply(&mut self) -> Result<String, String> {
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(PATIENCE, self.stream.read_line(&mut line)).await;
            match read {
                Err(_) => return Err("time-out".to_owned()),
                Ok(Err(error)) => return Err(error.to_string()),
                Ok(Ok(0)) => return Err("connection closed".to_owned()),
                Ok(Ok(_)) => {}
            }
            if line.get(3..4) != Some("-") {
                return Ok(line.get(..3).unwrap_or_default().to_owned());
            }
        }
    }
}

/// Connects so many at once. Gives those that were greeted, and why the first of the others was not.
async fn greet(count: u64) -> (Vec<Client>, Option<String>) {
    let start = Rc::new(Semaphore::new(0));
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let start = start.clone();
            tokio::task::spawn_local(async move {
                start.acquire().await.map_err(|error| error.to_string())?.forget();
                Client::connect().await
            })
        })
        .collect();
    start.add_permits(usize::try_from(count).unwrap_or(0));
    let mut clients = Vec::new();
    let mut why = None;
    for task in tasks {
        match task.await.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(client) => clients.push(client),
            Err(reason) => {
                why.get_or_insert(reason);
            }
        }
    }
    (clients, why)
}
