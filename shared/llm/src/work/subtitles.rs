//! When the last subtitle ends, in SubRip (`00:01:02,500`) and WebVTT (`01:02.500`, hours optional).
//!
//! <https://www.w3.org/TR/webvtt1/#webvtt-timestamp>

const ARROW: &str = "-->";

/// In milliseconds; none where there is no subtitle.
pub fn end_ms(text: &str) -> Option<u64> {
    let ends = text.lines().filter_map(|line| {
        let (_, end) = line.split_once(ARROW)?;
        stamp(end.split_whitespace().next()?)
    });
    ends.max()
}

fn stamp(text: &str) -> Option<u64> {
    let (clock, millis) = text.split_once([',', '.'])?;
    let millis: u64 = millis.parse().ok().filter(|millis| *millis < 1_000)?;
    let seconds = clock.split(':').try_fold(0_u64, |sum, part| {
        let part: u64 = part.parse().ok()?;
        sum.checked_mul(60)?.checked_add(part)
    })?;
    seconds.checked_mul(1_000)?.checked_add(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_end_counts_in_either_format() {
        for (text, end) in [
            (
                "1\n00:00:00,000 --> 00:00:02,000\na --> b\n\n2\n00:00:02,000 --> 01:00:03,250\nb\n",
                Some(3_603_250),
            ),
            ("WEBVTT\n\n00:00.000 --> 01:02.500 align:start\na\n", Some(62_500)),
            ("no subtitles", None),
            (
                "99999999999999999999:00:00,000 --> 1:2:3:4:99999999999999999:0,0",
                None,
            ),
            ("a --> ", None),
        ] {
            assert_eq!(end_ms(text), end, "{text}");
        }
    }
}
