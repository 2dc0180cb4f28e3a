//! What the options ask for, and which of them exclude one another.

use command::{Fatal, fatal};
use std::ops::{BitOr, BitOrAssign};

/// A set of options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mode(u32);

/// Every option with a mode of its own, in the order in which messages list them.
const OPTIONS: &[(&str, Mode)] = &[
    ("-a", Mode::SASL_SERVER),
    ("-A", Mode::SASL_CLIENT),
    ("-b", Mode::EXPAND_TEMPLATES),
    ("-C", Mode::CLASS),
    ("-d", Mode::DEFAULTS),
    ("-e", Mode::EDIT),
    ("-f", Mode::FOLD),
    ("-F", Mode::FIELDS),
    ("-h", Mode::NO_NAME),
    ("-H", Mode::NO_VALUE),
    ("-j", Mode::JSON),
    ("-l", Mode::LOCKS),
    ("-m", Mode::MAPS),
    ("-M", Mode::ENTRIES),
    ("-n", Mode::NON_DEFAULTS),
    ("-o", Mode::OVERRIDE),
    ("-p", Mode::MAIN),
    ("-P", Mode::SERVICE_PARAMETERS),
    ("-t", Mode::DUMP_TEMPLATES),
    ("-T", Mode::TLS),
    ("-x", Mode::EXPAND),
    ("-X", Mode::EXCLUDE),
    ("-#", Mode::COMMENT),
    ("-PP", Mode::MERGED_PARAMETERS),
];

impl Mode {
    pub(crate) const NON_DEFAULTS: Mode = Mode(1);
    pub(crate) const DEFAULTS: Mode = Mode(1 << 1);
    pub(crate) const NO_NAME: Mode = Mode(1 << 2);
    pub(crate) const MAPS: Mode = Mode(1 << 3);
    pub(crate) const EDIT: Mode = Mode(1 << 4);
    pub(crate) const LOCKS: Mode = Mode(1 << 5);
    pub(crate) const EXPAND: Mode = Mode(1 << 6);
    pub(crate) const SASL_SERVER: Mode = Mode(1 << 7);
    pub(crate) const SASL_CLIENT: Mode = Mode(1 << 8);
    pub(crate) const COMMENT: Mode = Mode(1 << 9);
    pub(crate) const ENTRIES: Mode = Mode(1 << 10);
    pub(crate) const FOLD: Mode = Mode(1 << 11);
    pub(crate) const EXCLUDE: Mode = Mode(1 << 12);
    pub(crate) const FIELDS: Mode = Mode(1 << 13);
    pub(crate) const MAIN: Mode = Mode(1 << 14);
    pub(crate) const EXPAND_TEMPLATES: Mode = Mode(1 << 15);
    pub(crate) const CLASS: Mode = Mode(1 << 16);
    pub(crate) const OVERRIDE: Mode = Mode(1 << 17);
    pub(crate) const DUMP_TEMPLATES: Mode = Mode(1 << 18);
    pub(crate) const SERVICE_PARAMETERS: Mode = Mode(1 << 19);
    pub(crate) const NO_VALUE: Mode = Mode(1 << 20);
    pub(crate) const TLS: Mode = Mode(1 << 21);
    pub(crate) const JSON: Mode = Mode(1 << 23);
    pub(crate) const MERGED_PARAMETERS: Mode = Mode(1 << 24);

    /// About master.cf.
    pub(crate) const MASTER: Mode = Mode::all(&[Mode::ENTRIES, Mode::FIELDS, Mode::SERVICE_PARAMETERS]);
    /// Changes a file.
    pub(crate) const CHANGE: Mode = Mode::all(&[Mode::EDIT, Mode::COMMENT, Mode::EXCLUDE]);
    /// One of these at a time; without any, it is `-p`.
    pub(crate) const MAJOR: Mode = Mode::all(&[
        Mode::SASL_SERVER,
        Mode::SASL_CLIENT,
        Mode::EXPAND_TEMPLATES,
        Mode::LOCKS,
        Mode::MAPS,
        Mode::DUMP_TEMPLATES,
        Mode::MAIN,
        Mode::MASTER,
        Mode::TLS,
    ]);

    const fn all(modes: &[Mode]) -> Mode {
        let mut bits = 0;
        let mut at = 0;
        while at < modes.len() {
            bits |= modes[at].0;
            at += 1;
        }
        Mode(bits)
    }

    /// Whether any of these was given.
    pub(crate) fn has(self, any: Mode) -> bool {
        self.0 & any.0 != 0
    }

    /// Without these.
    pub(crate) fn without(self, other: Mode) -> Mode {
        Mode(self.0 & !other.0)
    }

    /// Notes an option; letters without a mode of their own do nothing.
    pub(crate) fn add(&mut self, letter: char) {
        if letter == 'P' && self.has(Mode::SERVICE_PARAMETERS) {
            *self |= Mode::MERGED_PARAMETERS;
        }
        let find = |(name, _): &&(&str, Mode)| name.len() == 2 && name.ends_with(letter);
        // -C only chooses; giving it excludes nothing.
        if let Some((_, mode)) = OPTIONS.iter().find(find).filter(|_| letter != 'C') {
            *self |= *mode;
        }
    }

    /// Refuses options that exclude one another, or that mean nothing together.
    pub(crate) fn check(self) -> Result<(), Fatal> {
        for set in EXCLUSIVE {
            let given = Mode(self.0 & Mode::all(set).0);
            if given.0.count_ones() > 1 {
                return Err(fatal!("specify one of {}", given.text(", ")));
            }
        }
        for (option, companions) in COMPATIBLE {
            let excess = self.without(Mode::all(companions) | *option);
            if self.has(*option) && excess.0 != 0 {
                return Err(fatal!("with option {}, do not specify {}", option.text(" "), excess.text(" ")));
            }
        }
        Ok(())
    }

    fn text(self, separator: &str) -> String {
        let names: Vec<&str> =
            OPTIONS.iter().filter(|(_, mode)| self.has(*mode)).map(|(name, _)| *name).collect();
        names.join(separator)
    }
}

impl BitOr for Mode {
    type Output = Mode;

    fn bitor(self, other: Mode) -> Mode {
        Mode(self.0 | other.0)
    }
}

impl BitOrAssign for Mode {
    fn bitor_assign(&mut self, other: Mode) {
        self.0 |= other.0;
    }
}

const EXCLUSIVE: &[&[Mode]] = &[
    &[Mode::MAJOR],
    &[Mode::MERGED_PARAMETERS, Mode::CHANGE],
    &[Mode::DEFAULTS, Mode::NON_DEFAULTS, Mode::CHANGE],
    &[Mode::FOLD, Mode::CHANGE],
    &[Mode::EXPAND, Mode::CHANGE],
    &[Mode::OVERRIDE, Mode::DEFAULTS, Mode::CHANGE],
    &[Mode::NO_NAME, Mode::CHANGE, Mode::NO_VALUE],
];

/// Options, and the only ones that make sense beside them.
const COMPATIBLE: &[(Mode, &[Mode])] = &[
    (Mode::SASL_SERVER, &[]),
    (Mode::SASL_CLIENT, &[]),
    (Mode::EXPAND_TEMPLATES, &[]),
    (Mode::LOCKS, &[]),
    (Mode::MAPS, &[]),
    (Mode::TLS, &[]),
    (Mode::DUMP_TEMPLATES, &[]),
    (
        Mode::MAIN,
        &[
            Mode::CHANGE,
            Mode::FOLD,
            Mode::NO_NAME,
            Mode::CLASS,
            Mode::EXPAND,
            Mode::DEFAULTS,
            Mode::NON_DEFAULTS,
            Mode::OVERRIDE,
            Mode::NO_VALUE,
            Mode::JSON,
        ],
    ),
    (Mode::ENTRIES, &[Mode::CHANGE, Mode::FOLD, Mode::OVERRIDE, Mode::EXPAND, Mode::JSON]),
    (
        Mode::FIELDS,
        &[Mode::EDIT, Mode::FOLD, Mode::NO_NAME, Mode::OVERRIDE, Mode::EXPAND, Mode::NO_VALUE, Mode::JSON],
    ),
    (
        Mode::SERVICE_PARAMETERS,
        &[
            Mode::EDIT,
            Mode::EXCLUDE,
            Mode::FOLD,
            Mode::NO_NAME,
            Mode::OVERRIDE,
            Mode::EXPAND,
            Mode::NO_VALUE,
            Mode::JSON,
            Mode::MERGED_PARAMETERS,
        ],
    ),
    (
        Mode::MERGED_PARAMETERS,
        &[
            Mode::FOLD,
            Mode::NO_NAME,
            Mode::OVERRIDE,
            Mode::EXPAND,
            Mode::NO_VALUE,
            Mode::JSON,
            Mode::SERVICE_PARAMETERS,
        ],
    ),
    (
        Mode::JSON,
        &[
            Mode::MAIN,
            Mode::MASTER,
            // COMPAT: not -PP, though the line above allows -j with it; Postfix refuses the two together.
            Mode::OVERRIDE,
            Mode::EXPAND,
            Mode::NON_DEFAULTS,
            Mode::DEFAULTS,
        ],
    ),
    (Mode::CLASS, &[Mode::MAIN, Mode::DEFAULTS, Mode::NON_DEFAULTS]),
];

/// Which parameters to show, by where their names come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) builtin: bool,
    pub(crate) service: bool,
    pub(crate) user: bool,
}

impl Default for Class {
    fn default() -> Class {
        Class { builtin: true, service: true, user: true }
    }
}

impl Class {
    /// The argument of `-C`.
    pub(crate) fn parse(text: &str) -> Result<Class, Fatal> {
        let mut class = Class { builtin: false, service: false, user: false };
        for word in bytes::list::split(text, bytes::list::SEPARATORS) {
            match word.to_ascii_lowercase().as_str() {
                "builtin" => class.builtin = true,
                "service" => class.service = true,
                "user" => class.user = true,
                "all" => class = Class::default(),
                _ => return Err(fatal!("unknown -C option value \"{word}\" in \"{text}\"")),
            }
        }
        Ok(class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(letters: &str) -> Result<(), String> {
        let mut mode = Mode::default();
        letters.chars().for_each(|letter| mode.add(letter));
        if !mode.has(Mode::MAJOR) {
            mode |= Mode::MAIN;
        }
        mode.check().map_err(|fatal| fatal.text)
    }

    #[test]
    fn combinations() {
        assert_eq!(check("nxfh"), Ok(()));
        assert_eq!(check("Mf"), Ok(()));
        assert_eq!(check("PPx"), Ok(()));
        assert_eq!(check("de"), Err("specify one of -d, -e".to_owned()));
        assert_eq!(check("mM"), Err("specify one of -m, -M".to_owned()));
        assert_eq!(check("Mn"), Err("with option -M, do not specify -n".to_owned()));
        assert_eq!(check("ad"), Err("with option -a, do not specify -d".to_owned()));
    }

    #[test]
    fn classes() {
        assert_eq!(Class::parse("User").unwrap(), Class { builtin: false, service: false, user: true });
        assert_eq!(Class::parse("all").unwrap(), Class::default());
        assert_eq!(Class::parse("x,user").unwrap_err().text, "unknown -C option value \"x\" in \"x,user\"");
    }
}
