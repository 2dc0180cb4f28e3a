use super::*;
use std::rc::Rc;
use table::{Env, Flags, Mode};

const LIVES: Lifetimes = Lifetimes {
    positive_expire: 10_000,
    positive_refresh: 5_000,
    negative_expire: 3_000,
    negative_refresh: 2_000,
};
const NOW: i64 = 1_600_000_000;
const OK: AddressStatus = AddressStatus::Ok;
const DEFER: AddressStatus = AddressStatus::Defer;
const TODO: AddressStatus = AddressStatus::Todo;

fn cache_in(spec: &str, negative: Negative) -> Cache {
    let env = Rc::new(Env::default());
    let flags = Flags::DUP_REPLACE | Flags::LOCK | Flags::UTF8_REQUEST;
    Cache::new(Table::open_mode(spec, &env, Mode::Create, flags), LIVES, negative)
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

async fn stored(cache: &Cache, address: &[u8]) -> Option<String> {
    let raw = cache.table.lookup(address).await.unwrap()?;
    Some(String::from_utf8(raw).unwrap())
}

#[test]
fn an_address_is_probed_once_and_its_result_remembered() {
    run(async {
        let cache = cache_in("internal:verify", Negative::Remember);
        let first = cache.query(b"a@b", NOW).await;
        assert_eq!((first.status, first.probe), (TODO, true));
        assert_eq!(first.reason, b"Address verification in progress");
        assert_eq!(
            stored(&cache, b"a@b").await.unwrap(),
            format!("3:{NOW}:0:Address verification in progress")
        );
        let second = cache.query(b"a@b", NOW + 3).await;
        assert_eq!((second.status, second.probe), (TODO, false));
        assert!(cache.update(b"a@b", OK, b"250 2.1.5 Ok\x01", NOW + 5).await);
        let third = cache.query(b"a@b", NOW + 6).await;
        assert_eq!(third, Answer { status: OK, reason: b"250 2.1.5 Ok?".to_vec(), probe: false });
        // Time to look again; meanwhile the old answer is good.
        let fourth = cache.query(b"a@b", NOW + 6_000).await;
        assert_eq!((fourth.status, fourth.probe), (OK, true));
        assert!(!cache.query(b"a@b", NOW + 6_001).await.probe);
        // The probe was lost and the answer is too old.
        let last = cache.query(b"a@b", NOW + 20_000).await;
        assert_eq!((last.status, last.probe), (TODO, true));
    });
}

#[test]
fn a_failure_does_not_replace_a_success() {
    run(async {
        let cache = cache_in("internal:verify", Negative::Remember);
        assert!(cache.update(b"a@b", OK, b"fine", NOW).await);
        assert!(cache.update(b"a@b", DEFER, b"busy", NOW + 1).await);
        assert_eq!(stored(&cache, b"a@b").await.unwrap(), format!("0:0:{NOW}:fine"));
        assert!(cache.update(b"c@d", DEFER, b"busy", NOW).await);
        assert!(cache.update(b"c@d", OK, b"fine", NOW + 1).await);
        assert_eq!(cache.query(b"c@d", NOW + 2).await.status, OK);
        assert!(!cache.update(b"c@d", TODO, b"", NOW).await);
    });
}

#[test]
fn without_negative_cache_nothing_is_kept_of_unknown_addresses() {
    run(async {
        let cache = cache_in("internal:verify", Negative::Forget);
        assert!(cache.query(b"a@b", NOW).await.probe);
        assert_eq!(stored(&cache, b"a@b").await, None);
        assert!(cache.update(b"a@b", OK, b"fine", NOW).await);
        // A refresh is on record, since there is something to refresh.
        assert!(cache.query(b"a@b", NOW + 6_000).await.probe);
        assert_eq!(stored(&cache, b"a@b").await.unwrap(), format!("0:{}:{NOW}:fine", NOW + 6_000));
        assert!(cache.query(b"a@b", NOW + 20_000).await.probe);
        assert_eq!(stored(&cache, b"a@b").await, None);
    });
}

#[test]
fn a_table_that_fails_means_wait() {
    run(async {
        let cache = cache_in("fail:reason", Negative::Remember);
        let answer = cache.query(b"a@b", NOW).await;
        assert_eq!((answer.status, answer.probe), (DEFER, false));
        assert_eq!(answer.reason, b"Address verification status unavailable");
    });
}

#[test]
fn cleanup_drops_what_is_too_old() {
    for kind in ["internal", "btree"] {
        let directory = tempfile::tempdir().unwrap();
        run(async {
            let spec = format!("{kind}:{}", directory.path().join("verify_cache").display());
            let cache = cache_in(&spec, Negative::Remember);
            for number in 0..300i64 {
                let address = format!("user{number:03}@example.com");
                let age = if number % 3 == 0 { 10_001 } else { 100 };
                cache.update(address.as_bytes(), OK, b"fine", NOW - age).await;
            }
            cache.table.update(b"junk", b"junk").await.unwrap();
            assert_eq!(cache.until_cleanup(Duration::from_secs(3600), NOW).await, Duration::ZERO);
            cache
                .clean_up(
                    || NOW,
                    || {
                        // An answer that comes in the middle stays.
                        cache.table.update_blocking(b"user300@example.com", b"0:0:1:new").unwrap();
                        std::future::ready(())
                    },
                )
                .await;
            assert_eq!(stored(&cache, b"user000@example.com").await, None, "{kind}");
            assert!(stored(&cache, b"user001@example.com").await.is_some());
            assert_eq!(stored(&cache, b"user297@example.com").await, None);
            assert_eq!(stored(&cache, b"junk").await, None);
            let hour = Duration::from_secs(3600);
            assert_eq!(cache.until_cleanup(hour, NOW + 600).await, Duration::from_secs(3000));
            assert_eq!(cache.until_cleanup(hour, NOW + 5_000).await, Duration::ZERO);
            assert_eq!(cache.until_cleanup(hour, NOW - 5_000).await, hour);
        });
    }
}

#[test]
fn colons_are_not_part_of_keys() {
    assert_eq!(key(b"a@[IPv6:::1]"), b"a@[IPv6___1]");
}
