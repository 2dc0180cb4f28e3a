use super::*;
use crate::client::{LimitExceeded, Values};
use crate::{Flags, Mode, OnFailure};

fn with_opening<T>(name: &str, work: impl FnOnce(&Opening<'_>) -> T) -> T {
    let env = Rc::new(Env::default());
    let (mode, flags, on_failure) = (Mode::Read, Flags::LOOKUP, OnFailure::Report);
    work(&Opening { env: &env, kind: "mysql", name, mode, flags, on_failure })
}

fn formats() -> Formats {
    with_opening("/x.cf", Formats::new)
}

/// What marks a text that went through quoting.
fn quote(text: &[u8], query: &mut Vec<u8>) {
    query.push(b'<');
    query.extend_from_slice(text);
    query.push(b'>');
}

fn query(template: &str, key: &str) -> Option<String> {
    let mut formats = formats();
    let template = formats.query(template).unwrap();
    let key = formats.key(key.as_bytes())?;
    Some(String::from_utf8(template.expand(&key, quote)).unwrap())
}

fn result(template: &str, key: &str, values: &[&str]) -> Option<String> {
    let mut formats = formats();
    let template = formats.result(template).unwrap();
    let key = formats.key(key.as_bytes())?;
    let mut all = Values::new(&formats, &template, &key, 0);
    values.iter().for_each(|value| all.add(Some(value.as_bytes())).unwrap());
    all.finish().map(|text| String::from_utf8(text).unwrap())
}

/// As Debian's `postmap -q` answers with a query that returns its own text.
#[test]
fn keys_in_queries() {
    let full = "a@b@mail.example.com";
    for (template, key, want) in [
        ("x = '%s' %% %S", full, Some("x = '<a@b@mail.example.com>' % <a@b@mail.example.com>")),
        ("%u", full, Some("<a@b>")),
        ("%u", "user", Some("<user>")),
        ("%u", "@dom", None),
        ("%u", "user@", Some("<user>")),
        ("%s", "@dom", Some("<@dom>")),
        ("%d", full, Some("<mail.example.com>")),
        ("%d", "@dom", Some("<dom>")),
        ("%d", "user", None),
        ("%d", "user@", None),
        ("%U %D", "u@d", Some("<u> <d>")),
        ("%1 %2 %3", full, Some("<com> <example> <mail>")),
        ("%1", full, Some("<com>")),
        ("%4", full, None),
        ("%2", "u@com", None),
        ("%2", "com.example", None),
        ("%2", "u@.a..b.", Some("<a>")),
        ("%3", "u@.a..b.", None),
        ("constant", "", None),
        ("constant", "x", Some("constant")),
    ] {
        assert_eq!(query(template, key).as_deref(), want, "{template} {key}");
    }
}

#[test]
fn values_in_results() {
    for (template, key, values, want) in [
        ("%s", "k", &["a", "b@c"][..], Some("a,b@c")),
        ("%s", "k", &[], None),
        ("%s", "k", &["", "a", ""], Some("a")),
        ("%s", "k", &["a\0b"], Some("a")),
        ("smtp:[%s]", "k", &["a", "b"], Some("smtp:[a],smtp:[b]")),
        ("%u", "k", &["a@b", "c", "@d", "e@"], Some("a,c,e")),
        ("%d", "k", &["a@b", "c", "@d", "e@"], Some("b,d")),
        ("%s=%S", "u@x.y", &["a"], Some("a=u@x.y")),
        ("%s=%U=%D=%1=%2", "u@x.y", &["a"], Some("a=u=x.y=y=x")),
        ("%s=%D", "user", &["a"], None),
        ("%s=%U", "@dom", &["a"], None),
        ("%%", "k", &["a", "b"], Some("%,%")),
    ] {
        assert_eq!(result(template, key, values).as_deref(), want, "{template} {key} {values:?}");
    }
}

#[test]
fn both_templates_ask_of_the_key() {
    let mut formats = formats();
    let query = formats.query("%s").unwrap();
    let result = formats.result("%s@%2").unwrap();
    assert!(formats.key(b"user").is_none());
    assert!(formats.key(b"user@com").is_none());
    let key = formats.key(b"user@example.com").unwrap();
    assert_eq!(query.expand(&key, quote), b"<user@example.com>");
    let mut values = Values::new(&formats, &result, &key, 2);
    assert_eq!(values.add(None), Ok(()));
    assert_eq!(values.add(Some(b"")), Ok(()));
    assert_eq!(values.add(Some(b"a")), Ok(()));
    assert_eq!(values.add(Some(b"b")), Ok(()));
    assert_eq!(values.add(Some(b"c")), Err(LimitExceeded));
    assert!(query.is_dynamic() && result.is_dynamic());
    assert!(!formats.query("1 %%").unwrap().is_dynamic());
}

#[test]
fn wrong_templates() {
    let error = |result: Result<Template, String>| result.map(drop).unwrap_err();
    assert_eq!(error(formats().query("a %x")), "db_common_parse: /x.cf: Invalid query template: a %x");
    assert_eq!(error(formats().result("%0")), "db_common_parse: /x.cf: Invalid result template: %0");
    assert_eq!(error(formats().query("a %")), "db_common_parse: /x.cf: Invalid query template: a %");
}

#[test]
fn keys_that_no_database_holds() {
    assert!(formats().key(b"a\0b").is_none());
}

#[tokio::test]
async fn domains() {
    let mut main = conf::MainCf::default();
    main.set("db_domain", "Example.com, inline:{example.org=x}, fail:x");
    let env = Rc::new(Env { main, ..Env::default() });
    let (mode, flags, on_failure) = (Mode::Read, Flags::LOOKUP, OnFailure::Report);
    let opening = Opening { env: &env, kind: "mysql", name: "db", mode, flags, on_failure };
    let mut formats = Formats::new(&opening);
    formats.read_domains(&Settings::read(&opening).unwrap(), &env).unwrap();
    for (key, want) in
        [("a@example.COM", true), ("a@example.org", true), ("example.com", false), ("@example.com", false)]
    {
        assert_eq!(formats.accepts(key.as_bytes()).await, Ok(want), "{key}");
    }
    // Nobody knows, since the list could not be read to its end.
    assert!(formats.accepts(b"a@x.example.com").await.is_err());
    assert_eq!(self::formats().accepts(b"anything").await, Ok(true));
}
