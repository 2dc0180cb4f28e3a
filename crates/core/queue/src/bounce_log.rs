//! The logs of failed, delayed and traced recipients.
