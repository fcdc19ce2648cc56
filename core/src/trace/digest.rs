//! A running hash of plain data, the same on every target: the proof that two runs are one.
//!
//! Anything that serde can write can be hashed: what is hashed is the shape and the values, never addresses, never
//! the width of `usize`. Maps are hashed in the order they give, so only ordered ones may be.

use core::fmt;
use serde::ser::{self, Serialize};

/// The hash so far (64-bit words folded by multiplication and rotation; no secrecy is meant).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Digest {
        Digest::new()
    }
}

impl Digest {
    /// Nothing hashed yet.
    pub const fn new() -> Digest {
        Digest(0x6a09_e667_f3bc_c908)
    }

    /// Adds a word.
    pub const fn word(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = (mixed ^ (mixed >> 29)).rotate_left(23);
    }

    /// Adds bytes and their number.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
        let mut word = [0; 8];
        word[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
        self.word(u64::from_le_bytes(word));
        self.word(bytes.len() as u64);
    }

    /// Adds a value.
    ///
    /// # Panics
    /// If the value refuses to be serialised, which the types of this crate never do.
    pub fn value(&mut self, value: &(impl Serialize + ?Sized)) {
        value.serialize(&mut *self).expect("the crate's own types serialise");
    }

    /// The hash of everything added.
    pub const fn finish(self) -> u64 {
        let z = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        z ^ (z >> 32)
    }
}

/// Lets types with `Hash` be added. Lengths and variants are taken as 64-bit words, whatever `usize` is here.
impl core::hash::Hasher for Digest {
    fn finish(&self) -> u64 {
        Digest::finish(*self)
    }
    fn write(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
    }
    fn write_u8(&mut self, n: u8) {
        self.word(n.into());
    }
    fn write_u16(&mut self, n: u16) {
        self.word(n.into());
    }
    fn write_u32(&mut self, n: u32) {
        self.word(n.into());
    }
    fn write_u64(&mut self, n: u64) {
        self.word(n);
    }
    fn write_usize(&mut self, n: usize) {
        self.word(n as u64);
    }
    fn write_i8(&mut self, n: i8) {
        self.word(n as u64);
    }
    fn write_i16(&mut self, n: i16) {
        self.word(n as u64);
    }
    fn write_i32(&mut self, n: i32) {
        self.word(n as u64);
    }
    fn write_i64(&mut self, n: i64) {
        self.word(n as u64);
    }
    fn write_isize(&mut self, n: isize) {
        self.word(n as u64);
    }
}

/// Why a value can't be hashed.
#[derive(Debug)]
pub struct NotPlain;

impl fmt::Display for NotPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value refuses to be serialised")
    }
}
impl core::error::Error for NotPlain {}
impl ser::Error for NotPlain {
    fn custom<T: fmt::Display>(_: T) -> NotPlain {
        NotPlain
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, v: $type) -> Result<(), NotPlain> {
            self.word(v as u64);
            Ok(())
        }
    )*};
}

impl ser::Serializer for &mut Digest {
    type Ok = ();
    type Error = NotPlain;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers!(serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
             serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_char: char);

    fn serialize_f32(self, v: f32) -> Result<(), NotPlain> {
        self.word(v.to_bits().into());
        Ok(())
    }
    fn serialize_f64(self, v: f64) -> Result<(), NotPlain> {
        self.word(v.to_bits());
        Ok(())
    }
    fn serialize_str(self, v: &str) -> Result<(), NotPlain> {
        self.bytes(v.as_bytes());
        Ok(())
    }
    fn serialize_bytes(self, v: &[u8]) -> Result<(), NotPlain> {
        self.bytes(v);
        Ok(())
    }
    fn serialize_none(self) -> Result<(), NotPlain> {
        self.word(0);
        Ok(())
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotPlain> {
        self.word(1);
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), NotPlain> {
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NotPlain> {
        Ok(())
    }
    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<(), NotPlain> {
        self.word(index.into());
        Ok(())
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), NotPlain> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotPlain> {
        self.word(index.into());
        value.serialize(self)
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<Self, NotPlain> {
        self.word(len.map_or(u64::MAX, |n| n as u64));
        Ok(self)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self, NotPlain> {
        Ok(self)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NotPlain> {
        Ok(self)
    }
    fn serialize_tuple_variant(self, _: &'static str, i: u32, _: &'static str, _: usize) -> Result<Self, NotPlain> {
        self.word(i.into());
        Ok(self)
    }
    fn serialize_map(self, len: Option<usize>) -> Result<Self, NotPlain> {
        self.word(len.map_or(u64::MAX, |n| n as u64));
        Ok(self)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NotPlain> {
        Ok(self)
    }
    fn serialize_struct_variant(self, _: &'static str, i: u32, _: &'static str, _: usize) -> Result<Self, NotPlain> {
        self.word(i.into());
        Ok(self)
    }
}

macro_rules! compound {
    ($($trait:ident :: $method:ident),*) => {$(
        impl ser::$trait for &mut Digest {
            type Ok = ();
            type Error = NotPlain;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotPlain> {
                value.serialize(&mut **self)
            }
            fn end(self) -> Result<(), NotPlain> {
                Ok(())
            }
        }
    )*};
}
compound!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! named {
    ($($trait:ident),*) => {$(
        impl ser::$trait for &mut Digest {
            type Ok = ();
            type Error = NotPlain;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), NotPlain> {
                value.serialize(&mut **self)
            }
            fn end(self) -> Result<(), NotPlain> {
                Ok(())
            }
        }
    )*};
}
named!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for &mut Digest {
    type Ok = ();
    type Error = NotPlain;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotPlain> {
        key.serialize(&mut **self)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotPlain> {
        value.serialize(&mut **self)
    }
    fn end(self) -> Result<(), NotPlain> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collections::BTreeMap;
    use alloc::vec;

    fn of(value: &impl Serialize) -> u64 {
        let mut d = Digest::new();
        d.value(value);
        d.finish()
    }

    #[test]
    fn different_values_differ_and_boundaries_count() {
        assert_eq!(of(&("ab", "c")), of(&("ab", "c")));
        assert_ne!(of(&("ab", "c")), of(&("a", "bc")));
        assert_ne!(of(&vec![0u8, 0]), of(&vec![0u8]));
        assert_ne!(of(&Some(0u8)), of(&None::<u8>));
        assert_ne!(of(&vec![vec![1u8], vec![]]), of(&vec![vec![], vec![1u8]]));
        assert_ne!(of(&BTreeMap::from([(1, 2)])), of(&BTreeMap::from([(2, 1)])));
    }

    #[test]
    fn the_value_is_the_same_on_every_target() {
        assert_eq!(of(&(1u32, "zebu", [Some(-1i64), None])), 13_713_410_173_552_378_054);
    }
}
