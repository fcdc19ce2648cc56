//! Adler-32, the checksum of log records and snapshots, as zlib computes it.

/// The largest prime below 2¹⁶.
const MODULUS: u32 = 65521;

/// So many bytes can be summed before the sums have to be reduced to stay inside 32 bits.
const RUN: usize = 5552;

/// A running Adler-32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adler32 {
    a: u32,
    b: u32,
}

impl Default for Adler32 {
    fn default() -> Adler32 {
        Adler32 { a: 1, b: 0 }
    }
}

impl Adler32 {
    /// The sum of no bytes.
    pub fn new() -> Adler32 {
        Adler32::default()
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for run in bytes.chunks(RUN) {
            // Sixteen bytes at once: `b` grows by 16 times `a` as it was and by each byte's distance from the end.
            let mut blocks = run.chunks_exact(16);
            for block in &mut blocks {
                let (mut sum, mut weighted) = (0, 0);
                for (i, byte) in (0u32..).zip(block) {
                    sum += u32::from(*byte);
                    weighted += (16 - i) * u32::from(*byte);
                }
                self.b += 16 * self.a + weighted;
                self.a += sum;
            }
            for byte in blocks.remainder() {
                self.a += u32::from(*byte);
                self.b += self.a;
            }
            self.a %= MODULUS;
            self.b %= MODULUS;
        }
    }

    /// The checksum of everything taken in.
    pub const fn value(self) -> u32 {
        (self.b << 16) | self.a
    }
}

/// The checksum of `bytes`.
pub fn adler32(bytes: &[u8]) -> u32 {
    let mut sum = Adler32::new();
    sum.update(bytes);
    sum.value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// The definition, a byte at a time.
    fn slow(bytes: &[u8]) -> u32 {
        let (mut a, mut b) = (1u32, 0u32);
        for byte in bytes {
            a = (a + u32::from(*byte)) % MODULUS;
            b = (b + a) % MODULUS;
        }
        (b << 16) | a
    }

    #[test]
    fn known_sums() {
        assert_eq!(adler32(b""), 1);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn equal_to_the_definition_at_every_length_and_at_the_largest_sums() {
        for size in (0..70).chain([5551, 5552, 5553, 11104, 100_000]) {
            let bytes: vec::Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
            assert_eq!(adler32(&bytes), slow(&bytes), "{size}");
            assert_eq!(adler32(&vec![255; size]), slow(&vec![255; size]), "{size} times 255");
        }
    }

    #[test]
    fn pieces_give_the_sum_of_the_whole() {
        let bytes: vec::Vec<u8> = (0..20_000u32).map(|i| (i % 253) as u8).collect();
        for piece in [1, 3, 16, 5552, 7000] {
            let mut sum = Adler32::new();
            bytes.chunks(piece).for_each(|p| sum.update(p));
            assert_eq!(sum.value(), slow(&bytes));
        }
    }
}
