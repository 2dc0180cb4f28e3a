//! Keeps the manual pages true to the parameter registry.
//!
//! The pages in `man/` are written by hand, except for what stands between two marker lines: postconf(5)'s list of all
//! parameters, and each program's list of those it reads. Both come from the declarations in `conf`, and from the
//! `param_set!` lists in the programs' sources, which are read as text since most of them are private.
//!
//! `cargo run -p ferrofix-pages` rewrites what is out of date; the tests of this crate fail when something is, when a
//! program has no page, or when a page has a request that is none of man(7)'s.

pub mod roff;
pub mod sources;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::sources::Sources;

/// Begins a generated part that lists what the program of that page reads.
pub const PROGRAM_MARK: &str = ".\\\" generated: parameters of this program";
/// Begins a generated part that lists everything.
pub const ALL_MARK: &str = ".\\\" generated: all parameters";
/// Ends a generated part.
pub const END_MARK: &str = ".\\\" end of the generated part";

/// The top of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// The pages of `man/`, sorted: file name and text.
pub fn pages(root: &Path) -> Result<Vec<(String, String)>, String> {
    let directory = root.join("man");
    let entries = fs::read_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut pages = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(|last: char| last.is_ascii_digit()) {
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            pages.push((name, text));
        }
    }
    pages.sort();
    Ok(pages)
}

/// The pages whose generated part is out of date, with what they should be.
pub fn stale(root: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let sources = Sources::read(root)?;
    let mut stale = Vec::new();
    for (name, text) in pages(root)? {
        let stem = name.split_once('.').map_or(name.as_str(), |(stem, _)| stem);
        let wanted = refresh(&text, stem, &sources).map_err(|error| format!("man/{name}: {error}"))?;
        if wanted != text {
            stale.push((root.join("man").join(name), wanted));
        }
    }
    Ok(stale)
}

/// The page with its generated parts made anew.
fn refresh(text: &str, program: &str, sources: &Sources) -> Result<String, String> {
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        match line {
            PROGRAM_MARK => out.push_str(&program_parameters(program, sources)?),
            ALL_MARK => out.push_str(&all_parameters(sources)),
            END_MARK => return Err("an end without a beginning".to_owned()),
            _ => continue,
        }
        if !lines.any(|line| line == END_MARK) {
            return Err(format!("no line {END_MARK}"));
        }
        out.push_str(END_MARK);
        out.push('\n');
    }
    Ok(out)
}

fn program_parameters(program: &str, sources: &Sources) -> Result<String, String> {
    let reads = sources.program(program).ok_or_else(|| format!("there is no program {program}"))?;
    let mut out = String::new();
    for declaration in conf::params::all() {
        if reads.own.contains(declaration.name) {
            out.push_str(&roff::parameter(declaration, true));
        }
    }
    let shared: Vec<_> = reads.shared.difference(&reads.own).map(|name| format!("\\fB{name}\\fR")).collect();
    if !shared.is_empty() {
        let also = if reads.own.is_empty() { "These are read" } else { "Besides, these are read" };
        out.push_str(&format!(".PP\n{also}, as by other programs of this kind; see \\fBpostconf\\fR(5):\n"));
        out.push_str(&roff::fill(&format!("{}.", shared.join(", "))));
    }
    if out.is_empty() {
        out.push_str(".PP\nNone of its own.\n");
    }
    Ok(out)
}

fn all_parameters(sources: &Sources) -> String {
    let read = sources.names_read(&conf::params::all().iter().map(|one| (one.name, one.default)).collect());
    conf::params::all().iter().map(|one| roff::parameter(one, read.contains(one.name))).collect()
}

/// The programs that `scripts/install` installs: daemons and commands.
pub fn installed(root: &Path) -> Result<(BTreeSet<String>, BTreeSet<String>), String> {
    let script = fs::read_to_string(root.join("scripts/install")).map_err(|error| error.to_string())?;
    let list = |variable: &str| -> Result<BTreeSet<String>, String> {
        let start = format!("\n{variable}=\"");
        let (_, rest) = script.split_once(&start).ok_or_else(|| format!("scripts/install: no {variable}"))?;
        let (names, _) = rest.split_once('"').unwrap_or((rest, ""));
        Ok(names.split_whitespace().map(str::to_owned).collect())
    };
    Ok((list("daemons")?, list("tools")?))
}
