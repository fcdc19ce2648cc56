//! CRC-32 for the browser: the same numbers as the crate that servers use, in a few hundred bytes of program instead
//! of the sixteen thousand of its tables.

/// The part of the crate's hasher that digests need.
pub struct Hasher(u32);

/// What half a byte does to the state: the polynomial of Ethernet and ZIP, reflected.
const STEPS: [u32; 16] = {
    let mut steps = [0; 16];
    let mut n = 0;
    while n < 16 {
        let (mut crc, mut bit) = (n as u32, 0);
        while bit < 4 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        steps[n] = crc;
        n += 1;
    }
    steps
};

impl Hasher {
    /// At the beginning.
    pub fn new() -> Hasher {
        Hasher::new_with_initial(0)
    }

    /// Goes on from a CRC.
    pub fn new_with_initial(crc: u32) -> Hasher {
        Hasher(!crc)
    }

    /// Takes in bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 ^= u32::from(*byte);
            for _ in 0..2 {
                self.0 = self.0 >> 4 ^ STEPS[(self.0 & 15) as usize];
            }
        }
    }

    /// The CRC of everything so far.
    pub fn finalize(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_hashers_agree(initial: u32, parts: [alloc::vec::Vec<u8>; 3]) {
            let (mut ours, mut theirs) = (Hasher::new_with_initial(initial), crc32fast::Hasher::new_with_initial(initial));
            for part in &parts {
                ours.update(part);
                theirs.update(part);
            }
            prop_assert_eq!(ours.finalize(), theirs.finalize());
            let mut ours = Hasher::new();
            ours.update(&parts[0]);
            prop_assert_eq!(ours.finalize(), crc32fast::hash(&parts[0]));
        }
    }
}
