//! `data:` URLs, in which this dialect carries images and files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[derive(Debug, PartialEq, Eq)]
pub struct DataUrl {
    /// Lower case, without parameters, with aliases resolved.
    pub mime: Option<String>,
    /// Base64.
    pub data: String,
}

/// `data:<mime>[;parameter]*[;base64],<data>`; `None` when it is not of that form.
pub fn parse(url: &str) -> Option<DataUrl> {
    let (head, data) = strip_scheme(url)?.split_once(',')?;
    let mut fields = head.split(';');
    let mime = fields
        .next()
        .map(str::trim)
        .filter(|mime| !mime.is_empty())
        .map(canonical);
    let is_base64 = fields.any(|field| field.trim().eq_ignore_ascii_case("base64"));
    let data = if is_base64 {
        data.to_owned()
    } else {
        STANDARD.encode(percent_decode(data))
    };
    Some(DataUrl { mime, data })
}

pub fn is_data_url(url: &str) -> bool {
    strip_scheme(url).is_some()
}

pub fn write(mime: &str, data: &str) -> String {
    format!("data:{mime};base64,{data}")
}

fn strip_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_at_checked("data:".len())?;
    scheme.eq_ignore_ascii_case("data:").then_some(rest)
}

fn canonical(mime: &str) -> String {
    match mime.to_ascii_lowercase().as_str() {
        "image/jpg" => "image/jpeg".to_owned(),
        other => other.to_owned(),
    }
}

/// A `%` that begins no escape stands for itself.
fn percent_decode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten().and_then(hex);
        out.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    out
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_legal_form_is_read() {
        for (url, mime, data) in [
            ("data:image/png;base64,AAAA", Some("image/png"), "AAAA"),
            (
                "DATA:image/JPG;charset=utf-8;base64,AA==",
                Some("image/jpeg"),
                "AA==",
            ),
            ("data:text/plain,a%20b%", Some("text/plain"), "YSBiJQ=="),
            ("data:;base64,AA==", None, "AA=="),
        ] {
            let expected = DataUrl {
                mime: mime.map(str::to_owned),
                data: data.to_owned(),
            };
            assert_eq!(parse(url), Some(expected), "{url}");
        }
        assert_eq!(parse("data:image/png;base64"), None);
        assert_eq!(parse("https://example.com/a,b"), None);
        assert_eq!(parse("dat"), None);
    }
}
