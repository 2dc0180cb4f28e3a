//! The command line.

use std::ffi::OsString;

use command::{Fatal, Getopt, Invocation, fatal};

use crate::instance::Selection;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `-l`: list instances.
    List,
    /// `-p`: a command of postfix(1) for each.
    Postfix,
    /// `-x`: any command for each.
    Command,
    /// `-e`: change one instance.
    Edit(Action),
}

/// What `-e` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Destroy,
    Import,
    Deport,
    Enable,
    Disable,
    Assign,
    Init,
}

impl Action {
    const ALL: [Self; 8] = [
        Self::Create,
        Self::Destroy,
        Self::Import,
        Self::Deport,
        Self::Enable,
        Self::Disable,
        Self::Assign,
        Self::Init,
    ];

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Destroy => "destroy",
            Self::Import => "import",
            Self::Deport => "deport",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Assign => "assign",
            Self::Init => "init",
        }
    }

    fn parse(text: &str) -> Result<Self, Fatal> {
        Self::ALL.into_iter().find(|action| action.name() == text).ok_or_else(|| {
            fatal!(
                "Invalid '-e' edit action '{text}'. Specify 'create', 'destroy', 'import', 'deport', 'enable', \
                 'disable', 'assign' or 'init'"
            )
        })
    }

    /// Whether it adds an instance.
    pub(crate) fn adds(self) -> bool {
        matches!(self, Self::Create | Self::Import)
    }

    /// Whether it gives an instance a name or a group.
    fn assigns(self) -> bool {
        self.adds() || self == Self::Assign
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    /// Which instances; none given is all of them, or nothing to put a new one before.
    pub(crate) selection: Option<Selection>,
    /// `-I`: a new name; empty for none.
    pub(crate) name: Option<String>,
    /// `-G`: a new group; empty for none.
    pub(crate) group: Option<String>,
    /// `-R`.
    pub(crate) is_reverse: bool,
    /// `-j`.
    pub(crate) is_json: bool,
    /// What follows the options.
    pub(crate) rest: Vec<OsString>,
}

impl Options {
    /// Reads the command line and refuses what contradicts itself.
    pub(crate) fn parse(invocation: &Invocation) -> Result<Self, Fatal> {
        let mut modes: Vec<Mode> = Vec::new();
        let mut selections: Vec<Selection> = Vec::new();
        let (mut name, mut group) = (None, None);
        let (mut is_reverse, mut is_json) = (false, false);
        let mut choices = Getopt::new(invocation, "ae:g:i:jG:I:lpRvx");
        for choice in choices.by_ref() {
            let Ok(choice) = choice else { return Err(usage(&invocation.name)) };
            match choice.letter {
                'a' if selections.last() == Some(&Selection::All) => {}
                'a' => selections.push(Selection::All),
                'g' => selections.push(Selection::Group(choice.text())),
                'i' => selections.push(Selection::Name(choice.text())),
                'G' => assign(&mut group, &choice.text(), 'G')?,
                'I' => assign(&mut name, &choice.text(), 'I')?,
                'e' => add(&mut modes, Mode::Edit(Action::parse(&choice.text())?)),
                'l' => add(&mut modes, Mode::List),
                'p' => add(&mut modes, Mode::Postfix),
                'x' => add(&mut modes, Mode::Command),
                'R' => is_reverse = !is_reverse,
                'j' => is_json = true,
                _ => {
                    log::set_verbose(log::verbose().saturating_add(1));
                    sys::identity::change_environment([("MAIL_VERBOSE", Some(""))]);
                }
            }
        }
        if selections.len() > 1 {
            // COMPAT: the word is misspelt in Postfix as well; `tool::instances::contradictions`.
            return Err(fatal!("Specity no more than one of '-a', '-g', '-i'"));
        }
        let [mode] = modes[..] else {
            return Err(fatal!("Specify exactly one of '-e', '-l', '-p', '-x'"));
        };
        let rest = choices.rest().to_vec();
        let options = Self { mode, selection: selections.pop(), name, group, is_reverse, is_json, rest };
        options.check().map(|()| options)
    }

    fn check(&self) -> Result<(), Fatal> {
        let has_rest = !self.rest.is_empty();
        let assigns = self.name.is_some() || self.group.is_some();
        match self.mode {
            Mode::List if has_rest => return Err(fatal!("Command not allowed with '-l'")),
            Mode::Postfix | Mode::Command if !has_rest => {
                return Err(fatal!("Command required with '-p' or '-x' option"));
            }
            Mode::Postfix | Mode::Edit(_) if self.is_reverse => {
                return Err(fatal!("The '-p' and '-e' options preclude the use of '-R'"));
            }
            Mode::Edit(action) => self.check_edit(action, assigns)?,
            _ if assigns => return Err(fatal!("Cannot assign instance name or group without '-e assign'")),
            _ => {}
        }
        if self.is_json && self.mode != Mode::List {
            return Err(fatal!("JSON output available only with '-l'"));
        }
        Ok(())
    }

    fn check_edit(&self, action: Action, assigns: bool) -> Result<(), Fatal> {
        let name = action.name();
        if assigns && !action.assigns() {
            return Err(fatal!("Cannot assign instance name or group with '-e {name}'"));
        }
        if action == Action::Assign && !assigns {
            return Err(fatal!("Specify new instance name or group with '-e {name}'"));
        }
        if !self.rest.is_empty() && !action.adds() {
            return Err(fatal!("Parameter overrides not valid with '-e {name}'"));
        }
        Ok(())
    }
}

fn add(modes: &mut Vec<Mode>, mode: Mode) {
    if modes.last() != Some(&mode) {
        modes.push(mode);
    }
}

fn assign(target: &mut Option<String>, value: &str, letter: char) -> Result<(), Fatal> {
    if target.is_some() {
        return Err(fatal!("Specify at most one '-{letter}' option"));
    }
    *target = Some(if value == "-" { String::new() } else { value.to_owned() });
    Ok(())
}

fn usage(name: &str) -> Fatal {
    fatal!(
        "Usage:{name} -l [-v] [-a] [-g group] [-i instance] | {name} -p [-v] [-a] [-g group] [-i instance] command... \
         | {name} -x [-v] [-a] [-i name] [-g group] command... | {name} -e action [-v] [-a] [-i name] [-g group] \
         [-I name] [-G group] [param=value ...]"
    )
}
