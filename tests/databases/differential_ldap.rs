//! The same for `ldap:`.

use harness::Package;

use crate::differential::{Questions, keys};
use crate::directory::{self, READER, SUFFIX};
use crate::ldap::{self, settings};
use crate::postmap::Postmap;

/// Searches for many keys; none of them fails.
const MANY: &[&str] = &[
    "query_filter = (mailacceptinggeneralid=%s)",
    "query_filter = mailacceptinggeneralid=%s\nresult_attribute = maildrop, mailacceptinggeneralid",
    "query_filter = (|(mailacceptinggeneralid=%u)(mailacceptinggeneralid=%d)(& (cn=more1*) (!(cn=%s))))",
    "query_filter = (mailacceptinggeneralid=*%u*)\nresult_format = %s/%S/%%",
    "search_base = dc=%2,dc=%1\nquery_filter = (mailacceptinggeneralid=%s)\nresult_format = %1.%U",
    "query_filter = (mailacceptinggeneralid=%s)\nresult_format = %u@%d",
    "query_filter = (mailacceptinggeneralid=%s)\ndomain = example.com, a.example.org\nresult_filter = %U",
    "query_filter = (mailacceptinggeneralid:caseExactMatch:=%s)",
    "query_filter = (mailacceptinggeneralid~=%s)",
    "query_filter = (&(mailacceptinggeneralid>=%s)(cn=more2*))",
    "bind = no\nquery_filter = (mailacceptinggeneralid=%s)",
];

/// Searches that may fail, or are about one key.
const SINGLE: &[(&str, &str)] = &[
    ("expansion_limit = 1", "list@example.com"),
    ("expansion_limit = 2", "list@example.com"),
    ("size_limit = 1\nquery_filter = (cn=%s*)", "url"),
    ("size_limit = 1\nquery_filter = (cn=%s*)", "joe"),
    ("expansion_limit = x", "joe"),
    ("", ""),
    ("", "empty@example.com"),
    ("result_attribute = rawvalue", "empty@example.com"),
    ("result_attribute =", "joe@example.com"),
    ("result_attribute = *", "joe@example.com"),
    ("result_attribute = mail,maildrop", "joe@example.com"),
    ("result_format = %0", "joe"),
    ("query_filter = %x", "joe"),
    ("query_filter = (cn=joe)", "joe"),
    ("query_filter = (cn=%s", "joe"),
    ("query_filter = cn", "joe"),
    ("query_filter = (&(cn=%s)x)", "joe"),
    ("query_filter = (cn=%s)(x", "joe"),
    ("query_filter = (cn=%s) ", "joe"),
    ("query_filter = (cn=%s) x", "joe"),
    ("query_filter = (cn=%s))", "joe"),
    ("query_filter = (cn=%s)(cn=ann)", "joe"),
    ("query_filter = (cn=%s)cn=ann", "joe"),
    ("query_filter = (&(cn=%s)(cn=*)))", "joe"),
    ("query_filter = (unknown=%s)", "joe"),
    ("query_filter = (cn:dn:=example)", "joe"),
    ("search_base = dc=nowhere", "joe"),
    ("search_base = nonsense", "joe"),
    ("search_base = ou=%s,dc=example,dc=com", "joe"),
    ("search_base = cn=%u,dc=%2,dc=%1\nscope = base\nquery_filter = cn=*", "joe@example.com"),
    ("search_base = cn=%s,dc=example,dc=com\nscope = base\nquery_filter = cn=*", "a,b+c=\"d\" <e>;#"),
    ("scope = one", "joe@example.com"),
    ("scope = base", "joe@example.com"),
    ("scope = some", "joe@example.com"),
    ("dereference = 3", "joe@example.com"),
    ("dereference = 4", "joe@example.com"),
    ("version = 2", "joe@example.com"),
    ("version = 2\nbind = no", "joe@example.com"),
    ("version = 7", "joe@example.com"),
    ("version = 1", "joe@example.com"),
    ("bind = maybe", "joe@example.com"),
    ("bind = NONE", "joe@example.com"),
    ("bind = Simple", "joe@example.com"),
    ("bind = sasl\nsasl_mechs = EXTERNAL", "joe@example.com"),
    ("bind_pw = wrong", "joe@example.com"),
    ("bind_pw =", "joe@example.com"),
    ("bind_dn = nonsense", "joe@example.com"),
    ("bind_dn =\nbind_pw =", "secret"),
    ("cache = yes\ncache_size = 7\ncache_expiry = 0", "joe@example.com"),
    ("start_tls = yes", "joe@example.com"),
    ("start_tls = yes\nversion = 2", "joe@example.com"),
    ("chase_referrals = yes", "joe@example.com"),
    ("recursion_limit = 0", "joe@example.com"),
    ("special_result_attribute = memberdn", "group@example.com"),
    ("special_result_attribute = memberdn", "outer@example.com"),
    ("special_result_attribute = memberdn", "loop@example.com"),
    ("special_result_attribute = memberdn\nrecursion_limit = 1", "group@example.com"),
    ("special_result_attribute = memberdn\nrecursion_limit = 2", "outer@example.com"),
    ("special_result_attribute = memberdn\nexpansion_limit = 2", "outer@example.com"),
    (
        "special_result_attribute = memberdn\nleaf_result_attribute = mail\nresult_attribute =",
        "outer@example.com",
    ),
    (
        "special_result_attribute = memberdn\nleaf_result_attribute = mail\nresult_attribute = maildrop\n\
         terminal_result_attribute = mailbox",
        "ended@example.com",
    ),
    (
        "special_result_attribute = memberdn\nleaf_result_attribute = mail\nresult_attribute = maildrop\n\
         terminal_result_attribute = mailbox\nquery_filter = (|(cn=%s)(cn=joe)(cn=group)(cn=list))",
        "ended",
    ),
    (
        "special_result_attribute = memberdn\nleaf_result_attribute = mail\nresult_attribute = maildrop\n\
         query_filter = (|(cn=%s)(cn=joe)(cn=group)(cn=list))",
        "ended",
    ),
    ("special_result_attribute = cn", "joe@example.com"),
];

/// Tables whose entries have URLs.
const URLS: &[&str] = &[
    "special_result_attribute = memberurl",
    "special_result_attribute = memberurl\nresult_attribute = mail",
    "special_result_attribute = memberurl\nleaf_result_attribute = mail;lang-x, mail\nresult_attribute =",
];

#[test]
fn ldap_as_the_reference() {
    let test = "ldap_as_the_reference";
    let Some(postmap) = Postmap::new(test, &[Package::Ours, Package::Reference]) else { return };
    let mut questions = Questions::new(&postmap, "ldap");
    let keys = keys();
    let values = ["v@w.example", "plain", "", "@only.domain", "only.local@", "it's \\ %s"];
    // A directory does not have every text as a value.
    let is_value = |key: &str| key.trim() == key && !key.contains(|char: char| char.is_control());
    let rows: Vec<(String, &str)> = keys
        .iter()
        .enumerate()
        .filter(|(at, key)| at % 2 == 0 && is_value(key))
        .map(|(at, key)| (key.clone(), values[at / 2 % values.len()]))
        .collect();
    let Some(server) = directory::start(test, &ldap::contents(&rows)) else { return };
    // How the server is reached makes no difference to most of them.
    for (host, many) in [(server.local(), MANY), (server.network(), &MANY[..2])] {
        let place = format!("{}{READER}", settings(&host));
        for text in many {
            questions.add(&place, "", text, &keys);
        }
        questions.add_each(&place, "", MANY[0], &keys);
        for (text, key) in SINGLE {
            questions.add_one(&place, "", text, key);
        }
        for text in URLS {
            for url in 1..=7 {
                questions.add_one(&place, "", text, &format!("url{url}"));
            }
        }
    }
    // Debian's default.
    let place = format!("server_host = 127.0.0.1:{}\nsearch_base = {SUFFIX}\n", server.port);
    questions.add_one(&place, "", "", "joe@example.com");
    let port = server.port;
    for host in [
        format!("127.0.0.1:{port}"),
        format!("127.0.0.1\nserver_port = {port}"),
        format!("ldap://127.0.0.1:1, {}", server.network()),
        "127.0.0.1:1".to_owned(),
        "127.0.0.1:1\nbind = no".to_owned(),
        "127.0.0.1:1\nstart_tls = yes".to_owned(),
        "ldapi://%2Fnonexistent".to_owned(),
        "ldapi://%2Fnonexistent\nversion = 2".to_owned(),
        "ldaps://127.0.0.1:1\nversion = 2".to_owned(),
        format!("ldaps://127.0.0.1:{port}"),
        "ldap://127.0.0.1:x".to_owned(),
        format!("ldap://127.0.0.1:x {}", server.network()),
        "http://127.0.0.1".to_owned(),
        "::1".to_owned(),
        "no-such-host.invalid".to_owned(),
    ] {
        let place = format!("{}{READER}", settings("127.0.0.1"));
        let text = format!("server_host = {host}");
        questions.add_one(&place, "", &text, "joe@example.com");
    }
    questions.compare();
}
