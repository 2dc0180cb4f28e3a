use super::*;

fn round(text: &str) -> String {
    String::from_utf8(externalize(&parse(text.as_bytes()))).unwrap()
}

#[test]
fn groups_routes_and_comments() {
    assert_eq!(round("a b@c"), "a, b@c");
    assert_eq!(round("A B <a@b> (c), x"), "A B <a@b>(c), x");
    assert_eq!(round("list: a@b, c;"), "list: a@b, c;");
    assert_eq!(round("<a (x) b>"), "<ab (x)>");
    assert_eq!(round("<a b@c>, d (e) f"), "<ab@c>, d, f (e)");
    assert_eq!(round(""), "");
    assert_eq!(round("a:b"), "\"a:b\"");
    assert_eq!(round("<>"), "<>");
}

#[test]
fn scanned_addresses_are_spaced() {
    assert_eq!(Address::scan(b"a b@c").internalize(), b"a b@c");
    assert_eq!(Address::scan(b"a\\ b@c").externalize(), b"\"a b\"@c");
    assert_eq!(Address::scan(b"\\").externalize(), b"");
    assert_eq!(Address::scan(b"x\\@y@z").internalize(), b"x@y@z");
}

#[test]
fn long_comments_are_stripped_from_headers() {
    let text = format!("({}) a b <u v@x>, y", "c".repeat(300));
    let (out, warnings) = externalize_header(&parse(text.as_bytes()), Breaks::AfterComma);
    assert_eq!(out, b"<uv@x>,\ny");
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("stripping too many comments from address: (ccc"));
    assert!(warnings[0].ends_with("c..."));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parsing_never_panics_and_settles(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            let once = externalize(&parse(&text));
            let twice = externalize(&parse(&once));
            let thrice = externalize(&parse(&twice));
            prop_assert!(thrice.len() <= once.len() * 4 + 64);
            let _ = parse_limit(&text, 5);
            let _ = externalize_header(&parse(&text), Breaks::AfterComma);
            let _ = Address::scan(&text).internalize();
        }

        #[test]
        fn quoting_undoes_unquoting(local in "[ -~]{0,20}", domain in "[a-z.]{1,20}") {
            prop_assume!(!local.starts_with('@'));
            let address = format!("{local}@{domain}").into_bytes();
            let quoted = crate::quote_822_local(&address);
            prop_assert_eq!(crate::unquote_822_local(&quoted), address);
        }
    }
}
