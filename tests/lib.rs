//! The whole system, tested: `scenarios` says what the installed system does, `differential` compares it with the reference.
