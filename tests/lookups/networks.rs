//! `cidr` tables.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::cases::{Case, KEYS, keys};
use crate::random::Random;

/// An address near others: its bits beyond the first few are few.
fn address(random: &mut Random) -> String {
    if random.one_in(4) {
        let high = [0x2001_0db8u128 << 96, 0, 0xfe80 << 112, 0xffff << 32][random.below(4)];
        let low = u128::from(random.next() & 0xff) << [0, 8, 32, 64][random.below(4)];
        return spelled(random, Ipv6Addr::from_bits(high | low));
    }
    let high = [0x0a00_0000u32, 0xc0a8_0000, 0xac10_0000, 0, 0xffff_0000][random.below(5)];
    let low = (random.next() as u32 & 0x3f) << [0, 4, 10, 18][random.below(4)];
    Ipv4Addr::from_bits(high | low).to_string()
}

fn spelled(random: &mut Random, address: Ipv6Addr) -> String {
    let groups = address.segments();
    match random.below(4) {
        0 => groups.map(|group| format!("{group:x}")).join(":"),
        1 => groups.map(|group| format!("{group:04X}")).join(":"),
        _ => address.to_string(),
    }
}

/// A network that is well written.
fn network(random: &mut Random) -> String {
    let text = address(random);
    let (text, length) = if let Ok(address) = text.parse::<Ipv4Addr>() {
        let length = random.below(33) as u32;
        let bits = address.to_bits() & u32::MAX.checked_shl(32 - length).unwrap_or(0);
        (Ipv4Addr::from_bits(bits).to_string(), length)
    } else {
        let length = random.below(129) as u32;
        let bits = text.parse::<Ipv6Addr>().expect("an address").to_bits();
        let bits = bits & u128::MAX.checked_shl(128 - length).unwrap_or(0);
        (spelled(random, Ipv6Addr::from_bits(bits)), length)
    };
    match random.below(6) {
        0 => format!("[{text}]/{length}"),
        1 => format!("[{text}/{length}]"),
        2 if length == 32 || length == 128 => text,
        _ => format!("{text}/{length}"),
    }
}

/// One that is not.
fn bad_network(random: &mut Random) -> String {
    let good = address(random);
    match random.below(12) {
        0 => format!("{good}/{}", random.below(250)),
        1 => format!("{good}/"),
        2 => format!("{good}/x"),
        3 => format!("{good}/-1"),
        4 => format!("[{good}"),
        5 => format!("[{good}]x"),
        6 => format!("[{good}]/8x"),
        7 => good.replace('.', ".0"),
        8 => format!("{good}."),
        9 => "example.com".to_owned(),
        10 => format!("{good}/8/8"),
        _ => good.get(1..).unwrap_or_default().to_owned(),
    }
}

fn tidy_file(random: &mut Random, count: usize) -> String {
    (0..count).map(|line| format!("{}\trule {line}\n", network(random))).collect()
}

fn weird_file(random: &mut Random, count: usize) -> String {
    let mut depth = 0;
    let mut text = String::new();
    for line in 0..count {
        let not = random.pick(&["", "", "", "", "!", "! ", "!!", " ! !"]);
        let network = if random.one_in(6) { bad_network(random) } else { network(random) };
        let word = |random: &mut Random, word: &str| random.case(word);
        text.push_str(&match random.below(16) {
            0 | 1 => {
                depth += 1;
                format!("{} {not}{network}\n", word(random, "if"))
            }
            2 | 3 if depth > 0 || random.one_in(8) => {
                depth -= 1;
                let rest = random.pick(&["", "", "", " ", "x", " x"]);
                format!("{}{rest}\n", word(random, "endif"))
            }
            4 => format!("{not}{network}\n"),
            5 => format!("{not}{network}   \n"),
            6 => format!("{network}\n    rule {line}\n"),
            7 => format!("# {network}\n\n"),
            8 => format!("if{network} {line}\n"),
            9 => random
                .pick(&["if\n", "if !\n", "!\n", "! rule\n", "endif x\n", "iff 1.2.3.4\n", "IF/x/\n"])
                .to_owned(),
            _ => format!("{}{network} rule {line}\n", not.trim_start()),
        });
        depth = depth.max(0);
    }
    text
}

fn questions(random: &mut Random) -> Vec<Vec<u8>> {
    let mut questions = Vec::new();
    for _ in 0..KEYS {
        let address = address(random);
        questions.push(match random.below(30) {
            0 => random.domain(),
            1 => format!("{address}/32"),
            2 => format!(" {address}"),
            3 => format!("{address} "),
            4 => format!("[{address}]"),
            5 => address.replace('.', ".0"),
            6 => format!("::{address}"),
            7 => format!("::ffff:{address}"),
            8 => random
                .pick(&[
                    "",
                    "::",
                    "::1",
                    "1",
                    "1.2.3",
                    "1.2.3.4.5",
                    "256.1.1.1",
                    ":",
                    ":::",
                    "1::2::3",
                    "::g",
                ])
                .to_owned(),
            9 => random
                .pick(&[
                    "1:2:3:4:5:6:7::",
                    "::2:3:4:5:6:7:8",
                    "1:2:3:4:5:6:7:8:9",
                    "fe80::1%lo",
                    "::00001",
                    "0x0a.1.1.1",
                ])
                .to_owned(),
            _ => address,
        });
    }
    keys(questions)
}

pub(crate) fn cases() -> Vec<Case> {
    let random = &mut Random::new(30);
    let mut cases = vec![
        Case::new("cidr::tidy")
            .file("table", tidy_file(random, 400))
            .ask("", "cidr:@/table", &questions(random))
            .ask_each("cidr:@/table", &questions(random)),
        Case::new("cidr::large").file("table", tidy_file(random, 5000)).ask(
            "",
            "cidr:@/table",
            &questions(random),
        ),
    ];
    for number in 0..8 {
        let file = weird_file(random, 60 + 40 * number);
        let case = Case::new(&format!("cidr::weird{number}")).file("table", file);
        cases.push(case.ask("", "cidr:@/table", &questions(random)));
    }
    let mut case = Case::new("cidr::syntax");
    for table in [
        "cidr:{}",
        "cidr:{ }",
        "cidr:{",
        "cidr:{{}}",
        "cidr:{1.2.3.4 x}",
        "cidr:{{1.2.3.4 x}}",
        "cidr:{{1.2.3.4}}",
        "cidr:{{if 1.2.0.0/16},{1.2.3.4 x},{endif},{0.0.0.0/0 y}}",
        "cidr:{{!1.2.3.4 x} {::/0 six}}",
        "cidr:{{1.2.3.4 x}",
        "cidr:{{1.2.3.4 x}}y",
        "cidr:{{1.2.3.4 x}y}",
        "cidr:{{endif}}",
        "cidr:{{if 1.2.3.4}}",
        "cidr:{ {  1.2.3.4   a  b } }",
        "cidr:{{1.2.3.4 x\\}}}",
        "cidr:/nonexistent",
        "cidr:",
        "cidr:relative",
    ] {
        case = case.ask("", table, &keys(["1.2.3.4", "1.2.3.5", "::1", "x", ""]));
    }
    cases.push(case);
    cases
}
