//! `ip`: an address, or all addresses that share its first bits.

use core::net::Ipv6Addr;

/// An address as a number, the width of its family in bits, and how many of them count.
struct Range {
    value: u128,
    width: u32,
    bits: u32,
}

impl Range {
    /// `addr` or `addr/bits`, of either family.
    fn parse(text: &str) -> Option<Range> {
        let (addr, bits) = match text.split_once('/') {
            Some((addr, bits)) => (addr, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let (value, width) = match v4(addr) {
            Some(value) => (u128::from(value), 32),
            None => (addr.parse::<Ipv6Addr>().ok()?.to_bits(), 128),
        };
        let bits = bits.unwrap_or(width);
        (bits <= width).then_some(Range { value, width, bits })
    }

    /// The bits that count.
    fn prefix(&self, bits: u32) -> u128 {
        self.value.checked_shr(self.width - bits).unwrap_or(0)
    }
}

/// Four decimal numbers up to 255; as Apache does, leading zeros do not make them octal.
fn v4(text: &str) -> Option<u32> {
    let mut parts = text.split('.');
    let mut value = 0;
    for _ in 0..4 {
        value = value << 8 | parts.next()?.parse::<u32>().ok().filter(|part| *part <= 255)?;
    }
    parts.next().is_none().then_some(value)
}

/// Whether a list may name `id`.
pub fn is_valid(id: &str) -> bool {
    Range::parse(id).is_some()
}

/// Whether the client's address `addr` lies in `range`; one of the other family never does.
pub fn matches(range: &str, addr: &str) -> bool {
    let (Some(range), Some(addr)) = (Range::parse(range), Range::parse(addr)) else { return false };
    range.width == addr.width && range.prefix(range.bits) == addr.prefix(range.bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (range, inside, outside) in [
            ("10.1.2.3", &["10.1.2.3"][..], &["10.1.2.4", "::1", "::ffff:10.1.2.3"][..]),
            ("10.1.2.3/8", &["10.9.9.9"], &["11.1.2.3"]),
            ("10.1.2.2/31", &["10.1.2.2", "10.1.2.3"], &["10.1.2.4"]),
            ("0.0.0.0/0", &["1.2.3.4", "255.255.255.255"], &["::"]),
            ("010.001.2.3", &["10.1.2.3"], &["8.1.2.3"]),
            ("::1", &["::1", "0:0:0:0:0:0:0:1"], &["::2", "0.0.0.1"]),
            ("2001:db8::/32", &["2001:db8:1::5"], &["2001:db9::"]),
            ("::/0", &["fe80::1"], &["1.2.3.4"]),
        ] {
            assert!(is_valid(range));
            inside.iter().for_each(|addr| assert!(matches(range, addr), "{addr} in {range}"));
            outside.iter().for_each(|addr| assert!(!matches(range, addr), "{addr} not in {range}"));
        }
    }

    #[test]
    fn what_is_no_range() {
        for id in [
            "",
            "localhost",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1.2.3.-4",
            "1.2.3.4/33",
            "1.2.3.4/",
            "1.2.3.4/a",
            "1.2.3.4/-1",
            "1.2.3.4/8/8",
            "::1/129",
            "fe80::1%eth0",
            "1::2::3",
            "/8",
        ] {
            assert!(!is_valid(id) && !matches(id, "1.2.3.4"), "{id}");
        }
    }
}
