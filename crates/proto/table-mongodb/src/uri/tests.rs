use super::*;

fn parse(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

fn network(name: &str, port: u16) -> Host {
    Host::Network(name.to_owned(), port)
}

#[test]
fn hosts() {
    assert_eq!(parse("mongodb://h").hosts, [network("h", 27017)]);
    assert_eq!(
        parse("mongodb://A.example:1,[::1]:2,10.0.0.1,%2Ftmp%2Fmongodb-27017.sock/").hosts,
        [
            network("a.example", 1),
            network("::1", 2),
            network("10.0.0.1", 27017),
            Host::Socket("/tmp/mongodb-27017.sock".to_owned())
        ]
    );
    assert_eq!(network("::1", 2).title(), "[::1]:2");
    for text in
        ["", ":1", "h:", "h:0", "h:65536", "h:x", "h:+1", "[::1", "[::1]x", "a b%", "a%00b", "a:1:2", "%"]
    {
        assert_eq!(Host::parse(text), None, "{text}");
    }
}

#[test]
fn accounts() {
    let account =
        |text: &str| parse(text).account.map(|account| (account.user, account.password, account.source));
    let is = |user: &str, password: &str, source: &str| {
        Some((user.to_owned(), password.to_owned(), source.to_owned()))
    };
    assert_eq!(account("mongodb://h/mail"), None);
    assert_eq!(account("mongodb://u:p@h"), is("u", "p", "admin"));
    assert_eq!(account("mongodb://u:p@h/mail"), is("u", "p", "mail"));
    assert_eq!(account("mongodb://u%40x:p%2F%3A@h/mail?authSource=users"), is("u@x", "p/:", "users"));
    assert_eq!(account("mongodb://u@h/"), is("u", "", "admin"));
    let uri = parse("mongodb://h/?authMechanism=MONGODB-X509&tls=true&tlsCertificateKeyFile=/x.pem");
    let account = uri.account.unwrap();
    assert_eq!((account.mechanism, account.source.as_str()), (Mechanism::X509, "$external"));
}

#[test]
fn options() {
    let uri = parse("mongodb://h");
    assert!(uri.is_direct && uri.tls.is_none() && uri.replica_set.is_none());
    assert_eq!(
        (uri.connect_limit, uri.select_limit, uri.answer_limit),
        (CONNECT_LIMIT, SELECT_LIMIT, ANSWER_LIMIT)
    );
    let uri = parse(
        "mongodb://h/?replicaset=rs&readPreference=SECONDARY&connectTimeoutMS=5&socketTimeoutMS=0&retryWrites=true\
         &readConcernLevel=majority&unknown=1&appName=a%20b",
    );
    assert!(!uri.is_direct);
    assert_eq!(uri.preference, Preference::Secondary);
    assert_eq!((uri.connect_limit, uri.answer_limit), (Duration::from_millis(5), ANSWER_LIMIT));
    assert_eq!((uri.replica_set.as_deref(), uri.application.as_deref()), (Some("rs"), Some("a b")));
    assert!(!parse("mongodb://a,b").is_direct);
    assert!(parse("mongodb://a/?replicaSet=x&directConnection=true").is_direct);
    let proof = |text: &str| parse(text).tls.map(|(files, proof)| (files.ca_file, files.certificate, proof));
    assert_eq!(proof("mongodb://h/?ssl=true"), Some((None, None, Proof::Name)));
    assert_eq!(
        proof("mongodb://h/?tlsCAFile=/ca&tlsCertificateKeyFile=%2Fme"),
        Some((Some("/ca".to_owned()), Some("/me".to_owned()), Proof::Name))
    );
    assert_eq!(proof("mongodb://h/?tls=false&tlsCAFile=/ca"), None);
    assert_eq!(
        proof("mongodb://h/?tls=true&tlsAllowInvalidHostnames=true"),
        Some((None, None, Proof::Chain))
    );
    assert_eq!(proof("mongodb://h/?tls=true&tlsInsecure=true"), Some((None, None, Proof::Nothing)));
}

#[test]
fn nonsense() {
    for text in [
        "",
        "mongodb:/h",
        "mongodb+srv://h",
        "mongodb://",
        "mongodb://a,,b",
        "mongodb://h?tls=true",
        "mongodb://:p@h",
        "mongodb://u:p%@h",
        "mongodb://u:p:q@h",
        "mongodb://u:p@q@h",
        "mongodb://h/a b",
        "mongodb://h/?tls",
        "mongodb://h/?tls=maybe",
        "mongodb://h/?tls=true&ssl=false",
        "mongodb://h/?connectTimeoutMS=-1",
        "mongodb://h/?replicaSet=",
        "mongodb://h/?readPreference=best",
        "mongodb://h/?loadBalanced=true",
        "mongodb://a,b/?directConnection=true",
        "mongodb://u:p@h/?authMechanism=MONGODB-AWS",
        "mongodb://u:p@h/?authMechanism=PLAIN",
        "mongodb://h/?authMechanism=SCRAM-SHA-1",
        "mongodb://h/?authMechanism=MONGODB-X509&tls=true",
        "mongodb://h/?tlsCertificateKeyFilePassword=x",
    ] {
        assert!(Uri::parse(text).is_err(), "{text}");
    }
    let many = vec!["h"; HOSTS + 1].join(",");
    assert!(Uri::parse(&format!("mongodb://{many}")).is_err());
}

#[test]
fn no_secrets() {
    for (text, want) in [
        ("mongodb://u:secret@h/?tls=true", "mongodb://u@h/?tls=true"),
        ("mongodb://u:sec/ret@h:1/x", "mongodb://u@h:1/x"),
        ("mongodb://u:sec?ret@h:1/x?a=b", "mongodb://u@h:1/x?a=b"),
        ("mongodb://u:sec@ret@h", "mongodb://u@h"),
        ("mongodb+srv://u:secret@h", "mongodb+srv://u@h"),
        ("mongodb://h/?tlscertificatekeyfilepassword=secret&a=b", "mongodb://h/?a=b"),
        ("nonsense", "nonsense"),
    ] {
        assert_eq!(shown(text), want);
        if let Err(Fault::Text(why)) = Uri::parse(text) {
            assert!(!why.contains("sec") && !why.contains("ret"), "{why}");
        }
    }
}
