//! What the installed mail system does, one behaviour a file.

mod relay;
