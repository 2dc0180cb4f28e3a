//! `regexp` and `pcre` tables.

use crate::cases::{Case, KEYS, keys};
use crate::random::Random;

/// Words of patterns and of keys.
const WORDS: &[&str] = &[
    "free",
    "money",
    "viagra",
    "spam",
    "list",
    "example.com",
    "X-Mailer: ",
    "Subject: ",
    "a",
    "b",
    "ab",
    "1",
];

/// Pieces that mean something in both kinds of expressions.
const PIECES: &[&str] = &[
    ".",
    ".*",
    ".+",
    "^",
    "$",
    "[0-9]+",
    "[[:space:]]*",
    "[^@]+",
    "(a|b)",
    "(ab)*",
    "(.)",
    "(.*)",
    "[]x]",
    "[a-c]?",
    "@",
    "x{2}",
    "x{1,3}",
    "\\.",
    "\\$",
    "\\/",
    "()",
    "(a(b)?)",
    "|",
    "a*",
    "\\b",
    "\\w+",
];
/// Pieces that are errors, or mean different things.
const ODD: &[&str] = &[
    "(",
    ")",
    "[",
    "*",
    "+",
    "{",
    "{1",
    "\\",
    "\\1",
    "[b-a]",
    "(?:ab)",
    "(?i)",
    "(?<n>a)",
    "a**",
    "\\d",
    "[^]",
    "$^",
    "\\<",
    "(?=a)",
    "x{3,1}",
    "\u{e9}",
    "!",
    "\\Qa.b\\E",
    "(*UTF)",
];

fn pattern(random: &mut Random, odd: usize) -> String {
    let mut text = String::new();
    for _ in 0..1 + random.below(5) {
        text.push_str(match random.below(10) {
            0..4 => random.pick(WORDS),
            _ if odd > 0 && random.one_in(odd) => random.pick(ODD),
            _ => random.pick(PIECES),
        });
    }
    text
}

fn written(random: &mut Random, odd: usize, flags: &str) -> String {
    let not = random.pick(&["", "", "", "", "!", "!!"]);
    let pattern = pattern(random, odd);
    let letters = flags.as_bytes();
    let letters: String = (0..random.below(6).saturating_sub(2))
        .map(|_| char::from(letters[random.below(letters.len())]))
        .collect();
    let delimiter = random.pick(&["/", "/", "/", "/", "/", "#", "|", "%", "\"", "^"]);
    format!("{not}{delimiter}{pattern}{delimiter}{letters}")
}

fn result(random: &mut Random, line: usize, odd: usize) -> String {
    if odd > 0 && random.one_in(6) {
        return random
            .pick(&[
                "",
                "$0",
                "$x",
                "$9",
                "${1",
                "${}",
                "$",
                "$(1",
                "$1x",
                "$-1",
                "${1}{2}",
                "$99",
                "x$$y",
                "$$1",
                "${ 1 }",
                "$(1)$2$3",
                "${1?x}",
                "caf\u{e9} $1",
                "$01",
                "  ",
            ])
            .to_owned();
    }
    let text = random.pick(&[
        "REJECT",
        "REJECT found $1",
        "OK",
        "${1}-$1",
        "$$",
        "DUNNO x$(1)y$2",
        "[$1] [$2] [$3]",
        "PREPEND X: y",
    ]);
    format!("{text} {line}")
}

fn file(random: &mut Random, kind: &str, count: usize, odd: usize) -> String {
    let flags = if kind == "pcre" { "imsxAEU" } else { "imx" };
    let flags = if odd > 0 && random.one_in(2) { format!("{flags}Xqz!") } else { flags.to_owned() };
    let mut depth = 0;
    let mut text = "# Patterns.\n".to_owned();
    for line in 0..count {
        let written = |random: &mut Random| written(random, odd, &flags);
        let word = |random: &mut Random, word: &str| random.case(word);
        text.push_str(&match random.below(14) {
            0 => {
                depth += 1;
                let rest = if odd > 0 && random.one_in(6) { " extra text" } else { "" };
                format!("{} {}{rest}\n", word(random, "if"), written(random))
            }
            1 if depth > 0 || (odd > 0 && random.one_in(6)) => {
                depth = (depth - 1).max(0);
                let rest = if odd > 0 && random.one_in(6) { " extra text" } else { "" };
                format!("{}{rest}\n", word(random, "endif"))
            }
            2 if kind == "regexp" => {
                let (first, second) = (written(random), pattern(random, odd));
                format!("{first}!/{second}/ {}\n", result(random, line, odd))
            }
            3 if odd > 0 => random
                .pick(&[
                    "nonsense\n",
                    "/no end\n",
                    "if\n",
                    "if !\n",
                    "!\n",
                    "iff /x/\n",
                    "/a/ \n",
                    "/a/\n",
                    "endifx\n",
                    "/\\",
                    "//\n",
                ])
                .to_owned(),
            4 => format!("{}\n\t{}\n", written(random), result(random, line, odd)),
            5 => "\n# comment\n\n".to_owned(),
            _ => format!("{} {}\n", written(random), result(random, line, odd)),
        });
    }
    text
}

fn questions(random: &mut Random) -> Vec<Vec<u8>> {
    let mut questions = Vec::new();
    for _ in 0..KEYS {
        let mut key = String::new();
        for _ in 0..random.below(6) {
            key.push_str(match random.below(10) {
                0..6 => random.pick(WORDS),
                6 => random.pick(&[" ", "@", "x", "xx", "xxx", "$", "/", "\\", ".", "]", "-"]),
                7 => random.pick(&["\u{e9}", "\u{c9}", "\t", "\r", "K", "ſ"]),
                _ => random.pick(&["0", "42", "c", "A", "B", "AB"]),
            });
        }
        let mut key = random.case(&key).into_bytes();
        if random.one_in(40) {
            key.extend_from_slice(b"\xe9\xff");
        }
        questions.push(key);
    }
    questions
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (seed, kind) in [(40, "regexp"), (41, "pcre")] {
        let random = &mut Random::new(seed);
        for (name, count, odd) in [
            ("tidy", 80, 0),
            ("large", 1000, 0),
            ("weird0", 60, 8),
            ("weird1", 120, 4),
            ("weird2", 300, 12),
            ("weird3", 200, 6),
        ] {
            let table = format!("{kind}:@/table");
            let case = Case::new(&format!("{kind}::{name}")).file("table", file(random, kind, count, odd));
            let mut case = case.ask("", &table, &questions(random));
            if name == "tidy" {
                case = case.ask_each(&table, &questions(random));
            }
            cases.push(case.ask("-u", &table, &questions(random)[..500]));
        }
        cases.push(bytes(random, kind));
        cases.push(syntax(kind));
    }
    cases
}

/// Patterns of bytes beyond ASCII, which are no UTF-8.
fn bytes(random: &mut Random, kind: &str) -> Case {
    let table = format!("{kind}:@/table");
    let mut text = b"/^caf\xe9$/ latin $1\n/(caf\xe9)/ latin $1\n/^\xc3\xa9(.*)$/ utf-8 $1\n/[\x80-\xff]/ eight\n/\xe9/ \xe9\n".to_vec();
    text.extend_from_slice("/É/ upper\n/ß/ sharp\n/(.)/ other $1\n".as_bytes());
    let case = Case::new(&format!("{kind}::bytes")).file("table", text);
    let fixed: &[&[u8]] = &[
        b"caf\xe9",
        b"caf\xc9",
        b"xcaf\xe9",
        "é".as_bytes(),
        "É".as_bytes(),
        "ß".as_bytes(),
        b"\xff",
        b"a",
        b"",
    ];
    let fixed: Vec<Vec<u8>> = fixed.iter().map(|key| key.to_vec()).collect();
    let case = case.ask("", &table, &fixed).ask("-u", &table, &fixed);
    case.ask("-u", &table, &questions(random))
}

fn syntax(kind: &str) -> Case {
    let mut case = Case::new(&format!("{kind}::syntax"));
    for table in [
        "{}",
        "{",
        "{{}}",
        "{/x/ y}",
        "{{/x/ y}}",
        "{{/x/}}",
        "{{/(x)/ $1}}",
        "{{/x/ {y}}}",
        "{{if /a/}{/x/ y}{endif}{/./ z}}",
        "{{!/x/ y}}",
        "{{/a{2}/ y}}",
        "{{/x/ y}",
        "{{/x/ y}}z",
        "{{/x/ y}z}",
        "{ { /x/i   y  z } , { /./ w } }",
        "/nonexistent",
        "",
    ] {
        case = case.ask("", &format!("{kind}:{table}"), &keys(["x", "ax", "X", "aa", "y", ""]));
    }
    case
}
