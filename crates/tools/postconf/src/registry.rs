//! Every valid name: declared parameters, those that follow from the services of master.cf, and the user's own.

use crate::entry::Entry;
use crate::lookup::Files;
use crate::mode::{Class, Mode};
use command::{Fatal, fatal};
use conf::lines::{LogicalLines, split_name_value};
use conf::{Kind, MainCf, Spec, params, reason};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The configuration, and all that is known about names in it.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) mode: Mode,
    pub(crate) is_quiet: bool,
    pub(crate) files: Files,
    pub(crate) main: MainCf,
    pub(crate) nodes: BTreeMap<String, Node>,
    pub(crate) entries: Vec<Entry>,
    /// The `-o` settings of services by `name/type`; entries of the same name share them.
    pub(crate) settings: HashMap<String, BTreeMap<String, String>>,
    /// Database client configurations that were looked at.
    pub(crate) clients: BTreeSet<String>,
}

/// A valid name.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) origin: Origin,
    default: Default,
    /// The value is not expanded.
    pub(crate) is_raw: bool,
    /// Programs set it themselves.
    pub(crate) is_read_only: bool,
}

/// Where a name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Declared.
    Builtin,
    /// Made of the name of a service.
    Service,
    /// The user's.
    User,
    /// An earlier name of a declared parameter, not set.
    Legacy,
}

#[derive(Debug, Clone)]
enum Default {
    Declared(&'static Spec),
    /// The value of this parameter.
    SameAs(&'static str),
    Text(String),
}

/// What a missing file means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Fatal,
    Warning,
}

impl Class {
    /// Whether names of this origin are wanted.
    pub(crate) fn has(self, origin: Origin) -> bool {
        match origin {
            Origin::Builtin => self.builtin,
            Origin::Service => self.service,
            Origin::User => self.user,
            Origin::Legacy => false,
        }
    }
}

impl Registry {
    /// All declared names; nothing set. `program` is the name of this program.
    pub(crate) fn new(mode: Mode, program: &str, is_quiet: bool) -> Registry {
        let files = Files::find();
        let mut main = MainCf::empty(std::path::Path::new(&files.directory));
        if !files.is_given {
            main.unset("config_directory");
        }
        let mut nodes = BTreeMap::new();
        for declaration in params::all() {
            let node = Node {
                origin: Origin::Builtin,
                default: Default::Declared(declaration.spec),
                is_raw: declaration.kind == Kind::Raw,
                is_read_only: false,
            };
            nodes.insert(declaration.name.to_owned(), node);
        }
        for legacy in params::legacy::NAMES {
            nodes.insert(legacy.name.to_owned(), Node::new(Origin::Legacy, Default::Text(String::new())));
        }
        for (name, text) in
            [("process_name", program.to_owned()), ("process_id", std::process::id().to_string())]
        {
            let node = Node { is_read_only: true, ..Node::new(Origin::Builtin, Default::Text(text)) };
            nodes.insert(name.to_owned(), node);
        }
        Registry {
            mode,
            is_quiet,
            files,
            main,
            nodes,
            entries: Vec::new(),
            settings: HashMap::new(),
            clients: BTreeSet::new(),
        }
    }

    /// Reads main.cf, and sets what the command line says.
    pub(crate) fn read_main(&mut self, overrides: &[String]) -> Result<(), Fatal> {
        self.main.read_file(&self.files.main.clone())?;
        for text in overrides {
            match split_name_value(text) {
                Ok((name, value)) => self.main.set(name, value),
                Err(problem) => return Err(fatal!("invalid parameter override: {text}: {problem}")),
            }
        }
        Ok(())
    }

    /// Reads master.cf.
    pub(crate) fn read_master(&mut self, missing: Missing) -> Result<(), Fatal> {
        let path = self.files.master.display().to_string();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if missing == Missing::Warning => {
                log::warning!("open {path}: {}", reason(&error));
                return Ok(());
            }
            Err(error) => return Err(fatal!("open {path}: {}", reason(&error))),
        };
        for line in LogicalLines::new(&path, &text) {
            match Entry::parse(&bytes::escape::to_text(&line.text))? {
                Ok(entry) => self.entries.push(entry),
                Err(problem) => return Err(fatal!("file {path}: line {}: {problem}", line.first)),
            }
        }
        Ok(())
    }

    /// Adds the parameters that are named after services.
    pub(crate) fn add_service_parameters(&mut self) {
        for entry in &self.entries {
            let suffixes = match entry.field(crate::pattern::COMMAND) {
                "local" | "error" | "virtual" | "smtp" | "lmtp" => TRANSPORT,
                "pipe" => PIPE,
                "spawn" => TIME_LIMIT,
                _ => continue,
            };
            for (suffix, default) in suffixes {
                // Some have defaults of their own, and are declared; they belong to services all the same.
                self.nodes
                    .entry(format!("{}{suffix}", entry.field(0)))
                    .or_insert_with(|| Node::new(Origin::Service, Default::SameAs(default)))
                    .origin = Origin::Service;
            }
        }
    }

    /// Adds a name of the user's.
    pub(crate) fn add_user_name(&mut self, name: &str) {
        self.nodes
            .entry(name.to_owned())
            .or_insert_with(|| Node::new(Origin::User, Default::Text(String::new())));
    }

    /// The default value of a name.
    pub(crate) fn default_of(&self, node: &Node) -> Result<String, Fatal> {
        match &node.default {
            Default::Text(text) => Ok(text.clone()),
            Default::SameAs(name) => Ok(format!("${name}")),
            Default::Declared(spec) => match self.main.default_of(spec) {
                // Of the networks' style, as it is when main.cf does not set that.
                Err(conf::Error::Expansion { .. }) if !self.main.is_set("mynetworks_style") => {
                    Err(fatal!("macro processing error"))
                }
                default => Ok(default?),
            },
        }
    }

    /// The `-o` settings that an entry shares with others of its name.
    pub(crate) fn settings_of(&self, entry: &Entry) -> Option<&BTreeMap<String, String>> {
        self.settings.get(&entry.name).filter(|_| entry.valid.is_some())
    }
}

impl Node {
    fn new(origin: Origin, default: Default) -> Node {
        Node { origin, default, is_raw: false, is_read_only: false }
    }
}

const TIME_LIMIT: &[(&str, &str)] = &[("_time_limit", "command_time_limit")];

const PIPE: &[(&str, &str)] = &[
    ("_time_limit", "command_time_limit"),
    ("_recipient_limit", "default_recipient_limit"),
    ("_extra_recipient_limit", "default_extra_recipient_limit"),
    ("_recipient_refill_limit", "default_recipient_refill_limit"),
    ("_recipient_refill_delay", "default_recipient_refill_delay"),
    ("_delivery_slot_cost", "default_delivery_slot_cost"),
    ("_delivery_slot_loan", "default_delivery_slot_loan"),
    ("_delivery_slot_discount", "default_delivery_slot_discount"),
    ("_minimum_delivery_slots", "default_minimum_delivery_slots"),
    ("_initial_destination_concurrency", "initial_destination_concurrency"),
    ("_destination_concurrency_limit", "default_destination_concurrency_limit"),
    ("_destination_recipient_limit", "default_destination_recipient_limit"),
    ("_destination_concurrency_positive_feedback", "default_destination_concurrency_positive_feedback"),
    ("_destination_concurrency_negative_feedback", "default_destination_concurrency_negative_feedback"),
    ("_destination_concurrency_failed_cohort_limit", "default_destination_concurrency_failed_cohort_limit"),
    ("_destination_rate_delay", "default_destination_rate_delay"),
    ("_transport_rate_delay", "default_transport_rate_delay"),
];

/// As for pipe(8), less the time limit.
const TRANSPORT: &[(&str, &str)] = PIPE.split_at(1).1;
