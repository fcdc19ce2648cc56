//! A film as WebM: still pictures in a row, each a key frame of VP8. A lossy WebP picture holds just such a frame.
//!
//! What the numbers mean is in the WebM guidelines and RFC 8794 (EBML); here is what a film without sound needs.

/// Milliseconds of a cluster: its frames count from its beginning in 16 bits.
const CLUSTER: u64 = 5_000;

/// The frame of VP8 in a WebP file; `None` if it is none, or a lossless one.
pub fn frame_of_webp(file: &[u8]) -> Option<&[u8]> {
    if file.get(..4)? != b"RIFF" || file.get(8..12)? != b"WEBP" {
        return None;
    }
    let mut rest = file.get(12..)?;
    loop {
        let (name, size) = (rest.get(..4)?, rest.get(4..8)?);
        let size = usize::try_from(u32::from_le_bytes(size.try_into().ok()?)).ok()?;
        let chunk = rest.get(8..size.checked_add(8)?)?;
        if name == b"VP8 " {
            return Some(chunk);
        }
        // Chunks are padded to an even length.
        rest = rest.get(8 + size + size % 2..)?;
    }
}

/// The film of these frames, each of which stands for `each` milliseconds.
pub fn film(width: u32, height: u32, each: u64, frames: &[Vec<u8>]) -> Vec<u8> {
    let header = [
        unsigned(0x4286, 1),
        unsigned(0x42F7, 1),
        unsigned(0x42F2, 4),
        unsigned(0x42F3, 8),
        element(0x4282, b"webm"),
        unsigned(0x4287, 4),
        unsigned(0x4285, 2),
    ]
    .concat();
    let length = each as f64 * frames.len() as f64;
    let info = [
        // All times are milliseconds.
        unsigned(0x2A_D7B1, 1_000_000),
        element(0x4489, &length.to_be_bytes()),
        element(0x4D80, b"Zebu"),
        element(0x5741, b"Zebu"),
    ]
    .concat();
    let size = [unsigned(0xB0, width.into()), unsigned(0xBA, height.into())].concat();
    let track = [
        unsigned(0xD7, 1),
        unsigned(0x73C5, 1),
        unsigned(0x9C, 0),
        unsigned(0x83, 1),
        unsigned(0x23_E383, each * 1_000_000),
        element(0x86, b"V_VP8"),
        element(0xE0, &size),
    ]
    .concat();
    let mut segment = [element(0x1549_A966, &info), element(0x1654_AE6B, &element(0xAE, &track))].concat();
    let per_cluster = usize::try_from((CLUSTER / each.max(1)).max(1)).unwrap_or(1);
    let mut start = 0;
    for part in frames.chunks(per_cluster) {
        let mut cluster = unsigned(0xE7, start);
        for (place, frame) in (0..).zip(part) {
            let at = i16::try_from(place * each).unwrap_or(i16::MAX);
            // Track 1, its time in the cluster, a key frame.
            let mut block = vec![0x81];
            block.extend(at.to_be_bytes());
            block.push(0x80);
            block.extend(frame);
            cluster.extend(element(0xA3, &block));
        }
        segment.extend(element(0x1F43_B675, &cluster));
        start += each * part.len() as u64;
    }
    [element(0x1A45_DFA3, &header), element(0x1853_8067, &segment)].concat()
}

fn element(id: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = id.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
    // A size of eight bytes: the first says so, seven count.
    bytes.extend(((1 << 56) | content.len() as u64).to_be_bytes());
    bytes.extend(content);
    bytes
}

fn unsigned(id: u32, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let first = bytes.iter().position(|b| *b != 0).unwrap_or(7);
    element(id, &bytes[first..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The elements at one level: id and content.
    fn read(mut bytes: &[u8]) -> Vec<(u32, &[u8])> {
        let mut found = Vec::new();
        while let Some(first) = bytes.first() {
            let width = first.leading_zeros() as usize + 1;
            let id = bytes[..width].iter().fold(0, |id, b| id << 8 | u32::from(*b));
            let size = u64::from_be_bytes(bytes[width..width + 8].try_into().unwrap()) & ((1 << 56) - 1);
            let end = width + 8 + size as usize;
            found.push((id, &bytes[width + 8..end]));
            bytes = &bytes[end..];
        }
        found
    }

    fn number(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
    }

    #[test]
    fn s2_a_film_is_as_long_as_its_frames_and_holds_each_of_them() {
        let frames: Vec<Vec<u8>> = (0..160u8).map(|n| vec![n; 40 + usize::from(n)]).collect();
        let film = film(640, 360, 50, &frames);
        let top = read(&film);
        assert_eq!(top.iter().map(|e| e.0).collect::<Vec<_>>(), [0x1A45_DFA3, 0x1853_8067]);
        let segment = read(top[1].1);
        let info = read(segment[0].1);
        let length = info.iter().find(|e| e.0 == 0x4489).unwrap().1;
        assert_eq!(f64::from_be_bytes(length.try_into().unwrap()), 8000.0);
        let (mut at, mut seen) = (Vec::new(), Vec::new());
        for (_, cluster) in segment.iter().filter(|e| e.0 == 0x1F43_B675) {
            let inside = read(cluster);
            let start = number(inside[0].1);
            for (_, block) in inside.iter().filter(|e| e.0 == 0xA3) {
                assert_eq!((block[0], block[3]), (0x81, 0x80));
                at.push(start + number(&block[1..3]));
                seen.push(block[4..].to_vec());
            }
        }
        assert_eq!(at, (0..160).map(|n| n * 50).collect::<Vec<_>>());
        assert_eq!(seen, frames);
    }

    #[test]
    fn the_frame_of_a_picture_is_found_and_nothing_in_what_is_none() {
        let chunk = |name: &[u8; 4], content: &[u8]| {
            let mut bytes = name.to_vec();
            bytes.extend((content.len() as u32).to_le_bytes());
            bytes.extend(content);
            bytes.resize(bytes.len() + content.len() % 2, 0);
            bytes
        };
        let webp = |chunks: &[Vec<u8>]| [b"RIFF\0\0\0\0WEBP".to_vec(), chunks.concat()].concat();
        let plain = webp(&[chunk(b"VP8 ", b"frame")]);
        assert_eq!(frame_of_webp(&plain), Some(&b"frame"[..]));
        let more = webp(&[chunk(b"VP8X", b"123"), chunk(b"ALPH", b"1"), chunk(b"VP8 ", b"frame")]);
        assert_eq!(frame_of_webp(&more), Some(&b"frame"[..]));
        for (what, bytes) in [
            ("lossless", webp(&[chunk(b"VP8L", b"frame")])),
            ("png", b"\x89PNG\r\n\x1a\n0000000000".to_vec()),
            ("cut off", plain[..18].to_vec()),
            ("nothing", Vec::new()),
            ("a size beyond the end", [b"RIFF\0\0\0\0WEBPVP8 ".to_vec(), vec![0xff; 8]].concat()),
        ] {
            assert_eq!(frame_of_webp(&bytes), None, "{what}");
        }
    }
}
