//! From an open stream to a connection that can be asked: the server's hello, and ours.

use database_link::Link;
use tokio::time::timeout;

use crate::bson::{Document, Value};
use crate::connection::{Answer, Connection, Trouble};
use crate::hello::{self, Hello};
use crate::scram::{Hash, Scram};
use crate::uri::{Account, Mechanism, Uri};

/// How many messages a login may take.
const STEPS: usize = 4;
/// What servers say that do not know a command.
const COMMAND_NOT_FOUND: i64 = 59;

/// Asks a server what it is.
pub(crate) async fn greet(link: Link, uri: &Uri) -> Result<(Connection, Hello), String> {
    let mut connection = Connection::new(link);
    let limit = uri.connect_limit;
    let mut answer = connection.command(&hello::request("hello", uri), limit).await;
    if matches!(answer, Err(Trouble::Refused { code: COMMAND_NOT_FOUND, .. })) {
        // A server before MongoDB 4.4.
        answer = connection.command(&hello::request("isMaster", uri), limit).await;
    }
    let read = |answer: Answer| -> Result<Hello, Trouble> { Ok(Hello::read(answer.elements()?)?) };
    let hello = answer.and_then(read).map_err(|trouble| trouble.text().to_owned())?;
    connection.preference = hello.preference(uri);
    Ok((connection, hello))
}

/// Logs in.
pub(crate) async fn log_in(connection: &mut Connection, hello: &Hello, uri: &Uri) -> Result<(), String> {
    let Some(account) = &uri.account else { return Ok(()) };
    let work = prove(connection, hello, account, uri);
    let proved = timeout(uri.connect_limit, work).await.unwrap_or_else(|_| Err("timed out".to_owned()));
    proved.map_err(|why| format!("Authentication failed: {why}"))
}

async fn prove(
    connection: &mut Connection,
    hello: &Hello,
    account: &Account,
    uri: &Uri,
) -> Result<(), String> {
    let hash = match account.mechanism {
        Mechanism::Best => {
            let has_better = hello.mechanisms.iter().any(|name| name == Hash::Sha256.mechanism());
            if has_better { Hash::Sha256 } else { Hash::Sha1 }
        }
        Mechanism::ScramSha1 => Hash::Sha1,
        Mechanism::ScramSha256 => Hash::Sha256,
        Mechanism::Plain => return plain(connection, account, uri).await,
        Mechanism::X509 => return external(connection, account, uri).await,
    };
    let mut scram = Scram::new(hash, &account.user, &account.password).ok_or("no random numbers")?;
    let mut start = Document::new();
    let mut options = Document::new();
    options.boolean("skipEmptyExchange", true);
    start.int32("saslStart", 1).string("mechanism", hash.mechanism());
    start.binary("payload", 0, &scram.first()).document("options", &options).string("$db", &account.source);
    let step = exchange(connection, &start, uri).await?;
    // It is meant to be hard work; others go on meanwhile.
    let worked = tokio::task::spawn_blocking(move || {
        let proof = scram.prove(&step.payload);
        (scram, step.id, proof)
    });
    let (scram, id, proof) = worked.await.map_err(|error| error.to_string())?;
    let mut message = proof.ok_or("the server's first message makes no sense")?;
    let mut is_proved = false;
    for _ in 0..STEPS {
        let mut more = Document::new();
        more.int32("saslContinue", 1).raw(id.0, "conversationId", &id.1);
        more.binary("payload", 0, &message).string("$db", &account.source);
        let step = exchange(connection, &more, uri).await?;
        is_proved = is_proved || scram.is_proved_by(&step.payload);
        if !is_proved {
            return Err("the server does not know the password".to_owned());
        }
        if step.is_done {
            return Ok(());
        }
        // Servers of old want one more.
        message.clear();
    }
    Err("the login has no end".to_owned())
}

/// Shows the password; the stream is encrypted then.
async fn plain(connection: &mut Connection, account: &Account, uri: &Uri) -> Result<(), String> {
    let payload = format!("\0{}\0{}", account.user, account.password);
    let mut start = Document::new();
    start.int32("saslStart", 1).string("mechanism", "PLAIN").binary("payload", 0, payload.as_bytes());
    start.string("$db", &account.source);
    match exchange(connection, &start, uri).await? {
        Step { is_done: true, .. } => Ok(()),
        _ => Err("the login has no end".to_owned()),
    }
}

/// Refers to the certificate with which the stream was encrypted.
async fn external(connection: &mut Connection, account: &Account, uri: &Uri) -> Result<(), String> {
    let mut command = Document::new();
    command.int32("authenticate", 1).string("mechanism", "MONGODB-X509");
    if !account.user.is_empty() {
        command.string("user", &account.user);
    }
    command.string("$db", &account.source);
    let answer = connection.command(&command, uri.connect_limit).await;
    answer.map(drop).map_err(|trouble| trouble.text().to_owned())
}

/// What a server said.
struct Step {
    /// The name of the conversation: its kind, and as it travels.
    id: (u8, Vec<u8>),
    payload: Vec<u8>,
    is_done: bool,
}

async fn exchange(connection: &mut Connection, command: &Document, uri: &Uri) -> Result<Step, String> {
    let answer = connection.command(command, uri.connect_limit).await;
    let step = answer.and_then(|answer| {
        let elements = answer.elements()?;
        let id = elements.find("conversationId")?.and_then(Value::number).unwrap_or(1);
        let id = match i32::try_from(id) {
            Ok(id) => (crate::bson::kind::INT32, id.to_le_bytes().to_vec()),
            Err(_) => (crate::bson::kind::INT64, id.to_le_bytes().to_vec()),
        };
        let payload = match elements.find("payload")? {
            Some(Value::Binary(payload) | Value::String(payload)) => payload.to_vec(),
            _ => Vec::new(),
        };
        let is_done = elements.find("done")?.and_then(Value::number) == Some(1);
        Ok(Step { id, payload, is_done })
    });
    step.map_err(|trouble| trouble.text().to_owned())
}
