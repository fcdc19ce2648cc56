//! `acceptedEpoch` and `currentEpoch`: one decimal number, without a newline.

use crate::id::Epoch;
use crate::wire::jute::{DecodeError, Fault};
use alloc::string::{String, ToString};

/// The file of the highest epoch this server has promised to follow.
pub const ACCEPTED: &str = "acceptedEpoch";

/// The file of the epoch whose history this server holds.
pub const CURRENT: &str = "currentEpoch";

/// The content of a file.
pub fn encode(epoch: Epoch) -> String {
    epoch.0.to_string()
}

/// Reads a file's content: its first line, without regard to white space around it.
///
/// # Errors
/// No number from 0 to 2⁶³ - 1 there. An empty file is what a crash leaves of a write that was not atomic; it must
/// not be taken for epoch 0, which would break a promise.
pub fn parse(content: &[u8]) -> Result<Epoch, DecodeError> {
    let bad = DecodeError::new("epoch file", 0, Fault::Expected("a decimal number from 0 on"));
    let text = core::str::from_utf8(content).map_err(|_| bad.clone())?;
    let line = text.lines().next().unwrap_or_default().trim();
    match line.parse() {
        Ok(number) if number >= 0 && !line.starts_with(['+', '-']) => Ok(Epoch(number)),
        _ => Err(bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents() {
        for (content, want) in [
            (&b"1"[..], Some(1)),
            (b"0", Some(0)),
            (b" 17 \n", Some(17)),
            (b"17\r\nmore", Some(17)),
            (b"9223372036854775807", Some(i64::MAX)),
            (b"9223372036854775808", None),
            (b"", None),
            (b"\n1", None),
            (b"-1", None),
            (b"+1", None),
            (b"0x1", None),
            (b"1\0", None),
            (b"\xff", None),
        ] {
            assert_eq!(parse(content).ok(), want.map(Epoch), "{content:?}");
        }
        assert_eq!(parse(encode(Epoch(12)).as_bytes()), Ok(Epoch(12)));
    }
}
