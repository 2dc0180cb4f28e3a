//! What the system knows: `unix` and `environ`.

use crate::cases::{Case, KEYS, Step};
use crate::random::Random;

const NAMES: &[&str] = &[
    "root", "alice", "bob", "daemon", "mail", "postfix", "postdrop", "nobody", "vmail", "adm", "Root",
    "ALICE",
];

fn questions(random: &mut Random, names: &[&str]) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..KEYS {
        match random.below(12) {
            0 => text.extend_from_slice(random.word().as_bytes()),
            1 => text.extend_from_slice(b"\xff"),
            2 => text.extend_from_slice("É".as_bytes()),
            3 => {}
            4 => text.extend_from_slice(b"0"),
            _ => text.extend_from_slice(random.pick(names).as_bytes()),
        }
        text.push(b'\n');
    }
    text
}

pub(crate) fn cases() -> Vec<Case> {
    let random = &mut Random::new(60);
    let step = |table: &str, options: &[&str], stdin: Vec<u8>, environment: &[(&str, &str)]| {
        let words = [&["postmap"], options, &["-q", "-", table]].concat();
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Step { words: words.into_iter().map(str::to_owned).collect(), stdin, environment, unordered: false }
    };
    let variables =
        [("foo", "bar"), ("FOO", "upper"), ("empty", ""), ("a b", "blank"), ("é", "accent"), ("x", "1=2")];
    let names = ["foo", "FOO", "Foo", "empty", "a b", "é", "x", "PATH", "path", "TZ", "LC_ALL"];
    let each = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
    vec![
        Case::new("unix::each")
            .ask_each("unix:passwd.byname", &each(NAMES))
            .ask_each("unix:group.byname", &each(NAMES))
            .ask_each("environ:x", &each(&names)),
        Case::new("unix::passwd")
            .step(step("unix:passwd.byname", &[], questions(random, NAMES), &[]))
            .step(step("unix:passwd.byname", &["-f"], questions(random, NAMES), &[])),
        Case::new("unix::group").step(step("unix:group.byname", &[], questions(random, NAMES), &[])),
        Case::new("unix::other")
            .run("postmap -q root unix:hosts.byname")
            .run("postmap -q root unix:")
            .run("postmap -s unix:passwd.byname"),
        Case::new("environ::all")
            .step(step("environ:x", &[], questions(random, &names), &variables))
            .step(step("environ:x", &["-f"], questions(random, &names), &variables))
            .step(step("environ:x", &["-u"], questions(random, &names), &variables)),
    ]
}
