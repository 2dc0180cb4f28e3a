//! What is measured.

/// One thing to do with a mail system.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Messages, clients or rows.
    pub(crate) count: u64,
    /// The same for a quick look.
    pub(crate) quick: u64,
    /// Where the reference needs fewer of them to fit into memory.
    pub(crate) reference_at_most: u64,
    /// Rounds, if fewer than others, because a round takes long.
    pub(crate) rounds_at_most: usize,
    /// What comes out: name and title.
    pub(crate) rows: &'static [(&'static str, &'static str)],
}

/// What it does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Messages come by SMTP in so many sessions, each with so many bytes, and leave by SMTP.
    Relay { sessions: u64, size: u64 },
    /// They go into Maildirs, by `virtual`.
    Virtual,
    /// The same by `local`, with aliases and home directories.
    Local,
    /// They come by `sendmail`, so many at once, and leave by SMTP.
    Submit { parallel: u64 },
    /// Clients connect all at once, are greeted, say EHLO, and then nothing.
    Idle,
    /// Deferred messages are listed, requeued and deleted.
    Queue,
    /// Lookup tables of so many rows are built and asked.
    Tables,
}

const fn flow(
    name: &'static str,
    kind: Kind,
    count: u64,
    quick: u64,
    rows: &'static [(&'static str, &'static str)],
) -> Workload {
    Workload { name, kind, count, quick, reference_at_most: u64::MAX, rounds_at_most: usize::MAX, rows }
}

const SMALL: u64 = 4096;

pub(crate) static ALL: [Workload; 10] = [
    flow(
        "relay-1",
        Kind::Relay { sessions: 1, size: SMALL },
        1500,
        100,
        &[("relay-1", "relay, 4 KiB, 1 session")],
    ),
    flow(
        "relay-20",
        Kind::Relay { sessions: 20, size: SMALL },
        3000,
        200,
        &[("relay-20", "relay, 4 KiB, 20 sessions")],
    ),
    flow(
        "relay-100",
        Kind::Relay { sessions: 100, size: SMALL },
        2000,
        300,
        &[("relay-100", "relay, 4 KiB, 100 sessions")],
    ),
    flow(
        "relay-1mb",
        Kind::Relay { sessions: 5, size: 1 << 20 },
        150,
        15,
        &[("relay-1mb", "relay, 1 MB, 5 sessions")],
    ),
    flow("virtual", Kind::Virtual, 2000, 160, &[("virtual", "into Maildirs, virtual")]),
    flow("local", Kind::Local, 1000, 120, &[("local", "into Maildirs, local")]),
    flow("sendmail", Kind::Submit { parallel: 4 }, 400, 80, &[("sendmail", "sendmail, then relay")]),
    Workload {
        name: "idle",
        kind: Kind::Idle,
        count: 5000,
        quick: 1000,
        reference_at_most: 200,
        rounds_at_most: usize::MAX,
        rows: &[("idle", "clients greeted")],
    },
    Workload {
        name: "queue",
        kind: Kind::Queue,
        count: 100_000,
        quick: 5000,
        reference_at_most: u64::MAX,
        rounds_at_most: 3,
        rows: &[
            ("list", "postqueue -p, 100,000 deferred"),
            ("requeue", "postsuper -r ALL, 100,000 deferred"),
            ("delete", "postsuper -d ALL, 100,000 deferred"),
        ],
    },
    flow(
        "tables",
        Kind::Tables,
        1_000_000,
        20_000,
        &[
            ("table-build", "postmap lmdb:, 1,000,000 rows"),
            ("table-hash", "postmap -q -, hash, 100,000 rows"),
            ("table-texthash", "postmap -q -, texthash, 100,000 rows"),
            ("table-cidr", "postmap -q -, cidr, 10,000 networks"),
            ("table-pcre", "postmap -q -, pcre, 1,000 rules"),
            ("table-regexp", "postmap -q -, regexp, 1,000 rules"),
            ("postconf-name", "postconf NAME"),
        ],
    ),
];
