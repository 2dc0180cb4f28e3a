//! The database goes away while mail comes in.

use harness::{Package, scenario};

use super::{TABLES, server, table};
use crate::outage;

scenario! {
    fn g2_mail_outlives_the_database(system) {
        if system.package() == Package::Reference {
            // It is too old to know the setting of tables, and waits for a minute.
            return;
        }
        // As behind the filter, which is not there.
        let settings = format!("receive_override_options =\n{}", outage::SETTINGS);
        let Some(mut server) = server(system, "g2_mail_outlives_the_database", &settings) else { return };
        for (name, query) in TABLES {
            table(system, name, query, "127.0.0.1", outage::RETRY);
        }
        system.start();
        let recipient = |number: usize| match number % 4 {
            0 => "proba@d3xt3r01.tk".to_owned(),
            1 => "dexter@d3xt3r01.tk".to_owned(),
            2 => format!("anybody{number}@d3xt3r01.tk"),
            _ => "ana@plain.tk".to_owned(),
        };
        outage::outlive(system, &mut server, recipient, || outage::all_maildirs(system, "/home/vmail"));
    }
}
