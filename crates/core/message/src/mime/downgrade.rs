//! 8-bit text to quoted-printable, a line at a time.

use crate::Ending;

/// Output longer than this is broken before the next character, so that no line exceeds 76 characters.
const CRITICAL_LENGTH: usize = 72;

/// Appends `text` to the line under construction in `line` and hands every finished line to `emit`.
pub(super) fn quoted_printable(
    line: &mut Vec<u8>,
    ending: Ending,
    text: &[u8],
    mut emit: impl FnMut(Vec<u8>),
) {
    for &byte in text {
        if line.len() > CRITICAL_LENGTH {
            line.push(b'=');
            emit(std::mem::take(line));
        }
        if (byte < b' ' && byte != b'\t') || byte == b'=' || byte > b'~' {
            push_encoded(line, byte);
        } else {
            line.push(byte);
        }
    }
    if ending == Ending::Line {
        // White space at the end of a line must be encoded (RFC 2045 section 6.7, rule 3).
        if let Some(&last @ (b' ' | b'\t')) = line.last() {
            line.pop();
            push_encoded(line, last);
        }
        emit(std::mem::take(line));
    }
}

fn push_encoded(line: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    line.extend_from_slice(&[b'=', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}
