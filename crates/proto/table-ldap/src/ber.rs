//! The encoding of what is sent and received: BER, in the subset that LDAP has of it.

/// Tags that have the same meaning everywhere.
pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const SEQUENCE: u8 = 0x30;

/// Something that is being written.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// Appends a value.
    pub(crate) fn value(&mut self, tag: u8, value: &[u8]) {
        self.0.push(tag);
        match u8::try_from(value.len()) {
            Ok(short @ 0..0x80) => self.0.push(short),
            _ => {
                let length = (value.len() as u64).to_be_bytes();
                let zeros = length.iter().take_while(|&&byte| byte == 0).count();
                let length = length.get(zeros..).unwrap_or_default();
                self.0.push(0x80 | length.len() as u8);
                self.0.extend_from_slice(length);
            }
        }
        self.0.extend_from_slice(value);
    }

    /// Appends a number, which is not negative.
    pub(crate) fn number(&mut self, tag: u8, number: u32) {
        let bytes = u64::from(number).to_be_bytes();
        // The first bit is that of the sign.
        let has_sign = |&at: &usize| bytes.get(at).is_some_and(|&byte| byte < 0x80);
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count().min(bytes.len() - 1);
        let start = if has_sign(&zeros) { zeros } else { zeros.saturating_sub(1) };
        self.value(tag, bytes.get(start..).unwrap_or_default());
    }

    /// Appends yes or no.
    pub(crate) fn flag(&mut self, tag: u8, flag: bool) {
        self.value(tag, &[if flag { 0xff } else { 0 }]);
    }

    /// Appends a value that is made of others.
    pub(crate) fn nested(&mut self, tag: u8, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.value(tag, &inner.0);
    }

    /// Appends what was written elsewhere.
    pub(crate) fn append(&mut self, written: &[u8]) {
        self.0.extend_from_slice(written);
    }

    /// All that was written.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// What is received cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Something that is being read.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next value with its tag; nothing at the end.
    pub(crate) fn any(&mut self) -> Result<Option<(u8, &'a [u8])>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (head, length) = head(self.0)?.ok_or(Malformed)?;
        let tag = *self.0.first().ok_or(Malformed)?;
        let end = head.checked_add(length).ok_or(Malformed)?;
        let value = self.0.get(head..end).ok_or(Malformed)?;
        self.0 = self.0.get(end..).unwrap_or_default();
        Ok(Some((tag, value)))
    }

    /// The next value, which has the given tag.
    pub(crate) fn value(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        match self.any()? {
            Some((found, value)) if found == tag => Ok(value),
            _ => Err(Malformed),
        }
    }

    /// The next value, which is a number of the given tag.
    pub(crate) fn number(&mut self, tag: u8) -> Result<i32, Malformed> {
        let value = self.value(tag)?;
        let first = *value.first().ok_or(Malformed)?;
        if value.len() > 4 {
            return Err(Malformed);
        }
        let sign = if first < 0x80 { 0 } else { -1 };
        Ok(value.iter().fold(sign, |number, &byte| (number << 8) | i32::from(byte)))
    }
}

/// How long the head of a value is, and the value after it; nothing when more is needed to say that.
pub(crate) fn head(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    match bytes {
        // Tags of more than a byte, and lengths that nobody knows yet, are not in the subset.
        [tag, ..] if tag & 0x1f == 0x1f => Err(Malformed),
        [_, 0x80, ..] => Err(Malformed),
        [_, short, ..] if *short < 0x80 => Ok(Some((2, usize::from(*short)))),
        [_, long, rest @ ..] => {
            let count = usize::from(long & 0x7f);
            if count > 8 {
                return Err(Malformed);
            }
            let Some(length) = rest.get(..count) else { return Ok(None) };
            let length = length.iter().fold(0_u64, |length, &byte| (length << 8) | u64::from(byte));
            Ok(Some((2 + count, usize::try_from(length).map_err(|_| Malformed)?)))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (number, want) in [
            (0, &[2, 1, 0][..]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (256, &[2, 2, 1, 0]),
            (i32::MAX as u32, &[2, 4, 127, 255, 255, 255]),
            (u32::MAX, &[2, 5, 0, 255, 255, 255, 255]),
        ] {
            let mut writer = Writer::default();
            writer.number(INTEGER, number);
            let written = writer.finish();
            assert_eq!(written, want, "{number}");
            if let Ok(number) = i32::try_from(number) {
                assert_eq!(Reader(&written).number(INTEGER), Ok(number));
            }
        }
        assert_eq!(Reader(&[2, 1, 0xff]).number(INTEGER), Ok(-1));
        assert_eq!(Reader(&[2, 0]).number(INTEGER), Err(Malformed));
        assert_eq!(Reader(&[2, 5, 1, 0, 0, 0, 0]).number(INTEGER), Err(Malformed));
    }

    #[test]
    fn lengths() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let mut writer = Writer::default();
            writer.value(OCTETS, &vec![7; length]);
            let written = writer.finish();
            assert_eq!(Reader(&written).value(OCTETS).map(<[u8]>::len), Ok(length));
            assert_eq!(Reader(&written[..written.len() - 1]).value(OCTETS), Err(Malformed));
        }
    }

    #[test]
    fn what_cannot_be_read() {
        assert_eq!(head(&[]), Ok(None));
        assert_eq!(head(&[0x30]), Ok(None));
        assert_eq!(head(&[0x30, 0x82, 1]), Ok(None));
        assert_eq!(head(&[0x30, 0x82, 1, 2]), Ok(Some((4, 258))));
        assert_eq!(head(&[0x30, 0x80]), Err(Malformed));
        assert_eq!(head(&[0x30, 0x89, 1]), Err(Malformed));
        assert_eq!(head(&[0x1f, 0]), Err(Malformed));
        let huge = [0x30, 0x88, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        assert_eq!(Reader(&huge).any(), Err(Malformed));
        assert_eq!(Reader(&[4, 1, 7]).value(SEQUENCE), Err(Malformed));
    }
}
