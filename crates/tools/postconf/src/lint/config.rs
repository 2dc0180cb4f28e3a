//! Both files with their lines, and the values that each service sees.

use super::report::Spot;
use crate::entry::{Argument, Entry};
use crate::mode::Mode;
use crate::pattern::COMMAND;
use crate::registry::{Origin, Registry};
use command::{Fatal, fatal};
use conf::lines::{LogicalLines, split_name_value};
use conf::{CompatLevel, MainCf, Spec, compat_level, params, reason};
use std::path::Path;

/// What is written in both files.
#[derive(Debug)]
pub(crate) struct Config {
    /// All of main.cf, in order; of a name that is set twice, both.
    pub(crate) settings: Vec<Setting>,
    /// The services, in order.
    pub(crate) services: Vec<Service>,
    /// Lines that cannot be understood, and why.
    pub(crate) broken: Vec<(Spot, String)>,
    /// Every valid name, less the user's.
    pub(crate) registry: Registry,
    /// The values of main.cf.
    pub(crate) main: MainCf,
    /// What defaults are in force.
    pub(crate) level: CompatLevel,
    main_path: String,
}

/// A setting with the place where it is.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) spot: Spot,
    lines: Vec<(usize, String)>,
}

/// An entry of master.cf.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) entry: Entry,
    pub(crate) spot: Spot,
    /// Its `-o` settings in order.
    pub(crate) settings: Vec<Setting>,
    /// `-o` with something that is none, and what is wrong with it.
    pub(crate) broken: Vec<(Spot, String, &'static str)>,
}

/// The configuration as one service sees it, or as main.cf alone has it.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) config: &'a Config,
    pub(crate) service: Option<&'a Service>,
    pub(crate) main: MainCf,
}

impl Config {
    /// Reads both files of the directory.
    pub(crate) fn read(program: &str) -> Result<Config, Fatal> {
        let registry = Registry::new(Mode::default(), program, true);
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| fatal!("open {}: {}", path.display(), reason(&error)))
        };
        let (main, master) = (read(&registry.files.main)?, read(&registry.files.master)?);
        Ok(Config::parse(registry, &main, &master))
    }

    /// Understands what it can of the two texts.
    pub(crate) fn parse(registry: Registry, main: &[u8], master: &[u8]) -> Config {
        let main_path = registry.files.main.display().to_string();
        let master_path = registry.files.master.display().to_string();
        let mut config = Config {
            settings: Vec::new(),
            services: Vec::new(),
            broken: Vec::new(),
            main: registry.main.clone(),
            registry,
            level: CompatLevel::ONE,
            main_path: main_path.clone(),
        };
        for line in LogicalLines::new(&main_path, main) {
            let text = String::from_utf8_lossy(&line.text).into_owned();
            let mut spot = Spot { file: main_path.clone(), line: line.first, subject: "main.cf".to_owned() };
            match split_name_value(&text) {
                Ok((name, value)) => {
                    name.clone_into(&mut spot.subject);
                    config.main.set(name, value);
                    let lines = numbered(main, line.first, line.last);
                    let (name, value) = (name.to_owned(), value.to_owned());
                    config.settings.push(Setting { name, value, spot, lines });
                }
                Err(problem) => config.broken.push((spot, format!("{problem}: \"{text}\""))),
            }
        }
        for line in LogicalLines::new(&master_path, master) {
            let text = String::from_utf8_lossy(&line.text).into_owned();
            let spot = Spot { file: master_path.clone(), line: line.first, subject: "master.cf".to_owned() };
            match Entry::parse(&text) {
                Ok(Ok(entry)) => {
                    let lines = numbered(master, line.first, line.last);
                    config.services.push(Service::new(entry, spot, &lines));
                }
                Ok(Err(problem)) => config.broken.push((spot, format!("{problem}: \"{text}\""))),
                Err(fatal) => config.broken.push((spot, fatal.text)),
            }
        }
        config.level = compat_level(&config.main).unwrap_or(config.level_zero());
        config.registry.entries = config.services.iter().map(|service| service.entry.clone()).collect();
        config.registry.add_service_parameters();
        config
    }

    fn level_zero(&self) -> CompatLevel {
        compat_level(&MainCf::empty(Path::new(""))).unwrap_or(CompatLevel::ONE)
    }

    /// main.cf alone.
    pub(crate) fn global(&self) -> Scope<'_> {
        Scope { config: self, service: None, main: self.main.clone() }
    }

    /// What each service sees that runs this program.
    pub(crate) fn scopes_of<'a>(&'a self, program: &'a str) -> impl Iterator<Item = Scope<'a>> {
        self.services
            .iter()
            .filter(move |service| service.program() == program)
            .map(|service| self.scope(service))
    }

    /// What a service sees.
    pub(crate) fn scope<'a>(&'a self, service: &'a Service) -> Scope<'a> {
        let mut main = self.main.clone();
        for setting in &service.settings {
            main.set(&setting.name, &setting.value);
        }
        main.set("service_name", service.entry.field(0));
        main.set("process_name", service.program());
        Scope { config: self, service: Some(service), main }
    }

    /// What the SMTP servers see.
    pub(crate) fn smtpd_scopes(&self) -> Vec<Scope<'_>> {
        self.scopes_of("smtpd").collect()
    }

    /// Every setting of both files, with what its service sees. Of a name that one place sets twice, the last.
    pub(crate) fn effective(&self) -> Vec<(Scope<'_>, &Setting)> {
        let is_last = |settings: &[Setting], at: usize| {
            let mut later = settings.get(at + 1..).unwrap_or_default().iter();
            settings.get(at).is_some_and(|setting| later.all(|other| other.name != setting.name))
        };
        let mut all = Vec::new();
        for (at, setting) in self.settings.iter().enumerate() {
            if is_last(&self.settings, at) {
                all.push((self.global(), setting));
            }
        }
        for service in &self.services {
            for (at, setting) in service.settings.iter().enumerate() {
                if is_last(&service.settings, at) {
                    all.push((self.scope(service), setting));
                }
            }
        }
        all
    }

    /// The declaration of a parameter.
    pub(crate) fn spec(name: &str) -> Option<&'static Spec> {
        let all = params::all();
        let at = all.binary_search_by_key(&name, |declaration| declaration.name).ok()?;
        all.get(at).map(|declaration| declaration.spec)
    }

    /// Whether a service of this name delivers mail.
    pub(crate) fn transport(&self, name: &str) -> Option<&Service> {
        let is_local = |service: &&Service| matches!(service.entry.field(1), "unix" | "fifo" | "pass");
        self.services.iter().filter(is_local).find(|service| service.entry.field(0) == name)
    }

    /// Names that can be set: declared ones and those that follow from services.
    pub(crate) fn known_names(&self) -> impl Iterator<Item = &str> {
        let is_current = |(_, node): &(&String, &crate::registry::Node)| {
            matches!(node.origin, Origin::Builtin | Origin::Service)
        };
        self.registry.nodes.iter().filter(is_current).map(|(name, _)| name.as_str())
    }
}

impl Setting {
    /// The line of this setting where a text is, for settings of several lines.
    pub(crate) fn spot_of(&self, text: &str) -> Spot {
        let line = self.lines.iter().find(|(_, line)| line.contains(text));
        Spot { line: line.map_or(self.spot.line, |(number, _)| *number), ..self.spot.clone() }
    }
}

impl Service {
    fn new(entry: Entry, mut spot: Spot, lines: &[(usize, String)]) -> Service {
        spot.subject.clone_from(&entry.name);
        let mut service = Service { spot, settings: Vec::new(), broken: Vec::new(), entry };
        // Options stand in the order in which they are read.
        let options =
            lines.iter().flat_map(|(number, line)| line.split("-o").skip(1).map(move |part| (*number, part)));
        let mut options: std::collections::VecDeque<_> = options.collect();
        let mut line_of = |text: &str| {
            let at = options.iter().position(|(_, part)| part.contains(text));
            let found = at.and_then(|at| options.drain(..=at).next_back());
            found.map_or(service.spot.line, |(number, _)| number)
        };
        let (mut settings, mut broken) = (Vec::new(), Vec::new());
        for argument in service.entry.arguments() {
            let problem = match argument {
                Argument::Setting("-o", text) => match split_name_value(text) {
                    Ok((name, value)) => {
                        let line = line_of(name);
                        let subject = format!("{}/{name}", service.entry.name);
                        let spot = Spot { line, subject, ..service.spot.clone() };
                        let (name, value) = (name.to_owned(), value.to_owned());
                        settings.push(Setting { name, value, spot, lines: Vec::new() });
                        continue;
                    }
                    Err(problem) => (text, problem),
                },
                Argument::Option("-o") => ("", "missing attribute name"),
                _ => continue,
            };
            let spot = Spot { line: line_of(problem.0), ..service.spot.clone() };
            broken.push((spot, problem.0.to_owned(), problem.1));
        }
        service.settings = settings;
        service.broken = broken;
        service
    }

    /// The program.
    pub(crate) fn program(&self) -> &str {
        let command = self.entry.field(COMMAND);
        command.rsplit('/').next().unwrap_or(command)
    }

    /// Whether it runs in the queue directory as its root.
    pub(crate) fn is_jailed(&self, level: CompatLevel) -> bool {
        match self.entry.field(4) {
            "y" => true,
            "-" => level < CompatLevel::ONE,
            _ => false,
        }
    }

    /// The arguments after the options.
    pub(crate) fn plain_arguments(&self) -> impl Iterator<Item = &str> {
        self.entry.arguments().filter_map(|argument| match argument {
            Argument::Plain(text) => Some(text),
            _ => None,
        })
    }
}

impl Scope<'_> {
    /// The expanded value of a parameter; empty when it is neither set nor declared.
    pub(crate) fn text(&self, name: &str) -> String {
        let raw = match (self.main.written(name), Config::spec(name)) {
            (Some(text), _) => text.to_owned(),
            (None, Some(spec)) => self.main.unexpanded(spec).unwrap_or_default(),
            (None, None) => String::new(),
        };
        self.expand(&raw)
    }

    /// A text with `$name` expanded; empty when that cannot be done.
    pub(crate) fn expand(&self, text: &str) -> String {
        self.main.expand(text).unwrap_or_default()
    }

    /// Whether a parameter says yes.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.text(name).eq_ignore_ascii_case("yes")
    }

    /// The value of a number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.text(name).trim().parse().ok()
    }

    /// Where a parameter is set, for this service; the last place that counts.
    pub(crate) fn setting(&self, name: &str) -> Option<&Setting> {
        let last = |settings: &'_ [Setting]| settings.iter().rposition(|setting| setting.name == name);
        if let Some(service) = self.service
            && let Some(at) = last(&service.settings)
        {
            return service.settings.get(at);
        }
        self.config.settings.get(last(&self.config.settings)?)
    }

    /// The spot of a parameter; without a setting, the service or main.cf as a whole.
    pub(crate) fn spot(&self, name: &str) -> Spot {
        match (self.setting(name), self.service) {
            (Some(setting), _) => setting.spot.clone(),
            (None, Some(service)) => {
                Spot { subject: format!("{}/{name}", service.entry.name), ..service.spot.clone() }
            }
            (None, None) => Spot { file: self.config.main_path.clone(), line: 0, subject: name.to_owned() },
        }
    }

    /// The spot of a word in the value of a parameter.
    pub(crate) fn spot_of(&self, name: &str, word: &str) -> Spot {
        self.setting(name).map_or_else(|| self.spot(name), |setting| setting.spot_of(word))
    }
}

/// The lines of a logical line, less comments.
fn numbered(text: &[u8], first: usize, last: usize) -> Vec<(usize, String)> {
    let lines = text.split(|&byte| byte == b'\n').enumerate().skip(first.saturating_sub(1));
    let lines =
        lines.take(last + 1 - first).map(|(at, line)| (at + 1, String::from_utf8_lossy(line).into_owned()));
    lines.filter(|(_, line)| !line.trim_start().starts_with('#')).collect()
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::config;

    #[test]
    fn places() {
        let config = config(
            "# x\na = 1\nb = 1,\n# c\n 2,\n  3\na = 2\nnonsense\n",
            "smtp inet n - n - - smtpd\n -v -o a=3 -o b=4\n -o a=5\n# -o b=6\n -o\nbad line\n",
        );
        let lines: Vec<_> =
            config.settings.iter().map(|setting| (setting.name.as_str(), setting.spot.line)).collect();
        assert_eq!(lines, [("a", 2), ("b", 3), ("a", 7)]);
        assert_eq!(config.settings[1].spot_of("2,").line, 5);
        let service = &config.services[0];
        let lines: Vec<_> =
            service.settings.iter().map(|setting| (setting.value.as_str(), setting.spot.line)).collect();
        assert_eq!(lines, [("3", 2), ("4", 2), ("5", 3)]);
        assert_eq!(service.broken[0].2, "missing attribute name");
        assert_eq!(config.broken.len(), 2);
        assert_eq!(config.scope(service).text("a"), "5");
        assert_eq!(config.global().text("a"), "2");
        assert_eq!(config.scope(service).spot("a").subject, "smtp/inet/a");
        assert_eq!(config.effective().len(), 4);
    }
}
