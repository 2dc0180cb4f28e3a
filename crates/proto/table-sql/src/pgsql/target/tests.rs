use super::*;

fn endpoints(target: &Target) -> Vec<(String, String)> {
    target.endpoints().into_iter().map(|endpoint| (endpoint.host, endpoint.port)).collect()
}

fn pair(host: &str, port: &str) -> (String, String) {
    (host.to_owned(), port.to_owned())
}

#[test]
fn uris() {
    for (text, want) in [
        ("abcd://blah", true),
        ("a-bcd+123://blah", true),
        ("-bcd+123://blah", false),
        ("+123://blah", false),
        ("123://blah", false),
        ("abcd?123://blah", false),
        ("inet:host:port", false),
        ("abcd:/blah", false),
        ("", false),
    ] {
        assert_eq!(is_uri(text), want, "{text}");
    }
    let target = Target::uri(
        "postgresql://us%40er:se%3Acret@[::1]:5433,/mail?sslmode=verify-full&sslrootcert=/ca&connect_timeout=1",
    )
    .unwrap();
    assert_eq!(endpoints(&target), [pair("::1", "5433"), pair("/var/run/postgresql", "5432")]);
    assert_eq!((target.user.as_str(), target.password.as_str()), ("us@er", "se:cret"));
    assert_eq!(target.database, "mail");
    assert_eq!((target.encrypt, target.proof), (Encrypt::Always, Some(Proof::Name)));
    assert_eq!(target.files.ca_file.as_deref(), Some("/ca"));
    assert_eq!(target.limit(), Duration::from_secs(2));
    let target = Target::uri("postgres://%2Ftmp%2Fx/?user=joe&port=1").unwrap();
    assert_eq!(endpoints(&target), [pair("/tmp/x", "1")]);
    assert_eq!(target.user, "joe");
    let target = Target::uri("postgres://").unwrap();
    assert_eq!(endpoints(&target), [pair("/var/run/postgresql", "5432")]);
    assert_eq!(target.encrypt, Encrypt::Gladly);
}

#[test]
fn plain_hosts() {
    let target = Target::plain("localhost", None, "mail", "joe", "secret").unwrap();
    assert_eq!(endpoints(&target), [pair("localhost", "5432")]);
    assert_eq!(target.database, "mail");
    let target = Target::plain("h", Some("7"), "dbname='a b' sslmode = disable user=x", "", "").unwrap();
    assert_eq!(endpoints(&target), [pair("h", "7")]);
    assert_eq!((target.database.as_str(), target.user.as_str()), ("a b", "x"));
    assert_eq!(target.encrypt, Encrypt::Never);
    let target = Target::plain("/run", None, r"dbname=it\'s", "", "").unwrap();
    assert_eq!(target.database, "it's");
}

#[test]
fn wrong_targets() {
    let error = |text: &str| Target::uri(text).unwrap_err();
    assert_eq!(error("postgres://h/d?x=1"), "invalid URI query parameter: \"x\"\n");
    assert_eq!(
        error("postgres://h/d?x"),
        "missing key/value separator \"=\" in URI query parameter: \"x\"\n"
    );
    assert_eq!(error("postgres://h/d?sslmode=x"), "invalid sslmode value: \"x\"\n");
    assert_eq!(error("postgres://h:99999/d"), "invalid port number: \"99999\"\n");
    assert_eq!(error("postgres://h%2/d"), "invalid percent-encoded token\n");
    assert_eq!(error("http://h"), "missing \"=\" after \"http://h\" in connection info string\n");
    assert_eq!(error("http://h = 1"), "invalid connection option \"http://h\"\n");
    let error = Target::plain("h", None, "x='a", "", "").unwrap_err();
    assert_eq!(error, "unterminated quoted string in connection info string\n");
}

#[test]
fn what_the_log_shows() {
    for (text, want) in [
        ("inet:host:5432", "inet:host:5432"),
        ("postgres://joe:se@cret@h:1/d", "postgres://joe@h:1/d"),
        ("postgres://h/d?user=x&password=y&sslmode=require", "postgres://h/d?user=x&sslmode=require"),
        ("postgres://joe:se/cret@h/d", "postgres://joe@h/d"),
        ("postgres://h", "postgres://h"),
    ] {
        assert_eq!(shown(text), want);
    }
    assert_eq!(Target::uri("postgres://joe:se/cret@h/d").unwrap_err(), "invalid connection URI\n");
}
