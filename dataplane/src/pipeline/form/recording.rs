//! How long a recording is, as far as its size and its first bytes tell. Most providers say so themselves, afterwards.

/// Of MP3 and AAC as they are commonly made: 128 kbit/s.
const BYTES_PER_SECOND: u64 = 16_000;
/// Where a WAV file of the usual layout says how many bytes make a second:
/// <http://soundfile.sapp.org/doc/WaveFormat/>
const BYTE_RATE: std::ops::Range<usize> = 28..32;
const MILLIS: u64 = 1_000;

/// In milliseconds, of a file that begins so and has so many bytes.
pub fn guess_ms(head: &[u8], len: u64) -> u64 {
    let rate = byte_rate(head).filter(|rate| *rate > 0);
    len.saturating_mul(MILLIS)
        .div_ceil(rate.unwrap_or(BYTES_PER_SECOND))
}

fn byte_rate(head: &[u8]) -> Option<u64> {
    let is_wave = head.starts_with(b"RIFF") && head.get(8..16)? == b"WAVEfmt ";
    let rate: [u8; 4] = head.get(BYTE_RATE)?.try_into().ok()?;
    is_wave.then(|| u32::from_le_bytes(rate).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_says_its_rate_and_anything_else_is_taken_for_an_mp3() {
        let mut wave = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        wave.extend_from_slice(&16_000_u32.to_le_bytes());
        wave.extend_from_slice(&32_000_u32.to_le_bytes());
        assert_eq!(guess_ms(&wave, 320_000), 10_000);
        assert_eq!(guess_ms(b"ID3", 320_000), 20_000);
        assert_eq!(guess_ms(b"", 1), 1);
        wave[28..32].fill(0);
        assert_eq!(guess_ms(&wave, 16_000), 1_000, "no file is endless");
        assert_eq!(guess_ms(b"RIFF\0\0\0\0WAVEfmt ", 16_000), 1_000);
    }
}
