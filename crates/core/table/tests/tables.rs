//! Tables, searches and lists against files, processes and misfortune.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use ferrofix_table as table;
use table::address::{AddressFound, Search, Site, Strategy};
use table::build::{self, Format};
use table::{
    AddressList, DomainList, Env, Error, FindFlags, Flags, ListFlags, LocalFuture, Maps, Mode, StringList,
    Table, Update,
};

fn env() -> Rc<Env> {
    Rc::new(Env::default())
}

fn value(text: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(Some(text.into()))
}

/// Gives a file an age in seconds.
fn age(path: &Path, seconds: u64) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

fn write(path: &Path, text: &str, seconds: u64) {
    fs::write(path, text).unwrap();
    age(path, seconds);
}

#[test]
fn a_missing_index_is_built() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("virtual");
    write(&source, "Info@Example.com joe\n", 500);
    fs::write(place.path().join("virtual.db"), "a Berkeley DB file").unwrap();
    fs::set_permissions(&source, fs::Permissions::from_mode(0o640)).unwrap();
    let table = Table::open(&format!("hash:{}", source.display()), &env(), Flags::LOOKUP);
    assert_eq!(table.lookup_blocking(b"info@example.COM"), value("joe"));
    assert!(!table.is_pattern());
    let index = fs::metadata(place.path().join("virtual.lmdb")).unwrap();
    assert_eq!(index.permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 3, "nothing unfinished is left behind");
}

#[test]
fn an_outdated_index_is_rebuilt_in_place() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("map");
    let spec = format!("lmdb:{}", source.display());
    write(&source, "a 1\nb 2\n", 500);
    let old = Table::open(&spec, &env(), Flags::LOOKUP);
    assert_eq!(old.lookup_blocking(b"b"), value("2"));
    write(&source, "a 3\n", 0);
    age(&place.path().join("map.lmdb"), 300);
    let new = Table::open(&spec, &env(), Flags::LOOKUP);
    assert_eq!(new.lookup_blocking(b"a"), value("3"));
    // Who had it open sees the new contents too.
    assert_eq!(old.lookup_blocking(b"a"), value("3"));
    assert_eq!(old.lookup_blocking(b"b"), Ok(None));
}

#[test]
fn alias_files_are_recognised() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("aliases");
    write(&source, "# Mail aliases\npostmaster:    root\nROOT: joe, \"|/bin/a b\"\n\"a b\": c\n", 500);
    let table = Table::open(&format!("hash:{}", source.display()), &env(), Flags::LOOKUP);
    assert_eq!(table.lookup_blocking(b"root"), value("joe, \"|/bin/a b\""));
    assert_eq!(table.lookup_blocking(b"a b"), value("c"));
    assert_eq!(table.lookup_blocking(b"@"), value("@"));
}

#[test]
fn an_index_that_cannot_be_written_is_no_obstacle() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("map");
    write(&source, "Key value\n", 500);
    // Not even the superuser can put a file where a directory is.
    let taken = place.path().join(format!("map.lmdb.{}", std::process::id()));
    fs::create_dir(&taken).unwrap();
    let table = Table::open(&format!("hash:{}", source.display()), &env(), Flags::LOOKUP);
    assert_eq!(table.lookup_blocking(b"kEY"), value("value"));
    assert!(!place.path().join("map.lmdb").exists());
}

#[test]
fn a_failed_build_leaves_the_old_index() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("map");
    let name = source.to_str().unwrap().to_owned();
    let flags = Flags::FOLD_FIX;
    build::create(&env(), ("hash", &name), flags, Format::Map, ("map", b"a 1\n")).unwrap();
    // Without any of the flags about duplicates, one ends the build.
    let failed = build::create(&env(), ("hash", &name), flags, Format::Map, ("map", b"a 2\na 3\n"));
    assert_eq!(failed, Err(format!("hash:{name}: duplicate entry: \"a\"")));
    let table = Table::open(&format!("hash:{name}"), &env(), Flags::LOOKUP);
    assert_eq!(table.lookup_blocking(b"a"), value("1"));
}

#[test]
fn overlong_keys_do_not_take_others_with_them() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("map");
    write(&source, &format!("{} long\nb 2\n", "a".repeat(600)), 500);
    let table = Table::open(&format!("hash:{}", source.display()), &env(), Flags::LOOKUP);
    assert_eq!(table.lookup_blocking(&[b'a'; 600]), Ok(None));
    assert_eq!(table.lookup_blocking(b"b"), value("2"));
}

#[test]
fn a_replaced_index_is_noticed() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("map");
    write(&source, "a 1\n", 500);
    let env = env();
    let table = Table::open(&format!("hash:{}", source.display()), &env, Flags::LOOKUP);
    assert_eq!(env.changed_table(), None);
    fs::remove_file(place.path().join("map.lmdb")).unwrap();
    assert_eq!(env.changed_table(), Some(table.name()));
}

#[test]
fn tables_that_cannot_be_opened_fail_later() {
    let missing = Table::open("hash:/nonexistent/file", &env(), Flags::LOOKUP);
    assert!(missing.is_broken());
    assert_eq!(missing.lookup_blocking(b"a"), Err(Error::retry("hash:/nonexistent/file")));
    let reported = |spec: &str| Table::try_open(spec, &env(), Mode::Read, Flags::LOOKUP).err().unwrap();
    assert_eq!(
        reported("hash:/nonexistent/file"),
        "open database /nonexistent/file.lmdb: No such file or directory"
    );
    assert_eq!(reported("nosuch:x"), "unsupported dictionary type: nosuch");
    assert_eq!(reported("x"), "open dictionary: expecting \"type:name\" form instead of \"x\"");
}

#[test]
fn tables_are_shared() {
    let env = env();
    let one = Table::open_mode("internal:x", &env, Mode::Write, Flags::FOLD_FIX);
    let other = Table::open_mode("internal:x", &env, Mode::Write, Flags::FOLD_FIX);
    assert_eq!(one.update_blocking(b"Key", b"v"), Ok(Update::Stored));
    assert_eq!(other.lookup_blocking(b"kEY"), value("v"));
    assert_eq!(other.delete_blocking(b"KEY"), Ok(true));
    assert_eq!(one.lookup_blocking(b"key"), Ok(None));
}

#[test]
fn patterns_see_keys_as_they_are() {
    let table = Table::open("pcre:{{/^(A.*)@/i $1} {/^b/ b}}", &env(), Flags::LOOKUP);
    assert_eq!(table.lookup_blocking(b"Abc@x"), value("Abc"));
    assert_eq!(table.lookup_blocking(b"abc@x"), Ok(None));
    assert_eq!(table.lookup_blocking(b"B"), value("b"));
    assert!(table.is_pattern());
}

#[test]
fn networks_match_in_order() {
    let table = Table::open(
        "cidr:{{10.1.0.0/16 first} {10.0.0.0/8 second} {10.1.1.1 never} {2001:db8::/32 six}}",
        &env(),
        Flags::LOOKUP,
    );
    assert_eq!(table.lookup_blocking(b"10.1.1.1"), value("first"));
    assert_eq!(table.lookup_blocking(b"10.2.1.1"), value("second"));
    assert_eq!(table.lookup_blocking(b"11.2.1.1"), Ok(None));
    assert_eq!(table.lookup_blocking(b"2001:db8::1"), value("six"));
    assert_eq!(table.lookup_blocking(b"example.com"), Ok(None));
    let table = Table::open(
        "cidr:{{if 10.0.0.0/8} {!10.1.0.0/16 outside} {10.1.1.1 inside} {endif} {!10.0.0.0/8 other}}",
        &env(),
        Flags::LOOKUP,
    );
    assert_eq!(table.lookup_blocking(b"10.2.1.1"), value("outside"));
    assert_eq!(table.lookup_blocking(b"10.1.1.1"), value("inside"));
    assert_eq!(table.lookup_blocking(b"10.1.1.2"), Ok(None));
    assert_eq!(table.lookup_blocking(b"11.1.1.2"), value("other"));
    assert_eq!(table.lookup_blocking(b"::1"), Ok(None));
}

#[test]
fn contents_of_files_and_conditions() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("answer");
    fs::write(&file, "hello\n").unwrap();
    let file = file.display();
    for rules in [
        format!("cidr:{{{{if 10.0.0.0/8}} {{10.1.1.1 {file}}} {{endif}}}}"),
        format!("regexp:{{{{if /^10/}} {{/1$/ {file}}} {{endif}}}}"),
        format!("pcre:{{{{if /^10/}} {{/1$/ {file}}} {{endif}}}}"),
    ] {
        let table = Table::open(&rules, &env(), Flags::LOOKUP | Flags::SRC_RHS_IS_FILE);
        let found = table.lookup_blocking(b"10.1.1.1").unwrap().unwrap();
        assert_eq!(table.decode_file_value(b"10.1.1.1", &found), Ok(b"hello\n".to_vec()), "{rules}");
        assert_eq!(table.lookup_blocking(b"11.1.1.1"), Ok(None), "{rules}");
    }
}

#[test]
fn searches_stop_at_the_first_answer_and_at_errors() {
    let maps = Maps::open("test_maps", "inline:{a=1}, static:2, fail:x", &env(), Flags::LOOKUP);
    let find =
        |key: &[u8], flags| maps.find_blocking(key, flags).map(|found| found.map(|found| found.table_name));
    assert_eq!(find(b"a", FindFlags::Any), Ok(Some("inline:{a=1}".into())));
    assert_eq!(find(b"b", FindFlags::Any), Ok(Some("static:2".into())));
    assert_eq!(find(b"", FindFlags::Any), Ok(None));
    assert_eq!(find(b"b", FindFlags::Pattern), Err(Error::retry("fail:x")));
    let empty = Maps::open("test_maps", "inline:{a=}", &env(), Flags::LOOKUP);
    assert!(empty.find_blocking(b"a", FindFlags::Any).is_err_and(|error| error.is_config()));
}

#[test]
fn lists_of_strings_and_domains() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("more");
    fs::write(&file, "# comment\nTwo,three\n  four\n").unwrap();
    let text = format!("!not, One {} inline:{{five=x}}", file.display());
    let list = StringList::open("test", &text, &env(), ListFlags::Exact);
    for (string, expected) in
        [("one", true), ("TWO", true), ("four", true), ("five", true), ("not", false), ("six", false)]
    {
        assert_eq!(list.matches_blocking(string.as_bytes()), Ok(expected), "{string}");
    }
    let exact =
        DomainList::open("test", "example.com .sub.net inline:{.table.org=x}", &env(), ListFlags::Exact);
    let parent = DomainList::open(
        "test",
        "!bad.example.com example.com inline:{table.org=x}",
        &env(),
        ListFlags::Parent,
    );
    for (name, in_exact, in_parent) in [
        ("Example.com", true, true),
        ("a.example.com", false, true),
        ("bad.example.com", false, false),
        ("notexample.com", false, false),
        ("a.sub.net", true, false),
        ("sub.net", false, false),
        ("a.b.table.org", true, true),
        ("table.org", false, true),
    ] {
        assert_eq!(exact.matches_blocking(name.as_bytes()), Ok(in_exact), "{name}");
        assert_eq!(parent.matches_blocking(name.as_bytes()), Ok(in_parent), "{name}");
    }
    let broken = StringList::open("test", "a !", &env(), ListFlags::Exact);
    assert_eq!(broken.matches_blocking(b"a"), Ok(true));
    assert!(broken.matches_blocking(b"b").is_err());
    let broken = StringList::open("test", "/nonexistent/list", &env(), ListFlags::Exact);
    assert!(broken.matches_blocking(b"b").is_err());
}

#[test]
fn lists_of_addresses() {
    let list = AddressList::open(
        "mynetworks",
        "127.0.0.0/8 [::1]/128 !192.0.2.9 192.0.2.0/28 [2001:db8::]/32 10.0.0.1/8",
        &env(),
        ListFlags::Exact,
    );
    for (address, expected) in [
        ("127.0.0.1", true),
        ("::1", true),
        ("192.0.2.9", false),
        ("192.0.2.1", true),
        ("2001:DB8:0:0::5", true),
    ] {
        assert_eq!(list.matches_blocking(address.as_bytes()), Ok(expected), "{address}");
    }
    assert_eq!(list.matches_blocking(b"2001:db9::"), Ok(false));
    assert!(list.matches_blocking(b"1.2.3.4").is_err(), "the last pattern has host bits");
}

struct Here(address::Splitter);

impl Site for Here {
    fn splitter(&self) -> &address::Splitter {
        &self.0
    }

    fn is_local<'a>(&'a self, domain: &'a [u8]) -> LocalFuture<'a, Result<bool, Error>> {
        Box::pin(
            async move { if domain == b"error" { Err(Error::retry("x")) } else { Ok(domain == b"here") } },
        )
    }
}

#[tokio::test(flavor = "current_thread")]
async fn addresses_are_searched_from_whole_to_part() {
    let maps = "inline:{joe+list@here=1, joe@here=2, joe+x=3, ann=4, @far=5, .sub.org=6}";
    let maps = Maps::open("test", maps, &env(), Flags::LOOKUP);
    let find = async |address: &str, strategy| {
        let search = Search::USUAL.with_strategy(strategy);
        let found =
            table::address::find(&maps, address.as_bytes(), search, &Here(address::Splitter::new("+"))).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        found.map(|found| {
            found.map(|AddressFound { value, extension, .. }| {
                (text(value), extension.map(text).unwrap_or_default())
            })
        })
    };
    let hit = |value: &str, extension: &str| Ok(Some((value.to_owned(), extension.to_owned())));
    assert_eq!(find("joe+list@here", Strategy::DEFAULT).await, hit("1", ""));
    assert_eq!(find("joe+x@here", Strategy::DEFAULT).await, hit("2", "+x"));
    assert_eq!(find("ann+y@here", Strategy::DEFAULT).await, hit("4", "+y"));
    assert_eq!(find("ann@there", Strategy::DEFAULT).await, Ok(None));
    assert_eq!(find("any+body@far", Strategy::DEFAULT).await, hit("5", ""));
    let parents = Strategy::FULL.and(Strategy::DOMAIN).and(Strategy::DOT_PARENTS);
    assert_eq!(find("x@a.sub.org", parents).await, hit("6", ""));
    assert_eq!(find("x@error", Strategy::DEFAULT).await, Err(Error::retry("x")));
}

/// A proxymap that answers from a list of replies.
fn serve(listener: UnixListener, replies: Vec<&'static [u8]>) -> std::thread::JoinHandle<Vec<Vec<u8>>> {
    std::thread::spawn(move || {
        let mut requests = Vec::new();
        let mut replies = replies.into_iter().peekable();
        while replies.peek().is_some() {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"protocol\0proxymap_protocol\0\0").unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 1000];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                request.extend_from_slice(&buffer[..count]);
                if !request.ends_with(b"\0\0") {
                    continue;
                }
                requests.push(std::mem::take(&mut request));
                stream.write_all(replies.next().unwrap()).unwrap();
                if replies.peek().is_none() {
                    break;
                }
            }
        }
        requests
    })
}

#[test]
fn proxied_tables() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("private")).unwrap();
    let listener = UnixListener::bind(place.path().join("private/proxymap")).unwrap();
    let server = serve(
        listener,
        vec![
            b"status\x000\0flags\x0016464\0\0",
            b"status\x000\0flags\x0016464\0value\0found\0\0",
            b"status\x001\0flags\x0016464\0value\0\0\0",
            b"status\x002\0flags\x0016464\0value\0\0\0",
            b"status\x004\0flags\x0016464\0value\0\0\0",
        ],
    );
    let env = Rc::new(Env { queue_directory: place.path().to_owned(), ..Env::default() });
    let table = Table::open("proxy:hash:/x", &env, Flags::LOCK | Flags::FOLD_FIX);
    assert!(!table.is_pattern() && !table.is_local());
    assert!(table.lookup_now(b"a").is_none());
    assert_eq!(table.lookup_blocking(b"a"), value("found"));
    assert_eq!(table.lookup_blocking(b"b"), Ok(None));
    assert_eq!(table.lookup_blocking(b"c"), Err(Error::retry("proxy:hash:/x")));
    assert_eq!(table.lookup_blocking(b"d"), Err(Error::retry("proxy:hash:/x")));
    let requests = server.join().unwrap();
    assert_eq!(requests[0], b"request\0open\0table\0hash:/x\0instance_flags\x0016448\0\0");
    assert_eq!(
        requests[1],
        b"request\0lookup\0table\0hash:/x\0instance_flags\x0016448\0flags\x0016464\0key\0a\0\0"
    );
}
