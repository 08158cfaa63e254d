//! Server-sent events as strictly as a gateway should write them.

use serde_json::Value;

/// One event; comments are left out.
pub struct Frame<'a> {
    pub event: Option<&'a str>,
    pub data: &'a str,
}

// === impl Frame ===

impl Frame<'_> {
    pub fn json(&self) -> Result<Value, String> {
        serde_json::from_str(self.data).map_err(|error| format!("{error} in {:?}", self.data))
    }
}

/// The frames of a stream whose every frame ends with this blank line.
pub fn frames<'a>(bytes: &'a [u8], end: &str) -> Result<Vec<Frame<'a>>, String> {
    let stream = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let mut frames = Vec::new();
    for frame in stream.split_inclusive(end) {
        let Some(frame) = frame.strip_suffix(end) else {
            return Err(format!("the last frame is not closed: {frame:?}"));
        };
        if !frame.starts_with(':') {
            frames.push(read(frame)?);
        }
    }
    Ok(frames)
}

fn read(frame: &str) -> Result<Frame<'_>, String> {
    let (event, rest) = match frame
        .strip_prefix("event: ")
        .and_then(|rest| rest.split_once('\n'))
    {
        Some((event, rest)) => (Some(event), rest),
        None => (None, frame),
    };
    let data = rest
        .strip_prefix("data: ")
        .filter(|data| !data.contains(['\n', '\r']));
    let data = data.ok_or_else(|| format!("not one line of data: {frame:?}"))?;
    Ok(Frame { event, data })
}
