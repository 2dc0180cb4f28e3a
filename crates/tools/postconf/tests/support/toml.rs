//! Reads as much TOML as the case files use: tables, arrays of tables, strings, integers, arrays, inline tables.

use std::collections::BTreeMap;

pub(crate) type Table = BTreeMap<String, Value>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<Value>),
    Table(Table),
}

impl Value {
    pub(crate) fn text(&self) -> &str {
        match self {
            Value::Text(text) => text,
            other => panic!("not a text: {other:?}"),
        }
    }

    pub(crate) fn list(&self) -> &[Value] {
        match self {
            Value::List(list) => list,
            other => panic!("not a list: {other:?}"),
        }
    }

    pub(crate) fn table(&self) -> &Table {
        match self {
            Value::Table(table) => table,
            other => panic!("not a table: {other:?}"),
        }
    }
}

/// The `[[case]]` tables of a file; their `[[case.step]]` tables are a list under `step`.
pub(crate) fn cases(text: &str) -> Vec<Table> {
    let mut cases: Vec<Table> = Vec::new();
    let mut reader = Reader { text: text.chars().collect(), at: 0 };
    let mut place = "";
    loop {
        reader.skip_lines();
        let Some(char) = reader.peek() else { return cases };
        if char == '[' {
            let header = reader.until('\n');
            place = match header.trim() {
                "[[case]]" => {
                    cases.push(Table::new());
                    "case"
                }
                "[[case.step]]" => {
                    let steps =
                        cases.last_mut().unwrap().entry("step".into()).or_insert(Value::List(Vec::new()));
                    let Value::List(steps) = steps else { panic!() };
                    steps.push(Value::Table(Table::new()));
                    "step"
                }
                _ => "",
            };
            continue;
        }
        let (name, value) = reader.pair();
        let table = match place {
            "case" => cases.last_mut().unwrap(),
            "step" => match cases.last_mut().unwrap().get_mut("step") {
                Some(Value::List(steps)) => match steps.last_mut() {
                    Some(Value::Table(step)) => step,
                    _ => panic!(),
                },
                _ => panic!(),
            },
            _ => continue,
        };
        table.insert(name, value);
    }
}

struct Reader {
    text: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> char {
        self.at += 1;
        self.text[self.at - 1]
    }

    fn until(&mut self, end: char) -> String {
        let mut text = String::new();
        while let Some(char) = self.peek().filter(|&char| char != end) {
            text.push(char);
            self.at += 1;
        }
        text
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|char| char == ' ' || char == '\t') {
            self.at += 1;
        }
    }

    fn skip_lines(&mut self) {
        while let Some(char) = self.peek() {
            match char {
                '#' => drop(self.until('\n')),
                char if char.is_whitespace() => self.at += 1,
                _ => return,
            }
        }
    }

    fn pair(&mut self) -> (String, Value) {
        self.skip_blanks();
        let name = if self.peek() == Some('"') { self.value().text().to_owned() } else { self.until('=') };
        self.until('=');
        self.take();
        self.skip_blanks();
        (name.trim().to_owned(), self.value())
    }

    fn value(&mut self) -> Value {
        match self.peek().unwrap() {
            '"' => self.basic(),
            '\'' => self.literal(),
            '[' => {
                self.take();
                let mut list = Vec::new();
                loop {
                    self.skip_separators();
                    if self.peek() == Some(']') {
                        self.take();
                        return Value::List(list);
                    }
                    list.push(self.value());
                }
            }
            '{' => {
                self.take();
                let mut table = Table::new();
                loop {
                    self.skip_separators();
                    if self.peek() == Some('}') {
                        self.take();
                        return Value::Table(table);
                    }
                    let (name, value) = self.pair();
                    table.insert(name, value);
                }
            }
            _ => {
                let mut word = String::new();
                while let Some(char) = self.peek().filter(|char| char.is_alphanumeric() || *char == '-') {
                    word.push(char);
                    self.at += 1;
                }
                match word.as_str() {
                    "true" => Value::Flag(true),
                    "false" => Value::Flag(false),
                    number => Value::Number(number.parse().unwrap()),
                }
            }
        }
    }

    fn skip_separators(&mut self) {
        loop {
            self.skip_lines();
            if self.peek() != Some(',') {
                return;
            }
            self.take();
        }
    }

    fn basic(&mut self) -> Value {
        self.take();
        let mut text = String::new();
        loop {
            match self.take() {
                '"' => return Value::Text(text),
                '\\' => text.push(match self.take() {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'u' => {
                        let digits: String = (0..4).map(|_| self.take()).collect();
                        char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap()
                    }
                    other => other,
                }),
                other => text.push(other),
            }
        }
    }

    fn literal(&mut self) -> Value {
        let long: String = self.text[self.at..].iter().take(3).collect();
        let end = if long == "'''" { "'''" } else { "'" };
        self.at += end.len();
        let mut text = String::new();
        loop {
            let next: String = self.text[self.at..].iter().take(end.len()).collect();
            if next == end {
                self.at += end.len();
                return Value::Text(text.strip_prefix('\n').map_or(text.clone(), str::to_owned));
            }
            text.push(self.take());
        }
    }
}
