//! The same for one instance after the other.

use std::ffi::OsStr;
use std::io::Write;
use std::process::Command;

use command::{Fatal, fatal};

use crate::PostmultiParams;
use crate::instance::{Instance, Instances, Selection};
use crate::options::Options;

/// Which instances a command is for, and in which order.
#[derive(Clone, Copy, Debug, Default)]
struct Order {
    is_reverse: bool,
    /// Disabled instances are left out.
    skips_disabled: bool,
}

/// `-l`.
pub(crate) fn list(instances: &Instances, options: &Options) -> Result<u8, Fatal> {
    let mut text = String::new();
    for instance in chosen(instances, options, Order { is_reverse: options.is_reverse, ..Order::default() }) {
        let fields = [
            ("name", dash(&instance.name)),
            ("group", dash(&instance.group)),
            ("enabled", if instance.is_enabled { "y" } else { "n" }),
            ("config_directory", &instance.config_directory),
        ];
        if options.is_json {
            let members =
                fields.map(|(name, value)| format!("\"{name}\": {}", serde_json::Value::from(value)));
            text.push_str(&format!("{{{}}}\n", members.join(",")));
        } else {
            let [name, group, enabled, directory] = fields.map(|(_, value)| value);
            text.push_str(&format!("{name:<15} {group:<15} {enabled:<9} {directory}\n"));
        }
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| fatal!("error writing output: {}", conf::reason(&error)))?;
    Ok(0)
}

/// `-p`: instances that are disabled are checked instead of started, and left alone otherwise. What stops goes the other
/// way round.
pub(crate) fn postfix(
    instances: &Instances,
    params: &PostmultiParams,
    options: &Options,
) -> Result<u8, Fatal> {
    let Some((word, arguments)) = options.rest.split_first() else { return Ok(0) };
    let is_in = |list: &str| {
        bytes::list::split(list, bytes::list::SEPARATORS).any(|listed| OsStr::new(listed) == word)
    };
    let is_start = is_in(&params.postmulti_start_commands);
    let is_stop = !is_start && is_in(&params.postmulti_stop_commands);
    let is_control = !is_start && is_in(&params.postmulti_control_commands);
    let order = Order { is_reverse: is_stop, skips_disabled: is_stop || is_control };
    run_each(instances, options, order, |instance| {
        let word = if is_start && !instance.is_enabled { OsStr::new("check") } else { word };
        let mut command = Command::new(format!("{}/postfix", params.command_directory));
        command.arg("--").arg(word).args(arguments);
        command
    })
}

/// `-x`: the command finds out about its instance from the environment.
pub(crate) fn command(
    instances: &Instances,
    params: &PostmultiParams,
    options: &Options,
) -> Result<u8, Fatal> {
    let Some((program, arguments)) = options.rest.split_first() else { return Ok(0) };
    let order = Order { is_reverse: options.is_reverse, ..Order::default() };
    let path = search_path(params);
    run_each(instances, options, order, |instance| {
        let mut command = Command::new(program);
        command.args(arguments).env("PATH", &path).envs([
            ("daemon_directory", params.daemon_directory.as_str()),
            ("command_directory", &params.command_directory),
            ("config_directory", &instance.config_directory),
            ("queue_directory", &instance.queue_directory),
            ("data_directory", &instance.data_directory),
            ("multi_instance_name", &instance.name),
            ("multi_instance_group", &instance.group),
            ("multi_instance_enable", if instance.is_enabled { "yes" } else { "no" }),
        ]);
        command
    })
}

/// The caller's `PATH` with our own commands before all others.
pub(crate) fn search_path(params: &PostmultiParams) -> String {
    let own = &params.command_directory;
    match std::env::var("PATH") {
        Ok(path) if !path.is_empty() => format!("{own}:{path}"),
        _ => format!("{own}:/usr/sbin:/usr/bin:/sbin:/bin"),
    }
}

fn run_each(
    instances: &Instances,
    options: &Options,
    order: Order,
    make: impl Fn(&Instance) -> Command,
) -> Result<u8, Fatal> {
    let chosen = chosen(instances, options, order);
    if chosen.is_empty() {
        return Err(fatal!("No matching instances"));
    }
    let mut status = 0;
    for instance in chosen {
        let mut command = make(instance);
        command.env("MAIL_CONFIG", &instance.config_directory);
        match command.status() {
            Ok(ended) if ended.success() => {}
            Ok(_) => status = 1,
            Err(error) => {
                log::fatal!("execvp {}: {}", command.get_program().to_string_lossy(), conf::reason(&error));
                status = 1;
            }
        }
    }
    Ok(status)
}

fn chosen<'a>(instances: &'a Instances, options: &Options, order: Order) -> Vec<&'a Instance> {
    let selection = options.selection.as_ref().unwrap_or(&Selection::All);
    let mut chosen: Vec<&Instance> = instances
        .list
        .iter()
        .enumerate()
        .filter(|(at, instance)| {
            (instance.is_enabled || !order.skips_disabled) && instances.is_selected(*at, selection)
        })
        .map(|(_, instance)| instance)
        .collect();
    if order.is_reverse {
        chosen.reverse();
    }
    chosen
}

fn dash(name: &str) -> &str {
    if name.is_empty() { "-" } else { name }
}
