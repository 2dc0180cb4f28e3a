//! Tables of tables, and those with little behind them: `unionmap`, `pipemap`, `randmap`, `static`, `fail`,
//! `internal`.

use crate::cases::{Case, KEYS, Step, keys};
use crate::random::Random;

const LETTERS: &[&str] = &["a", "b", "c", "x", "1", "-", "_"];

fn inline(random: &mut Random) -> String {
    let mut pairs: Vec<_> = (0..20).map(|_| format!("{}={}", random.word(), random.word())).collect();
    // So that answers of one table are known to the next.
    pairs.extend(LETTERS.iter().map(|letter| format!("{letter}={}", random.pick(LETTERS))));
    format!("inline:{{{}}}", pairs.join(","))
}

fn part(random: &mut Random) -> String {
    match random.below(8) {
        0 => format!("static:{}", random.word()),
        1 => "static:{a b}".to_owned(),
        2 => "regexp:{{/^(.)x(.*)/ $1$2},{/^-/ a}}".to_owned(),
        3 => "pcre:{{/^(.)1(.*)/ $1$2}}".to_owned(),
        4 if random.one_in(3) => "cidr:{{1.2.3.4 a}}".to_owned(),
        _ => inline(random),
    }
}

/// Tables of which each often knows what the one before says.
fn pipeline(random: &mut Random, number: usize) -> Vec<String> {
    let one = |part: &str| part.to_owned();
    match number {
        0 => vec![inline(random)],
        1 => vec![inline(random), inline(random)],
        2 => vec![inline(random), one("regexp:{{/^(.)(.*)/ $1},{/./ x}}"), inline(random)],
        3 => vec![one("pcre:{{/^([a-z1])/ $1}}"), inline(random), one("static:{a b}")],
        4 => vec![one("unionmap:{static:1,inline:{a=b}}"), one("pcre:{{/,/ a} {/1/ b}}"), inline(random)],
        _ => vec![
            inline(random),
            one("pipemap:{inline:{a=b,b=c,x=a,1=1},inline:{b=a,c=x,1=c}}"),
            inline(random),
        ],
    }
}

fn questions(random: &mut Random) -> Vec<Vec<u8>> {
    let key = |random: &mut Random| match random.below(30) {
        0 => Vec::new(),
        1 => b"\xff".to_vec(),
        2 => "É".into(),
        3 => b"1.2.3.4".to_vec(),
        4..15 => random.pick(LETTERS).as_bytes().to_vec(),
        _ => {
            let word = random.word();
            random.case(&word).into_bytes()
        }
    };
    (0..KEYS).map(|_| key(random)).collect()
}

pub(crate) fn cases() -> Vec<Case> {
    let random = &mut Random::new(50);
    let mut cases = Vec::new();
    for kind in ["unionmap", "pipemap"] {
        for number in 0..6 {
            let mut parts: Vec<String> = (0..1 + number).map(|_| part(random)).collect();
            if kind == "pipemap" {
                parts = pipeline(random, number);
            } else if number == 4 {
                parts.push("unionmap:{static:1,inline:{a=b}}".to_owned());
            }
            let parts: Vec<String> = parts
                .iter()
                .map(|part| if part.contains(['{', ' ']) { part.replace(", ", ",") } else { part.clone() })
                .collect();
            let table = format!("{kind}:{{{}}}", parts.join([",", ", ", " "][number % 3]));
            let mut case = Case::new(&format!("{kind}::{number}")).ask("", &table, &questions(random));
            if number == 3 {
                case = case.ask_each(&table, &questions(random));
            }
            cases.push(case);
        }
        let mut case = Case::new(&format!("{kind}::syntax"));
        for table in [
            "",
            "{",
            "{}",
            "{ }",
            "static:a",
            "{static:a",
            "{static:a}x",
            "{static}",
            "{static:}",
            "{nosuch:a}",
            "{static:a,x}",
            "{static:a,fail:b}",
            "{fail:b,static:a}",
            "{inline:{a=b},inline:{b=c}}",
            "{{static:a}}",
            "{inline:{x=},static:b}",
            "{static:a,nosuch:b}",
            "{texthash:/nonexistent}",
            "{,static:a,}",
            "{static:a,,static:b}",
        ] {
            case = case.ask("", &format!("{kind}:{table}"), &keys(["a", "b", "x", ""]));
        }
        cases.push(case);
    }
    cases.push(few_words(random));
    let mut asked = Case::new("randmap::one").ask("", "randmap:{only}", &questions(random));
    asked = asked.ask_each("randmap:{only}", &questions(random));
    asked = asked.ask("", "randmap:{ {two words} }", &questions(random));
    for table in ["", "{", "{}", "{ }", "a", "{a", "{a}b", "{{a b}}", "{,}", "{a,a}"] {
        asked = asked.ask("", &format!("randmap:{table}"), &keys(["a", ""]));
    }
    cases.push(asked);
    cases.push(
        Case::new("fail::all")
            .ask("", "fail:x", &questions(random))
            .run("postmap -q a fail:x")
            .run("postmap -d a fail:x")
            .run("postmap -s fail:x")
            .run("postmap -q a fail:")
            .run("postmap -q a static:x fail:y")
            .run("postmap -q a inline:{x=y} fail:y"),
    );
    // A table of a process's own, which has nothing in it.
    cases.push(
        Case::new("internal::all")
            .ask("", "internal:x", &questions(random))
            .run("postmap -q a internal:x")
            .run("postmap -q a internal:")
            .run("postmap -s internal:x"),
    );
    cases
}

fn few_words(random: &mut Random) -> Case {
    let mut case = Case::new("static::all").ask("", "static:value", &questions(random));
    case = case.ask_each("static:value", &questions(random));
    case = case.ask("", "static:{ a \"quoted\" value }", &questions(random));
    for table in [
        "static:",
        "static:{",
        "static:{}",
        "static:{ }",
        "static:{a",
        "static:{a}b",
        "static:a b",
        "static:{{a}}",
        "static: a",
    ] {
        let words = ["postmap", "-q", "key", table].map(str::to_owned).to_vec();
        case = case.step(Step { words, stdin: vec![], environment: vec![], unordered: false });
    }
    // What is no table at all.
    for table in [
        "",
        ":",
        "nosuch:x",
        "static",
        ":x",
        "Static:x",
        "hash:/nonexistent",
        "btree:/nonexistent",
        "lmdb:/nonexistent",
        "texthash:/nonexistent",
        "texthash:/",
    ] {
        let words = ["postmap", "-q", "key", table].map(str::to_owned).to_vec();
        case = case.step(Step { words, stdin: vec![], environment: vec![], unordered: false });
    }
    case
}
