//! Logins that the servers of other tests do not ask for, with a server that follows a script.

use super::*;
use crate::mysql::auth::tests::Pair;

const NONCE: &[u8] = b"01234567890123456789";

fn login(password: &str) -> Login {
    Login {
        user: "joe".to_owned(),
        password: password.to_owned(),
        database: "mail".to_owned(),
        charset: "utf8mb4".to_owned(),
        secure: None,
        limit: Duration::from_secs(5),
    }
}

fn greeting(method: &str) -> Vec<u8> {
    let (first, second) = NONCE.split_at(8);
    let capabilities = (capability::PROTOCOL_41
        | capability::SECURE_CONNECTION
        | capability::PLUGIN_AUTH
        | capability::CONNECT_WITH_DB)
        .to_le_bytes();
    let (low, high) = capabilities.split_at(2);
    let parts: [&[u8]; 13] = [
        &[10],
        b"8.0.0\0",
        &[1, 0, 0, 0],
        first,
        &[0],
        low,
        &[45],
        &[2, 0],
        high,
        &[21],
        &[0; 10],
        second,
        &[0],
    ];
    let mut greeting = parts.concat();
    greeting.extend(method.bytes().chain([0]));
    greeting
}

const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];

/// Logs in to a server whose part is `serve`, at `host`: none for a local socket.
async fn against(
    host: &str,
    password: &str,
    method: &str,
    serve: impl AsyncFnOnce(&mut Packets, Vec<u8>),
) -> Result<(), String> {
    let (ours, theirs) = tokio::io::duplex(10_000);
    let mut server = Packets::new(Box::pin(theirs));
    // It goes when its part ends.
    let serving = async move {
        server.send(&greeting(method)).await.unwrap();
        let response = server.receive().await.unwrap();
        serve(&mut server, response).await;
    };
    let login = login(password);
    let (result, ()) = tokio::join!(log_in(Box::pin(ours), host, &login), serving);
    result.map(drop).map_err(|trouble| trouble.text)
}

/// The proof in a response, which stands after the user's name.
fn proof_in(response: &[u8]) -> &[u8] {
    let mut reader = Reader(response);
    reader.bytes(32).unwrap();
    assert_eq!(reader.text(), b"joe");
    let length = usize::try_from(reader.number(1).unwrap()).unwrap();
    let proof = reader.bytes(length).unwrap();
    assert_eq!(reader.text(), b"mail");
    proof
}

#[tokio::test]
async fn caching_sha2_known_to_the_server() {
    let result = against("db", "secret", "caching_sha2_password", async |server, response| {
        assert_eq!(proof_in(&response), auth::caching_sha2(b"secret", NONCE));
        server.send(&[1, 3]).await.unwrap();
        server.send(OK).await.unwrap();
    });
    assert_eq!(result.await, Ok(()));
}

#[tokio::test]
async fn caching_sha2_over_the_network() {
    let pair = Pair::new();
    let result = against("db", "secret", "caching_sha2_password", async |server, _| {
        server.send(&[1, 4]).await.unwrap();
        assert_eq!(server.receive().await.unwrap(), [2], "the password does not travel in the clear");
        server.send(&[&[1], pair.pem.as_bytes()].concat()).await.unwrap();
        assert_eq!(pair.opened(&server.receive().await.unwrap(), NONCE), b"secret\0");
        server.send(OK).await.unwrap();
    });
    assert_eq!(result.await, Ok(()));
}

#[tokio::test]
async fn caching_sha2_where_nobody_listens() {
    let result = against("", "secret", "caching_sha2_password", async |server, _| {
        server.send(&[1, 4]).await.unwrap();
        assert_eq!(server.receive().await.unwrap(), b"secret\0");
        server.send(OK).await.unwrap();
    });
    assert_eq!(result.await, Ok(()));
}

#[tokio::test]
async fn another_method_after_all() {
    let other = b"98765432109876543210";
    let result = against("db", "secret", "unheard_of", async |server, response| {
        assert_eq!(proof_in(&response), auth::native(b"secret", NONCE));
        server.send(&[b"\xfecaching_sha2_password\0", &other[..], b"\0"].concat()).await.unwrap();
        assert_eq!(server.receive().await.unwrap(), auth::caching_sha2(b"secret", other));
        server.send(&[1, 3]).await.unwrap();
        server.send(OK).await.unwrap();
    });
    assert_eq!(result.await, Ok(()));
}

#[tokio::test]
async fn passwords_that_are_not_given() {
    let result = against("db", "secret", "mysql_native_password", async |server, _| {
        server.send(b"\xfemysql_clear_password\0").await.unwrap();
    });
    assert_eq!(result.await.unwrap_err(), "Authentication plugin 'mysql_clear_password' cannot be loaded");
    let result = against("db", "secret", "mysql_native_password", async |server, _| {
        server.send(b"\xfeclient_ed25519\0nonce").await.unwrap();
    });
    assert_eq!(result.await.unwrap_err(), "Authentication plugin 'client_ed25519' cannot be loaded");
    let result = against("db", "secret", "mysql_native_password", async |server, _| {
        server.send(b"\xfe").await.unwrap();
    });
    assert_eq!(result.await.unwrap_err(), "Authentication plugin 'mysql_old_password' cannot be loaded");
}

#[tokio::test]
async fn what_the_server_says() {
    let result = against("db", "", "mysql_native_password", async |server, response| {
        assert_eq!(proof_in(&response), b"");
        server.send(b"\xff\x15\x04#28000Access denied for user 'joe'").await.unwrap();
    });
    assert_eq!(result.await.unwrap_err(), "Access denied for user 'joe'");
    let result = against("db", "", "mysql_native_password", async |_, _| {});
    let stage = "Lost connection to server at 'reading authorization packet', system error: 0";
    assert_eq!(result.await.unwrap_err(), stage);
}
