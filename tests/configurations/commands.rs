//! The commands that are run on every configuration.

/// Options and arguments that both systems know.
pub(crate) const BOTH: &[&str] = &[
    "",
    "-f",
    "-x",
    "-H",
    "-d",
    "-df",
    "-dx",
    "-n",
    "-nf",
    "-nx",
    "-nxf",
    "-nH",
    "-C builtin",
    "-C service",
    "-C user",
    "-nC user",
    "-M",
    "-Mf",
    "-Mx",
    "-Mxf",
    "-F",
    "-Ff",
    "-Fh",
    "-FH",
    "-Fx",
    "-P",
    "-Pf",
    "-Px",
    "-Ph",
    "-PH",
    "-o relayhost=[override.example] relayhost",
    "-n -o relayhost=override -o one=2",
    "-M -o relayhost=override",
    "-h mydomain myhostname mynetworks mydestination no_such_name",
];

/// What only ours knows, or what is not worth comparing, for [`crate::relations`].
pub(crate) const OURS: &[&str] = &[
    "-q",
    "-nq",
    "-Pq",
    "-j",
    "-nj",
    "-xj",
    "-Mj",
    "-Mxj",
    "-Fj",
    "-Pj",
    "-h",
    "-nh",
    "-PPC user",
    "-PPx */*/forward_path",
];

/// How a command shows values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Written,
    /// With `$name` expanded.
    Expanded,
}

/// How this command shows values.
pub(crate) fn shown(command: &str) -> Shown {
    let mut words = command.split(' ').skip_while(|word| *word != "postconf").skip(1);
    let expands = |word: &str| word.starts_with('-') && !word.contains('=') && word.contains('x');
    if words.any(expands) { Shown::Expanded } else { Shown::Written }
}
