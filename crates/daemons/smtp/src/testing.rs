//! What tests of several modules need.

use conf::MainCf;

use crate::settings::{Services, Settings};

/// Settings from main.cf lines.
pub(crate) fn settings(lines: &[(&str, &str)]) -> Settings {
    let mut main = MainCf::empty(std::path::Path::new("/nonexistent"));
    main.set("process_name", "smtp");
    main.set("service_name", "smtp");
    main.set("myhostname", "me.example");
    main.set("mydomain", "example");
    for (name, value) in lines {
        main.set(name, value);
    }
    Settings::load(&main, "smtp", &[]).unwrap()
}

/// The known services.
pub(crate) fn services() -> Services {
    settings(&[]).services
}
