//! Tables of keys and values: `hash`, `btree`, `lmdb`, `cdb`, `texthash`, `inline`.

use crate::cases::{Case, KEYS, keys};
use crate::random::Random;

/// Keys that are found where they are stored, whatever that takes.
pub(crate) fn usual_key(random: &mut Random) -> String {
    match random.below(5) {
        0 => random.domain(),
        1 => format!(".{}", random.domain()),
        2 => format!("@{}", random.domain()),
        3 => random.word(),
        _ => random.address(),
    }
}

/// Letters that have more than one case, or none, or another length in the other case.
const LETTERS: &[&str] = &[
    "é", "É", "ß", "ẞ", "İ", "ı", "Σ", "σ", "ς", "ﬁ", "Ω", "Ω", "K", "ſ", "ǆ", "ǅ", "Я", "я", "日", "𐐀", "𐐨",
    "ŉ",
];

fn foreign_key(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..1 + random.below(4) {
        text.push_str(random.pick(LETTERS));
        if random.one_in(2) {
            text.push_str(&random.word());
        }
    }
    text
}

/// Bytes that are not UTF-8, or not quite.
const ODD: &[&[u8]] = &[
    b"\xff",
    b"\xe9",
    b"\xc3",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\x80",
    b"\xe2\x82",
    b"\x01",
    b"\x7f",
    b"\t",
    b" ",
    b"\\",
    b"\"",
    b"'",
    b"\r",
    b"\x0b",
    b"%s",
    b"$1",
];

fn odd_key(random: &mut Random) -> Vec<u8> {
    let mut text = random.word().into_bytes();
    for _ in 0..1 + random.below(2) {
        text.extend_from_slice(random.pick(ODD));
        text.extend_from_slice(random.word().as_bytes());
    }
    text
}

pub(crate) fn key(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => foreign_key(random).into_bytes(),
        1 => odd_key(random),
        2 => Vec::new(),
        3 => format!("\"{} {}\"@{}", random.word(), random.word(), random.domain()).into_bytes(),
        4 => {
            let text = usual_key(random);
            random.case(&text).into_bytes()
        }
        _ => usual_key(random).into_bytes(),
    }
}

fn value(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => foreign_key(random).into_bytes(),
        1 => format!("{}  {}\t ", random.address(), random.word()).into_bytes(),
        2 => format!("{}, {}", random.address(), random.address()).into_bytes(),
        3 => b"OK".to_vec(),
        4 => odd_key(random),
        _ => random.address().into_bytes(),
    }
}

/// A source as people write it.
pub(crate) fn tidy_source(random: &mut Random, count: usize) -> Vec<u8> {
    let mut text = b"# A table.\n\n".to_vec();
    for _ in 0..count {
        let key = usual_key(random);
        text.extend_from_slice(format!("{key}\t{}\n", random.address()).as_bytes());
    }
    text
}

/// A source in which everything is wrong somewhere.
fn weird_source(random: &mut Random, count: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..count {
        let (key, value) = (key(random), value(random));
        let quoted = |open: &str| [open.as_bytes(), &key, b"\" ", &value].concat();
        let line = match random.below(24) {
            0 => key,
            1 => [b" ", key.as_slice(), b" ", &value].concat(),
            2 => [b"\t", value.as_slice()].concat(),
            3 => [b"#", key.as_slice(), b" ", &value].concat(),
            4 => b"   ".to_vec(),
            5 => Vec::new(),
            6 => [&key, b": ".as_slice(), &value].concat(),
            7 => quoted("\""),
            8 => quoted(""),
            9 => [&key, b"\\ x ".as_slice(), &value].concat(),
            10 => [&key, b"\\".as_slice()].concat(),
            11 => [&key, b" ".as_slice(), &value, b"\r"].concat(),
            12 => b"a nul\0rest\nnul x".to_vec(),
            13 => [&key, b" a".as_slice(), b"\n#between", b"\n  ", &value].concat(),
            14 => [&key, b" \n\n\t".as_slice(), &value].concat(),
            15 => [&key, b"   ".as_slice()].concat(),
            _ => [&key, b" ".as_slice(), &value].concat(),
        };
        text.extend_from_slice(&line);
        text.push(b'\n');
    }
    // No line end at the end.
    text.extend_from_slice(b"last one");
    text
}

fn questions(random: &mut Random) -> Vec<Vec<u8>> {
    (0..KEYS).map(|_| key(random)).collect()
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (seed, kind) in (1..).zip(["hash", "btree", "lmdb", "texthash", "cdb"]) {
        let random = &mut Random::new(seed);
        // LMDB has no empty keys: Postfix ends when it is asked for one, Ferrofix has not found it.
        let asked = |random: &mut Random| {
            let mut keys = questions(random);
            keys.retain(|key| kind != "lmdb" || !(key.is_empty() || key[0] == 0));
            keys
        };
        let is_built = kind != "texthash";
        // The reference is too old to list such a table, and it is never changed.
        let is_listed = kind != "cdb";
        for (name, source) in [("tidy", tidy_source(random, 300)), ("weird", weird_source(random, 400))] {
            let table = format!("{kind}:@/table");
            let mut case = Case::new(&format!("{kind}::{name}")).file("table", source);
            if is_built {
                case = case.run(&format!("postmap {table}"));
            }
            case = case.ask("", &table, &asked(random)).ask("-f", &table, &asked(random));
            case = case.ask_each(&table, &asked(random));
            if is_listed {
                case = case.run_unordered(&format!("postmap -s {table}"));
            }
            cases.push(case);
            // Bytes instead of UTF-8, case that counts, another value for keys that come again.
            let mut case =
                Case::new(&format!("{kind}::{name}bytes")).file("table", weird_source(random, 300));
            for options in ["-u", "-uf", "-r", "-w", "-uw", "-fr"] {
                if is_built {
                    case = case.run(&format!("postmap {options} {table}"));
                }
                case = case.ask(options, &table, &asked(random)[..400]);
                if is_listed {
                    case = case.run_unordered(&format!("postmap {options} -s {table}"));
                }
            }
            cases.push(case);
        }
        if is_built && is_listed {
            cases.push(changed(random, kind));
        }
    }
    cases.extend(inline());
    cases
}

/// A table that is changed key by key.
fn changed(random: &mut Random, kind: &str) -> Case {
    let table = format!("{kind}:@/table");
    let mut case = Case::new(&format!("{kind}::changed"))
        .file("table", tidy_source(random, 200))
        .run(&format!("postmap {table}"));
    for options in ["-i", "-ir", "-iw", "-iN", "-in", "-if", "-iu"] {
        let mut source = weird_source(random, 60);
        source.retain(|&byte| byte != 0);
        let words = vec!["postmap".to_owned(), options.to_owned(), table.clone()];
        case =
            case.step(crate::cases::Step { words, stdin: source, environment: Vec::new(), unordered: false });
        case = case.run_unordered(&format!("postmap -s {table}"));
        let gone: Vec<Vec<u8>> = (0..100).map(|_| usual_key(random).into_bytes()).collect();
        let stdin = gone.join(&b'\n');
        let words = ["postmap", "-d", "-", &table].map(str::to_owned).to_vec();
        case = case.step(crate::cases::Step { words, stdin, environment: Vec::new(), unordered: false });
        case = case.run_unordered(&format!("postmap -s {table}"));
    }
    let asked: Vec<Vec<u8>> = (0..300).map(|_| usual_key(random).into_bytes()).collect();
    case.ask("", &table, &asked)
}

fn inline() -> Vec<Case> {
    let random = &mut Random::new(20);
    let mut pairs = Vec::new();
    for _ in 0..45 {
        let (key, value) = (usual_key(random), random.address());
        pairs.push(match random.below(5) {
            0 => format!("{{ {key} = {value} and more }}"),
            1 => format!("{{\"{key} {key}\"={value}}}"),
            2 => format!("{{{}={value}}}", foreign_key(random)),
            3 => format!("{{ {} =  {{{value}}}  }}", random.case(&key)),
            _ => format!("{key}={value}"),
        });
    }
    let table = format!("inline:{{ {} }}", pairs.join(if random.one_in(2) { ", " } else { " " }));
    let case =
        Case::new("inline::many").ask("", &table, &questions(random)).ask("-f", &table, &questions(random));
    let case = case.ask("-u", &table, &questions(random));
    let mut all = vec![case.ask_each(&table, &questions(random))];
    let mut case = Case::new("inline::syntax");
    for table in [
        "inline:",
        "inline:{",
        "inline:{}",
        "inline:{ }",
        "inline:a=b",
        "inline:{a=b",
        "inline:{a=b}x",
        "inline:{a}",
        "inline:{=b}",
        "inline:{a=}",
        "inline:{a=,b=1}",
        "inline:{{a=b}",
        "inline:{{a=b}}",
        "inline:{{a = b}x}",
        "inline:{{a b = c}}",
        "inline:{{\"a b\" = c}}",
        "inline:{{\"a b = c}}",
        "inline:{a==b}",
        "inline:{a=b=c}",
        "inline:{{}}",
        "inline:{a=1 a=2}",
        "inline:{A=1,a=2}",
        "inline:{a={b}}",
        "inline:{ {a = b}, }",
        "inline:{,}",
        "inline:{{ = }}",
        "inline:{{a\\=b = c}}",
    ] {
        let words = ["postmap", "-q", "a", table].map(str::to_owned).to_vec();
        case = case.step(crate::cases::Step { words, stdin: vec![], environment: vec![], unordered: false });
        case = case.ask("", table, &keys(["a", "A", "a b", "", "\"a b\"", "a=b", "a\\=b"]));
    }
    all.push(case);
    all
}
