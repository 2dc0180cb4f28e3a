//! `ldap:` against OpenLDAP's server.

use std::time::{Duration, Instant};

use harness::Package;
use table::{Error, Table};

use crate::directory::{self, Directory, READER, SUFFIX, entry};
use crate::place::{self, ask, found};
use crate::postmap::Postmap;
use crate::random::Random;
use crate::server::{End, Restart};

/// People, groups of them, and groups of groups.
pub(crate) fn contents(more: &[(String, &str)]) -> String {
    let dn = |name: &str| format!("cn={name},{SUFFIX}");
    let plain = |name: &str, key: &str, value: &str| {
        entry(name, &[("mailacceptinggeneralid", key), ("maildrop", value), ("mail", value)])
    };
    let mut text = [
        plain("joe", "joe@example.com", "joe@mail.example.com"),
        plain("ann", "ann", "here"),
        entry(
            "list",
            &[
                ("mailacceptinggeneralid", "list@example.com"),
                ("maildrop", "a@x.org"),
                ("maildrop", "b@x.org"),
            ],
        ),
        entry("empty", &[("mailacceptinggeneralid", "empty@example.com"), ("rawvalue", "\0x")]),
        entry("bare", &[("mailacceptinggeneralid", "bare@example.com")]),
        plain("uni", "ünï@example.com", "ü@x.org"),
        entry(
            "group",
            &[
                ("mailacceptinggeneralid", "group@example.com"),
                ("mail", "group@x.org"),
                ("maildrop", "extra@x.org"),
                ("memberdn", &dn("joe")),
                ("memberdn", &dn("ann")),
                ("memberdn", &dn("gone")),
            ],
        ),
        entry("outer", &[("mailacceptinggeneralid", "outer@example.com"), ("memberdn", &dn("group"))]),
        entry("loop", &[("mailacceptinggeneralid", "loop@example.com"), ("memberdn", &dn("loop"))]),
        entry(
            "ended",
            &[
                ("mailacceptinggeneralid", "ended@example.com"),
                ("mailbox", "elsewhere@x.org"),
                ("mail", "ended@x.org"),
                ("memberdn", &dn("joe")),
            ],
        ),
    ]
    .concat();
    for (name, url) in [
        ("url1", format!("ldap:///{SUFFIX}?mail?sub?(maildrop=here)")),
        ("url2", format!("ldap:///{SUFFIX}??sub?(|(cn=joe)(cn=list))")),
        ("url3", format!("ldap:///{SUFFIX}?sn?sub")),
        ("url4", "ldap:///x??nonsense".to_owned()),
        ("url5", format!("ldap:///cn=joe,{SUFFIX}?MAIL;lang-x")),
        ("url6", format!("<URL:ldap:///cn=joe,{SUFFIX}?mail>")),
        ("url7", format!("ldap:///{SUFFIX}?mail?sub?(cn=jo")),
    ] {
        text += &entry(name, &[("mailacceptinggeneralid", name), ("memberurl", &url)]);
    }
    for (at, (key, value)) in more.iter().enumerate() {
        let mut attributes = vec![("mailacceptinggeneralid", key.as_str())];
        if !value.is_empty() {
            attributes.push(("maildrop", value));
        }
        text += &entry(&format!("more{at}"), &attributes);
    }
    text += &format!(
        "dn: cn=secret,ou=closed,{SUFFIX}\nobjectClass: mailthing\ncn: secret\n\
         mailacceptinggeneralid: secret\nmaildrop: found@x.org\n\n"
    );
    text
}

/// What most tables have.
pub(crate) fn settings(host: &str) -> String {
    format!("server_host = {host}\nsearch_base = {SUFFIX}\nversion = 3\n")
}

fn open(server: &Directory, host: &str, more: &str) -> Table {
    place::open(server.path(), "ldap", &format!("{}{more}", settings(host)))
}

#[test]
fn ldap_lookups() {
    let Some(server) = directory::start("ldap_lookups", &contents(&[])) else { return };
    place::run(async {
        for host in [server.local(), server.network(), format!("127.0.0.1:{}", server.port)] {
            let table = open(&server, &host, READER);
            for (key, want) in [
                ("joe@example.com", found("joe@mail.example.com")),
                ("JOE@Example.com", found("joe@mail.example.com")),
                ("list@example.com", found("a@x.org,b@x.org")),
                ("bare@example.com", Ok(None)),
                ("nobody@example.com", Ok(None)),
                ("*", Ok(None)),
                ("joe@example.com)(cn=*", Ok(None)),
                ("ÜNÏ@example.com", found("ü@x.org")),
                ("secret", found("found@x.org")),
            ] {
                assert_eq!(ask(&table, key).await, want, "{host} {key}");
            }
        }
        let host = server.local();
        let open = |more: &str| open(&server, &host, more);
        // Nobody in particular sees less.
        for bind in ["bind = no\n", "bind = simple\n"] {
            let table = open(bind);
            assert_eq!(ask(&table, "joe@example.com").await, found("joe@mail.example.com"), "{bind}");
            assert_eq!(ask(&table, "secret").await, Ok(None), "{bind}");
        }
        let limited = open("expansion_limit = 1\n");
        assert_eq!(ask(&limited, "joe@example.com").await, found("joe@mail.example.com"));
        assert_eq!(ask(&limited, "list@example.com").await, Err(Error::retry(limited.name())));
        let sized = open("size_limit = 1\nquery_filter = (cn=%s*)\n");
        assert_eq!(ask(&sized, "joe").await, found("joe@mail.example.com"));
        assert_eq!(ask(&sized, "url").await, Err(Error::retry(sized.name())));
        let based = open(
            "search_base = cn=%u,dc=%2,dc=%1\nscope = base\nquery_filter = cn=*\nresult_format = %d+%U\n",
        );
        assert_eq!(ask(&based, "joe@example.com").await, found("mail.example.com+joe"));
        assert_eq!(ask(&based, "missing@example.com").await, Ok(None));
        assert_eq!(ask(&based, "joe").await, Ok(None));
        let nowhere = open("search_base = dc=nowhere,dc=com\n");
        assert_eq!(ask(&nowhere, "joe").await, Err(Error::retry(nowhere.name())));
    });
}

#[test]
fn ldap_groups() {
    let Some(server) = directory::start("ldap_groups", &contents(&[])) else { return };
    place::run(async {
        let host = server.local();
        let members = "result_attribute = maildrop\nspecial_result_attribute = memberdn, memberurl\n";
        let table = open(&server, &host, members);
        assert_eq!(ask(&table, "group@example.com").await, found("extra@x.org,joe@mail.example.com,here"));
        assert_eq!(ask(&table, "outer@example.com").await, found("extra@x.org,joe@mail.example.com,here"));
        assert_eq!(ask(&table, "loop@example.com").await, Err(Error::retry(table.name())));
        assert_eq!(ask(&table, "url2").await, found("joe@mail.example.com,a@x.org,b@x.org"));
        assert_eq!(ask(&table, "url3").await, Ok(None));
        assert_eq!(ask(&table, "url4").await, Err(Error::retry(table.name())));
        let leaves = "result_attribute =\nleaf_result_attribute = mail\nterminal_result_attribute = mailbox\n\
                      special_result_attribute = memberdn, memberurl\n";
        let table = open(&server, &host, leaves);
        assert_eq!(ask(&table, "group@example.com").await, found("joe@mail.example.com,here"));
        assert_eq!(ask(&table, "ended@example.com").await, found("elsewhere@x.org"));
        assert_eq!(ask(&table, "url1").await, found("here"));
        let shallow = open(&server, &host, &format!("{members}recursion_limit = 2\n"));
        assert!(ask(&shallow, "group@example.com").await.is_ok());
        assert_eq!(ask(&shallow, "outer@example.com").await, Err(Error::retry(shallow.name())));
    });
}

/// Every key finds its own entry and no other, whatever is in it.
#[test]
fn ldap_hostile_keys() {
    let mut random = Random::new(47);
    let keys: Vec<String> = (0..300).map(|_| random.folded()).collect();
    let plain = |key: &String| key.trim() == key && !key.contains("  ") && key.is_ascii();
    let rows: Vec<(String, &str)> =
        keys.iter().filter(|key| plain(key)).map(|key| (key.clone(), "own@x.org")).collect();
    let Some(server) = directory::start("ldap_hostile_keys", &contents(&rows)) else { return };
    place::run(async {
        let table = open(&server, &server.local(), "result_attribute = mailacceptinggeneralid\n");
        let mut count = 0;
        for key in &keys {
            let answer = ask(&table, key).await.expect("an answer");
            for value in answer.iter().flat_map(|answer| answer.split(',')) {
                assert_eq!(value.to_lowercase(), key.to_lowercase());
            }
            count += usize::from(answer.is_some());
        }
        assert!(count >= rows.len() / 2, "{count} of {}", rows.len());
        // In the name of an entry nothing can be added either.
        let based = format!(
            "search_base = cn=%s,{SUFFIX}\nscope = base\nquery_filter = cn=*\nresult_attribute = cn\n"
        );
        let table = open(&server, &server.local(), &based);
        for key in keys.iter().map(String::as_str).chain(["joe", "joe,ou=closed"]) {
            if let Ok(Some(name)) = ask(&table, key).await {
                assert_eq!(name.to_lowercase(), key.to_lowercase());
            }
        }
        assert_eq!(ask(&table, "joe").await, found("joe"));
    });
}

#[test]
fn ldap_restarts() {
    let Some(mut server) = directory::start("ldap_restarts", &contents(&[])) else { return };
    place::run(async {
        for host in [server.local(), server.network(), format!("ldap://127.0.0.1:1 {}", server.network())] {
            let table = open(&server, &host, "");
            assert_eq!(ask(&table, "ann").await, found("here"), "{host}");
            for how in [End::Crash, End::Stop] {
                server.end(how);
                let begin = Instant::now();
                assert_eq!(ask(&table, "ann").await, Err(Error::retry(table.name())), "{host} {how:?}");
                assert!(begin.elapsed() < Duration::from_secs(5), "a dead server is no reason to wait");
                server.start_again();
                assert_eq!(ask(&table, "ann").await, found("here"), "{host} {how:?}");
                // The open connection ends, and is replaced without a word.
                server.end(how);
                server.start_again();
                assert_eq!(ask(&table, "ann").await, found("here"), "{host} {how:?}");
            }
        }
    });
}

#[test]
fn ldap_slow() {
    let Some(server) = directory::start("ldap_slow", &contents(&[])) else { return };
    let Some(other) = directory::start("ldap_slow", &contents(&[])) else { return };
    place::run(async {
        let table = open(&server, &server.network(), "timeout = 2\n");
        let quick = open(&other, &other.network(), "timeout = 2\n");
        assert_eq!(ask(&table, "ann").await, found("here"));
        server.pause();
        let begin = Instant::now();
        let slow = async {
            // All wait at the same time, and none for the others.
            let [a, b, c] = tokio::join!(ask(&table, "ann"), ask(&table, "joe"), ask(&table, "ann")).into();
            for answer in [a, b, c] {
                assert_eq!(answer, Err(Error::retry(table.name())));
            }
            begin.elapsed()
        };
        let fast = async {
            for _ in 0..20 {
                assert_eq!(ask(&quick, "ann").await, found("here"));
            }
            begin.elapsed()
        };
        let (slow, fast) = tokio::join!(slow, fast);
        server.go_on();
        assert!(slow >= Duration::from_secs(2) && slow < Duration::from_secs(5), "{slow:?}");
        assert!(fast < Duration::from_secs(2), "{fast:?}");
        assert_eq!(ask(&table, "ann").await, found("here"));
    });
}

#[test]
fn ldap_sasl() {
    let Some(server) = directory::start("ldap_sasl", &contents(&[])) else { return };
    place::run(async {
        for mechanisms in ["", "sasl_mechs = GSSAPI EXTERNAL\n", "sasl_minssf = 71\n"] {
            let table = open(&server, &server.local(), &format!("bind = SASL\n{mechanisms}"));
            assert_eq!(ask(&table, "ann").await, found("here"), "{mechanisms}");
            assert_eq!(ask(&table, "secret").await, found("found@x.org"), "{mechanisms}");
        }
        for wrong in ["sasl_mechs = GSSAPI\n", "sasl_minssf = 72\n", "sasl_authz_id = dn:cn=x\n"] {
            let table = open(&server, &server.local(), &format!("bind = sasl\n{wrong}"));
            assert_eq!(ask(&table, "ann").await, Err(Error::retry(table.name())), "{wrong}");
        }
        // Nobody knows who is at the other end of the network.
        let table = open(&server, &server.network(), "bind = sasl\n");
        assert_eq!(ask(&table, "ann").await, Err(Error::retry(table.name())));
    });
}

#[test]
fn ldap_tls() {
    let keys = tempfile::tempdir().unwrap();
    if !crate::server::make_certificate("ldap_tls", keys.path()) {
        return;
    }
    let path = |name: &str| keys.path().join(name).display().to_string();
    let configuration = format!(
        "TLSCertificateFile {}\nTLSCertificateKeyFile {}\nTLSCACertificateFile {}\nTLSVerifyClient allow\nsecurity tls=128\nlocalSSF 0\n",
        path("cert.pem"),
        path("key.pem"),
        path("cert.pem"),
    );
    let Some(server) = directory::start_with("ldap_tls", &contents(&[]), &configuration) else { return };
    place::run(async {
        let authority = format!("tls_require_cert = yes\ntls_ca_cert_file = {}\n", path("cert.pem"));
        let other = format!("tls_require_cert = yes\ntls_ca_cert_file = {}\n", path("other.pem"));
        let secure = format!("ldaps://127.0.0.1:{}", server.secure_port);
        let named = format!("ldaps://localhost:{}", server.secure_port);
        for (host, more, is_good) in [
            (server.network(), String::new(), false),
            (server.network(), "start_tls = yes\n".to_owned(), true),
            (server.local(), "start_tls = yes\n".to_owned(), true),
            (server.network(), format!("start_tls = yes\n{authority}"), true),
            (server.network(), format!("start_tls = yes\n{other}"), false),
            (secure.clone(), String::new(), true),
            (secure.clone(), authority.clone(), true),
            (secure.clone(), other, false),
            (named.clone(), String::new(), true),
            // The certificate has no such name.
            (named, authority.clone(), false),
            (
                secure.clone(),
                format!("tls_cert = {}\ntls_key = {}\n", path("cert.pem"), path("key.pem")),
                true,
            ),
            (secure, "tls_cert = /nonexistent\n".to_owned(), false),
        ] {
            let table = open(&server, &host, &more);
            let want = if is_good { found("here") } else { Err(Error::retry(table.name())) };
            assert_eq!(ask(&table, "ann").await, want, "{host} {more}");
        }
    });
}

#[test]
fn ldap_referrals() {
    let Some(far) = directory::start("ldap_referrals", &contents(&[])) else { return };
    let entries = format!(
        "dn: ou=far,{SUFFIX}\nobjectClass: referral\nobjectClass: extensibleObject\nou: far\n\
         ref: ldap://127.0.0.1:{}/cn=joe,{SUFFIX}??sub\n\n",
        far.port
    );
    let Some(near) = directory::start("ldap_referrals", &entries) else { return };
    place::run(async {
        let name = "query_filter = (mailacceptinggeneralid=%s)\n";
        let stays = open(&near, &near.network(), name);
        assert_eq!(ask(&stays, "joe@example.com").await, Ok(None));
        let follows = open(&near, &near.network(), &format!("{name}chase_referrals = yes\n"));
        assert_eq!(ask(&follows, "joe@example.com").await, found("joe@mail.example.com"));
        assert_eq!(ask(&follows, "nobody@example.com").await, Ok(None));
        let moved = format!("search_base = ou=far,{SUFFIX}\n{name}");
        let base = settings(&near.network()).replace(&format!("search_base = {SUFFIX}\n"), "");
        let stays = place::open(near.path(), "ldap", &format!("{base}{moved}"));
        assert_eq!(ask(&stays, "joe@example.com").await, Err(Error::retry(stays.name())));
        let follows = place::open(near.path(), "ldap", &format!("{base}{moved}chase_referrals = yes\n"));
        assert_eq!(ask(&follows, "joe@example.com").await, found("joe@mail.example.com"));
    });
}

#[test]
fn ldap_password_is_no_secret_of_the_log() {
    let test = "ldap_password_is_no_secret_of_the_log";
    let Some(postmap) = Postmap::new(test, &[Package::Ours]) else { return };
    let Some(server) = directory::start(test, &contents(&[])) else { return };
    let text = format!("{}bind_dn = cn=reader,{SUFFIX}\nbind_pw = hunter2\n", settings(&server.network()));
    let file = postmap.settings("x.cf", &text);
    let outcome = postmap.query(Package::Ours, &format!("ldap:{}", file.display()), &["joe".to_owned()]);
    assert_eq!(outcome.code, Some(1));
    let errors = outcome.errors.join("\n");
    assert!(errors.contains("49 (Invalid credentials)"), "{errors}");
    assert!(!errors.contains("hunter2"), "{errors}");
}
