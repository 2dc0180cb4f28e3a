//! Tables that are read through proxymap(8).

use crate::lint::config::{Config, Scope};
use crate::lint::report::Report;
use crate::lint::tables::{self, Table};
use std::collections::BTreeSet;

/// Tables with `proxy:` that `proxy_read_maps` leaves out.
pub(crate) fn unapproved(config: &Config, report: &mut Report) {
    let global = config.global();
    let mut approved = titles(&global.text("proxy_read_maps"));
    for scope in config.scopes_of("proxymap") {
        approved.extend(titles(&scope.text("proxy_read_maps")));
    }
    for (scope, setting) in config.effective() {
        let is_proxys = matches!(setting.name.as_str(), "proxy_read_maps" | "proxy_write_maps");
        let is_written = matches!(setting.name.as_str(), "address_verify_map" | "postscreen_cache_map")
            || setting.name.ends_with("_cache_database");
        if is_proxys || is_written {
            continue;
        }
        for table in proxied(&scope, &setting.value) {
            if !approved.contains(&table.title()) {
                let what = format!("proxy:{} is not in proxy_read_maps", table.title());
                let why =
                    "proxymap refuses it (\"request for unapproved table\"), so that every lookup fails";
                let mend = format!("add ${} to proxy_read_maps", setting.name);
                report.error(&setting.spot_of(&table.name), what, why, &mend);
            }
        }
    }
    used_by_default(config, &approved, report);
}

fn proxied(scope: &Scope<'_>, value: &str) -> Vec<Table> {
    tables::in_value(&scope.expand(value)).into_iter().filter(|table| table.is_proxied).collect()
}

/// Tables that nobody wrote: `local_recipient_maps` has one in its default.
fn used_by_default(config: &Config, approved: &BTreeSet<String>, report: &mut Report) {
    let scope = config.global();
    let name = "local_recipient_maps";
    if scope.setting(name).is_some() || scope.setting("proxy_read_maps").is_none() {
        return;
    }
    for table in tables::in_value(&scope.text(name)).into_iter().filter(|table| table.is_proxied) {
        if !approved.contains(&table.title()) {
            let what = format!("leaves out proxy:{}, which is in the default of {name}", table.title());
            let why = "proxymap refuses it, so that every lookup of a local recipient fails";
            report.error(&scope.spot("proxy_read_maps"), what, why, &format!("add ${name}"));
        }
    }
}

fn titles(value: &str) -> BTreeSet<String> {
    tables::in_value(value).iter().filter(|table| table.is_proxied).map(Table::title).collect()
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::{MASTER, lines};

    #[test]
    fn tables_left_out() {
        let main = "transport_maps = proxy:mysql:/t\nvirtual_alias_maps = proxy:mysql:/v, mysql:/w\n";
        assert!(lines("unapproved-table", main, MASTER).is_empty());
        let less = format!("{main}proxy_read_maps = $local_recipient_maps $virtual_alias_maps\n");
        assert_eq!(
            lines("unapproved-table", &less, MASTER),
            ["error 1 transport_maps: proxy:mysql:/t is not in proxy_read_maps"]
        );
        let without = format!("{main}proxy_read_maps = $virtual_alias_maps $transport_maps\n");
        assert_eq!(
            lines("unapproved-table", &without, MASTER),
            [
                "error 3 proxy_read_maps: leaves out proxy:unix:passwd.byname, which is in the default of local_recipient_maps"
            ]
        );
        let access = "smtpd_client_restrictions = check_client_access proxy:mysql:/a\n";
        let default = lines("unapproved-table", access, MASTER);
        assert!(default.is_empty(), "{default:?}");
        assert!(lines("unapproved-table", "address_verify_map = proxy:btree:/x\n", MASTER).is_empty());
    }
}
