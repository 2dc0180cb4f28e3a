//! Bytes received from the client and not yet used.

/// A queue of bytes that owns no memory while it is empty.
#[derive(Debug, Default)]
pub struct Input {
    bytes: Vec<u8>,
    start: usize,
}

impl Input {
    /// What is there.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Takes `count` bytes away.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
        if self.is_empty() {
            self.clear();
        }
    }

    /// Forgets everything, and gives the memory back.
    pub fn clear(&mut self) {
        *self = Input::default();
    }

    /// Adds what was received.
    pub fn extend(&mut self, received: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(received);
    }
}

/// Where input comes from, as far as the session may ask: only for what has arrived already.
pub trait Source {
    /// Adds to `input` what has arrived, without waiting.
    fn arrived(&mut self, input: &mut Input);
}

/// A source that has nothing more than what is in the input.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Source for Nothing {
    fn arrived(&mut self, _input: &mut Input) {}
}
