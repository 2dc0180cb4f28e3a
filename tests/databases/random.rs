//! Keys that nobody would think of, the same ones every time.

/// A generator of numbers.
pub(crate) struct Random(u64);

/// What hostile and honest keys are made of.
const PIECES: &[&str] = &[
    "a",
    "b",
    "Z",
    "0",
    "9",
    ".",
    "@",
    "-",
    "_",
    "+",
    "'",
    "''",
    "\"",
    "\\",
    "\\'",
    "%",
    "%s",
    "%%",
    "_",
    "`",
    "--",
    "/*",
    "*/",
    ";",
    " ",
    "\t",
    "\0",
    "\u{1}",
    "\u{1a}",
    "\u{7f}",
    "ü",
    "ß",
    "İ",
    "日本",
    "😀",
    "\u{300}",
    "$",
    "$1",
    "example.com",
    "user",
    "admin",
    "' OR '1'='1",
    "'; DROP TABLE alias; --",
    "\\0",
    "\r",
    "(",
    ")",
    "=",
    "<",
    ">",
    "!",
];

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit
    }

    /// A key in the form in which tables get it.
    pub(crate) fn folded(&mut self) -> String {
        let key = table::casefold(self.key().as_bytes(), table::Utf8::Enabled);
        String::from_utf8(key).expect("UTF-8")
    }

    /// A key of some pieces, without what separates the lines of standard input.
    pub(crate) fn key(&mut self) -> String {
        loop {
            let count = 1 + self.below(6);
            let local: String = (0..count).map(|_| PIECES[self.below(PIECES.len())]).collect();
            let key = match self.below(3) {
                0 => local,
                1 => format!("{local}@example.com"),
                _ => format!("{local}@{}.example.org", PIECES[self.below(PIECES.len())]),
            };
            // The reference takes a NUL, or a return at the end of a line, for the end of the key.
            if !key.contains(['\0', '\n', '\r']) && !key.trim().is_empty() {
                return key;
            }
        }
    }
}
