//! postconf - Postfix configuration utility
//!
//! Shows and edits main.cf and master.cf: values as set or by default, with `$name` expanded or not; services, their
//! fields and their `-o` settings; and what in either file has no effect, because nothing reads it.
//!
//! Trusts the two files only as far as their syntax goes: it must work at installation time, when neither accounts nor
//! directories exist yet, so it checks no value; only `--lint` does (see `lint`). It knows every declared parameter; what
//! else is valid follows from master.cf (`TRANSPORT_...` parameters), from `smtpd_restriction_classes`, from `$name` in
//! values and from the names of database clients.
//!
//! Promises: output and exit status are Postfix's. An edit keeps every comment, blank line and the order of the file,
//! and replaces the file in one step: readers see the old or the new file, also after a crash.
//!
//! Failure: a line that is not understood ends the program with `fatal:` and status 1 before anything was changed.

mod database;
mod edit;
mod entry;
mod lint;
mod lookup;
mod mode;
mod other;
mod pattern;
mod print;
mod registry;
mod show_main;
mod show_master;
mod unused;
mod user;

use command::{Choice, Fatal, Getopt, Invocation, Log, Name, Program, fatal};
use mode::{Class, Mode};
use registry::Registry;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// What the command is.
pub const PROGRAM: Program = Program { name: Name::Called, log: Log::Terminal, failure: 1 };

/// Runs the command.
pub fn run(invocation: &Invocation) -> Result<u8, Fatal> {
    if let Some(arguments) = lint::requested(&invocation.args) {
        return lint::run(invocation, &arguments, || usage(&invocation.name));
    }
    let mut request = Request::default();
    let mut options = Getopt::new(invocation, "aAbc:C:deEfFhHjlmMno:pPqtT:vxX#");
    for choice in options.by_ref() {
        match choice {
            Ok(choice) => request.option(&choice)?,
            Err(_) => return Err(usage(&invocation.name)),
        }
    }
    request.names = options.rest().iter().map(argument).collect();
    request.complete()?;
    request.perform(invocation)
}

/// What the command line asks for.
#[derive(Default)]
struct Request {
    mode: Mode,
    class: Class,
    is_quiet: bool,
    overrides: Vec<String>,
    tls: String,
    names: Vec<String>,
}

impl Request {
    fn option(&mut self, choice: &Choice) -> Result<(), Fatal> {
        match choice.letter {
            'c' => command::use_config_directory(&choice.value),
            'C' => self.class = Class::parse(&choice.text())?,
            'o' => self.overrides.push(argument(&choice.value)),
            'q' => self.is_quiet = true,
            'v' => log::set_verbose(log::verbose().saturating_add(1)),
            'b' | 't' if self.mode.has(Mode::EXPAND_TEMPLATES | Mode::DUMP_TEMPLATES) => {
                return Err(fatal!("specify one of -b and -t"));
            }
            'T' if self.mode.has(Mode::TLS) => {
                return Err(fatal!("At most one -T <mode> option may be specified"));
            }
            'T' => self.tls = choice.text(),
            _ => {}
        }
        self.mode.add(choice.letter);
        Ok(())
    }

    /// Makes every option explicit and refuses combinations without sense.
    fn complete(&mut self) -> Result<(), Fatal> {
        if !self.mode.has(Mode::MAJOR) {
            self.mode |= Mode::MAIN;
        }
        let is_assignment = self.names.first().is_some_and(|name| name.contains('='));
        if is_assignment && self.mode.has(Mode::MAIN | Mode::MASTER) {
            self.mode |= Mode::EDIT;
        }
        self.mode.check()?;
        if self.mode.has(Mode::EDIT) && self.names.is_empty() {
            return Err(fatal!("-e requires name=value argument"));
        }
        Ok(())
    }

    fn perform(&self, invocation: &Invocation) -> Result<u8, Fatal> {
        let mode = self.mode;
        if mode.has(Mode::EXPAND_TEMPLATES | Mode::DUMP_TEMPLATES) {
            return Err(other::run_bounce(mode, &self.names));
        }
        if mode.has(Mode::TLS) {
            return Ok(other::show_tls(&self.tls));
        }
        if mode.has(Mode::MAPS) {
            other::show_maps()?;
        } else if mode.has(Mode::LOCKS) {
            other::show_locks();
        } else if mode.has(Mode::SASL_SERVER) {
            other::show_sasl_server();
        } else if mode.has(Mode::SASL_CLIENT) {
            other::show_sasl_client();
        } else if mode.has(Mode::CHANGE) {
            self.edit()?;
        } else {
            self.show(invocation)?;
        }
        Ok(0)
    }

    fn edit(&self) -> Result<(), Fatal> {
        if self.names.is_empty() {
            return Err(fatal!("missing service argument"));
        }
        let files = lookup::Files::find();
        if self.mode.has(Mode::MASTER) {
            edit::master::edit(&files.master, self.mode, &self.names)
        } else {
            edit::main::edit(&files.main, self.mode, &self.names)
        }
    }

    fn show(&self, invocation: &Invocation) -> Result<(), Fatal> {
        let mut registry = Registry::new(self.mode, invocation.base_name(), self.is_quiet);
        let mut out = print::Output::default();
        if self.mode.has(Mode::MASTER) {
            registry.read_master(registry::Missing::Fatal)?;
            registry.read_main(&self.overrides)?;
            registry.add_service_parameters();
            registry.add_user_parameters()?;
            if self.mode.has(Mode::FIELDS) {
                show_master::fields(&registry, &mut out, &self.names)?;
            } else if self.mode.has(Mode::SERVICE_PARAMETERS) {
                show_master::parameters(&registry, &mut out, self.class, &self.names)?;
            } else {
                show_master::entries(&registry, &mut out, &self.names)?;
            }
        } else {
            if !self.mode.has(Mode::DEFAULTS) {
                registry.read_main(&self.overrides)?;
            }
            registry.read_master(registry::Missing::Warning)?;
            registry.add_service_parameters();
            if !self.mode.has(Mode::DEFAULTS) {
                registry.add_user_parameters()?;
            }
            show_main::parameters(&registry, &mut out, self.class, &self.names)?;
        }
        let mut has_deprecated = false;
        if !self.is_quiet && !self.mode.has(Mode::DEFAULTS) {
            has_deprecated |= !self.mode.has(Mode::MASTER) && unused::flag_main(&registry, &mut out);
            has_deprecated |= unused::flag_master(&registry, &mut out);
        }
        out.flush();
        if has_deprecated {
            log::warning!("See https://www.postfix.org/DEPRECATION_README.html for details");
        }
        Ok(())
    }
}

/// An argument of the command line; bytes that are no UTF-8 stay what they are.
fn argument(text: &OsString) -> String {
    bytes::escape::to_text(text.as_bytes()).into_owned()
}

fn usage(name: &str) -> Fatal {
    let options = [
        "-a (server SASL types)",
        "-A (client SASL types)",
        "-b (bounce templates)",
        "-c config_dir",
        "-c param_class",
        "-d (parameter defaults)",
        "-e (edit configuration)",
        "-f (fold lines)",
        "-F (master.cf fields)",
        "-h (no names)",
        "-H (no values)",
        "-j (streaming JSON) ",
        "-l (lock types)",
        "-m (map types)",
        "-M (master.cf)",
        "-n (non-default parameters)",
        "-o name=value (override parameter value)",
        "-p (main.cf, default)",
        "-P (master.cf parameters)",
        "-t (bounce templates)",
        "-T compile-version|run-version|public-key-algorithms",
        "-v (verbose)",
        "-x (expand parameter values)",
        "-X (exclude)",
        "-# (comment-out)",
        "--lint (check both files)",
        "name...",
    ];
    fatal!("usage: {name} [{}]", options.join("] ["))
}
