//! How snapshot files are packed, as Apache's server does it: not at all, as a gzip stream, or as the framed stream of
//! snappy-java, which is a magic and two versions, then blocks, each behind its length. Piece by piece both ways, so
//! that neither a large file nor one that claims to be large has to be in memory.

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use snap::raw;
use std::io::{self, Read, Write};
use zebu_core::disk::names::Compression;

/// What a snappy stream begins with, and the versions behind it: its own, and the oldest that can read it.
pub const SNAPPY_MAGIC: &[u8] = b"\x82SNAPPY\0";
const SNAPPY_VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];

/// What a gzip stream begins with.
pub const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// So many bytes are packed into a snappy block, as snappy-java does it.
const BLOCK: usize = 32 << 10;

/// The most that a block of somebody else's may unpack to.
const BLOCK_MAX: usize = 1 << 20;

/// Packs what is written to it.
pub enum Packer<W: Write> {
    /// Not at all.
    Plain(W),
    /// With the same effort as Apache's server.
    Gzip(GzEncoder<W>),
    /// Boxed: it has a table of its own.
    Snappy(Box<SnappyWriter<W>>),
}

impl<W: Write> Packer<W> {
    /// Begins the stream.
    ///
    /// # Errors
    /// What `out` says.
    pub fn new(out: W, compression: Compression) -> io::Result<Packer<W>> {
        Ok(match compression {
            Compression::None => Packer::Plain(out),
            Compression::Gzip => Packer::Gzip(GzEncoder::new(out, flate2::Compression::default())),
            Compression::Snappy => Packer::Snappy(Box::new(SnappyWriter::new(out)?)),
        })
    }

    /// Ends the stream and gives back where it went.
    ///
    /// # Errors
    /// What that says.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Packer::Plain(out) => Ok(out),
            Packer::Gzip(encoder) => encoder.finish(),
            Packer::Snappy(writer) => writer.finish(),
        }
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Packer::Plain(out) => out.write(bytes),
            Packer::Gzip(encoder) => encoder.write(bytes),
            Packer::Snappy(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Packer::Plain(out) => out.flush(),
            Packer::Gzip(encoder) => encoder.flush(),
            Packer::Snappy(writer) => writer.out.flush(),
        }
    }
}

/// Writes snappy-java's stream.
pub struct SnappyWriter<W> {
    out: W,
    encoder: raw::Encoder,
    /// What is not packed yet: less than a block.
    block: Vec<u8>,
}

impl<W: Write> SnappyWriter<W> {
    fn new(mut out: W) -> io::Result<SnappyWriter<W>> {
        out.write_all(SNAPPY_MAGIC)?;
        out.write_all(&SNAPPY_VERSIONS)?;
        Ok(SnappyWriter { out, encoder: raw::Encoder::new(), block: Vec::with_capacity(BLOCK) })
    }

    fn end_block(&mut self) -> io::Result<()> {
        let packed = self.encoder.compress_vec(&self.block).map_err(io::Error::other)?;
        let length = u32::try_from(packed.len()).map_err(io::Error::other)?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(&packed)?;
        self.block.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        Ok(self.out)
    }
}

impl<W: Write> Write for SnappyWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(BLOCK - self.block.len());
        self.block.extend(bytes.iter().take(taken));
        if self.block.len() == BLOCK {
            self.end_block()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads what was packed into `input`.
pub fn unpacked<'a>(input: impl Read + 'a, compression: Compression) -> Box<dyn Read + 'a> {
    match compression {
        Compression::None => Box::new(input),
        Compression::Gzip => Box::new(Named("gzip", GzDecoder::new(input))),
        Compression::Snappy => {
            let (decoder, block) = (raw::Decoder::new(), io::Cursor::default());
            Box::new(Named("snappy", SnappyReader { input, decoder, begun: false, block }))
        }
    }
}

/// Puts a name in front of what goes wrong with the stream; what the system refuses stays as it is.
struct Named<R>(&'static str, R);

impl<R: Read> Read for Named<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1.read(out).map_err(|error| match error.raw_os_error() {
            Some(_) => error,
            None => io::Error::new(error.kind(), format!("{}: {error}", self.0)),
        })
    }
}

/// Reads snappy-java's stream.
struct SnappyReader<R> {
    input: R,
    decoder: raw::Decoder,
    begun: bool,
    block: io::Cursor<Vec<u8>>,
}

fn wrong(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<R: Read> SnappyReader<R> {
    /// Fills as much of `out` as there is.
    fn fill(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// `false` behind the last block.
    fn next_block(&mut self) -> io::Result<bool> {
        if !self.begun {
            let mut head = [0; SNAPPY_MAGIC.len() + SNAPPY_VERSIONS.len()];
            if self.fill(&mut head)? < head.len() || !head.starts_with(SNAPPY_MAGIC) {
                return Err(wrong("it is no such stream"));
            }
            self.begun = true;
        }
        let mut head = [0; 4];
        match self.fill(&mut head)? {
            0 => return Ok(false),
            4 => {}
            _ => return Err(wrong("cut inside a block's length")),
        }
        let length = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
        if length > raw::max_compress_len(BLOCK_MAX) {
            return Err(wrong(format!("a block of {length} bytes")));
        }
        let mut packed = vec![0; length];
        if self.fill(&mut packed)? < length {
            return Err(wrong("cut inside a block"));
        }
        // A block says itself how much it unpacks to; more than that is not believed.
        let size = raw::decompress_len(&packed).map_err(wrong)?;
        if size > BLOCK_MAX {
            return Err(wrong(format!("a block that unpacks to {size} bytes")));
        }
        self.block = io::Cursor::new(self.decoder.decompress_vec(&packed).map_err(wrong)?);
        Ok(true)
    }
}

impl<R: Read> Read for SnappyReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.block.read(out)?;
            if count > 0 || out.is_empty() || !self.next_block()? {
                return Ok(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(bytes: &[u8], compression: Compression, piece: usize) -> Vec<u8> {
        let mut packer = Packer::new(Vec::new(), compression).expect("begun");
        bytes.chunks(piece).for_each(|piece| packer.write_all(piece).expect("written"));
        packer.finish().expect("ended")
    }

    fn unpack(bytes: &[u8], compression: Compression) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        unpacked(bytes, compression).read_to_end(&mut out).map_err(|e| e.to_string())?;
        Ok(out)
    }

    #[test]
    fn what_was_packed_comes_back_whatever_the_pieces() {
        let bytes: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
        for compression in [Compression::None, Compression::Gzip, Compression::Snappy] {
            for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, bytes.len()] {
                for piece in [7, BLOCK, bytes.len()] {
                    let packed = pack(&bytes[..length], compression, piece);
                    let got = unpack(&packed, compression);
                    assert_eq!(got.as_deref(), Ok(&bytes[..length]), "{compression:?}, {length}, {piece}");
                }
            }
        }
    }

    #[test]
    fn a_snappy_stream_is_the_one_of_snappy_java() {
        let packed = pack(&[b'a'; BLOCK + 5], Compression::Snappy, 999);
        assert_eq!(packed[..16], *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
        let first = u32::from_be_bytes(packed[16..20].try_into().expect("four")) as usize;
        assert_eq!(raw::decompress_len(&packed[20..20 + first]).ok(), Some(BLOCK), "whole blocks first");
        let second = &packed[20 + first..];
        assert_eq!(second.len(), 4 + u32::from_be_bytes(second[..4].try_into().expect("four")) as usize);
        assert_eq!(raw::decompress_len(&second[4..]).ok(), Some(5));
    }

    #[test]
    fn a_cut_or_wrong_stream_is_named() {
        let whole = pack(&[b'a'; 3 * BLOCK], Compression::Snappy, BLOCK);
        let second = 20 + u32::from_be_bytes(whole[16..20].try_into().expect("four")) as usize;
        let mut huge = whole.clone();
        huge[16] = 0x7f;
        let mut large = whole.clone();
        // The block's own length, seven bits a byte.
        large[20..25].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
        for (bytes, why) in [
            (&b""[..], "snappy: it is no such stream"),
            (&whole[..15], "snappy: it is no such stream"),
            (b"\x82SNAPPI\0\0\0\0\x01\0\0\0\x01", "snappy: it is no such stream"),
            (&whole[..second + 3], "snappy: cut inside a block's length"),
            (&whole[..whole.len() - 1], "snappy: cut inside a block"),
            (&huge, "snappy: a block of 2130"),
            (&large, "snappy: a block that unpacks to"),
        ] {
            let error = unpack(bytes, Compression::Snappy).expect_err(why);
            assert!(error.starts_with(why), "{error}");
        }
        let whole = pack(&[b'a'; 3 * BLOCK], Compression::Gzip, BLOCK);
        for length in 0..whole.len() {
            assert!(unpack(&whole[..length], Compression::Gzip).expect_err("cut").starts_with("gzip: "), "{length}");
        }
    }
}
