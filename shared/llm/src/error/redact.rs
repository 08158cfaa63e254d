//! Makes an upstream's words safe to show: no HTML page, no credential, no address, not too long.

const MAX_CHARS: usize = 300;
/// Stands for any HTML page.
const PAGE: &str = "an HTML page instead of an answer; something in front of the provider may be down";
/// More than this is not looked at: upstreams are not trusted with our time either.
const MAX_READ: usize = 16 << 10;
const REDACTED: &str = "[redacted]";

/// How API keys and tokens begin, at the providers we know.
const KEY_PREFIXES: &[&str] = &[
    "sk-", "sk_", "pk-", "AIza", "gsk_", "xai-", "hf_", "nvapi-", "csk-", "fw_", "pplx-", "eyJ",
];

/// Query parameters and assignments whose value is a credential.
const SECRET_ASSIGNMENTS: &[&str] = &["key=", "token=", "secret=", "password="];

/// The last label of a host name. A list, because `messages.0.content` has dots too.
const TOP_LEVEL_DOMAINS: &[&str] = &[
    "com",
    "net",
    "org",
    "ai",
    "io",
    "dev",
    "cn",
    "co",
    "xyz",
    "cloud",
    "app",
    "internal",
    "local",
    "localhost",
];

/// The text without markup, credentials and addresses, at most 300 characters.
pub fn redact(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(MAX_READ)];
    // a page is a proxy's, not the API's: its text names hosts of somebody's network
    if looks_like_html(text) {
        return PAGE.to_owned();
    }
    let mut out = String::with_capacity(text.len().min(4 * MAX_CHARS));
    let mut after_bearer = false;
    let mut rest = text;
    // a credential may end beyond the limit, so cutting comes last
    while !rest.is_empty() && out.len() < 8 * MAX_CHARS {
        let gap = rest.find(is_word).unwrap_or(rest.len());
        out.push_str(&rest[..gap]);
        rest = &rest[gap..];
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let word = rest[..end].trim_end_matches(['.', ':', '?']);
        push_word(&mut out, word, after_bearer);
        if !word.is_empty() {
            after_bearer = word.eq_ignore_ascii_case("bearer");
        }
        out.push_str(&rest[word.len()..end]);
        rest = &rest[end..];
    }
    shorten(&out)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._~+/=:-@%?&#*$".contains(c)
}

fn push_word(out: &mut String, word: &str, after_bearer: bool) {
    if after_bearer || (word.len() >= 8 && KEY_PREFIXES.iter().any(|prefix| word.starts_with(prefix))) {
        return out.push_str(REDACTED);
    }
    if word.contains("://") || is_host(word) {
        return out.push_str("[upstream]");
    }
    let lower = word.to_ascii_lowercase();
    match SECRET_ASSIGNMENTS
        .iter()
        .filter_map(|name| Some(lower.find(name)? + name.len()))
        .min()
    {
        Some(value) => {
            out.push_str(&word[..value]);
            out.push_str(REDACTED);
        }
        None => out.push_str(word),
    }
}

/// `api.example.com`, `api.example.com:443/v1`, `10.0.0.1:8080`.
fn is_host(word: &str) -> bool {
    let authority = word.split('/').next().unwrap_or(word);
    let host = authority.split(':').next().unwrap_or(authority);
    let mut labels = host.split('.').rev();
    let Some(last) = labels.next() else { return false };
    let others: Vec<&str> = labels.collect();
    let is_label =
        |label: &&str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if others.len() == 3 && host.split('.').all(|label| label.parse::<u8>().is_ok()) {
        return true;
    }
    !others.is_empty()
        && others.iter().all(is_label)
        && TOP_LEVEL_DOMAINS
            .iter()
            .any(|domain| last.eq_ignore_ascii_case(domain))
}

fn looks_like_html(text: &str) -> bool {
    let start: String = text
        .trim_start()
        .chars()
        .take(256)
        .collect::<String>()
        .to_ascii_lowercase();
    start.starts_with('<')
        && (start.contains("<html")
            || start.contains("<!doctype")
            || start.contains("</")
            || start.contains("<h"))
}

fn shorten(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", flat[..end].trim_end()),
        None => flat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_addresses_are_removed() {
        for (said, shown) in [
            (
                "invalid x-api-key sk-ant-abc123.",
                "invalid x-api-key [redacted].",
            ),
            (
                "Incorrect API key provided: sk-proj-****abcd. You can",
                "Incorrect API key provided: [redacted]. You can",
            ),
            (
                "got Authorization: Bearer abc.def-ghi, expected",
                "got Authorization: Bearer [redacted], expected",
            ),
            (
                "GET https://api.x.ai/v1?key=AIzaSyA123 failed",
                "GET [upstream] failed",
            ),
            ("bad query key=abcdef&x=1", "bad query key=[redacted]"),
            (
                "dial tcp 10.1.2.3:8080: connection refused",
                "dial tcp [upstream]: connection refused",
            ),
            ("no such host: api.openai.com", "no such host: [upstream]"),
            (
                "messages.0.content.1.text: Field required",
                "messages.0.content.1.text: Field required",
            ),
            ("model gpt-4.1 does not exist", "model gpt-4.1 does not exist"),
            ("limit is 1.5 tokens (see docs)", "limit is 1.5 tokens (see docs)"),
        ] {
            assert_eq!(redact(said), shown);
        }
    }

    #[test]
    fn nothing_of_a_page_is_shown() {
        let page =
            "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>host-7.corp</body></html>";
        assert_eq!(redact(page), PAGE);
        assert_eq!(redact("<unterminated <script>"), "<unterminated <script>");
    }

    #[test]
    fn the_text_is_cut_at_300_characters() {
        let long = redact(&"é".repeat(1000));
        assert_eq!(long.chars().count(), MAX_CHARS + 1);
    }

    #[test]
    fn a_credential_is_redacted_even_where_the_text_is_cut() {
        let text = format!("{} sk-{}", "a ".repeat(145), "x".repeat(100));
        assert!(!redact(&text).contains("xx"));
    }
}
