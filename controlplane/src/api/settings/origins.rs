//! Whose pages may call data planes from a browser: a list of origins, as browsers write them.

use url::Url;

use crate::http::Violations;

const FIELD: &str = "corsOrigins";
const CHARS: usize = 500;
const ANY: &str = "*";

pub fn check(violations: &mut Violations, list: &str) {
    violations.length(FIELD, list, 0..=CHARS);
    for origin in entries(list) {
        if origin != ANY && origin_of(origin).is_none() {
            let problem = format!("`{origin}` is no origin such as https://app.example, and not `*`");
            violations.add(FIELD, problem);
        }
    }
    if entries(list).any(|origin| origin == ANY) && entries(list).count() > 1 {
        violations.add(FIELD, "`*` is everybody, and stands alone");
    }
}

/// The list as it is stored: without blanks, every origin once and as browsers write it. None where nobody is named.
pub fn canonical(list: &str) -> Option<String> {
    let mut origins: Vec<String> = Vec::new();
    for origin in entries(list).filter_map(|entry| match entry {
        ANY => Some(ANY.to_owned()),
        entry => origin_of(entry),
    }) {
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    (!origins.is_empty()).then(|| origins.join(","))
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// Browsers write schemes and hosts in small letters and no port that is the scheme's own. Extensions and embedded
/// browsers have schemes of their own.
fn origin_of(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let is_bare = url.path().trim_end_matches('/').is_empty()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let host = url.host_str().filter(|host| is_bare && !host.is_empty())?;
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    Some(format!("{}://{}{port}", url.scheme(), host.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_stored_as_browsers_write_it() {
        for (given, stored) in [
            ("*", Some("*")),
            ("https://app.example", Some("https://app.example")),
            (
                " HTTPS://App.Example:443/ , http://localhost:3000",
                Some("https://app.example,http://localhost:3000"),
            ),
            ("https://a.example,https://a.example/", Some("https://a.example")),
            ("https://[::1]:8443", Some("https://[::1]:8443")),
            ("https://bücher.example", Some("https://xn--bcher-kva.example")),
            ("chrome-extension://AbCdEf", Some("chrome-extension://abcdef")),
            ("", None),
            (" , ", None),
        ] {
            let mut violations = Violations::default();
            check(&mut violations, given);
            assert!(violations.into_result().is_ok(), "{given}");
            assert_eq!(canonical(given).as_deref(), stored, "{given}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        let long = format!("https://{}.example", "x".repeat(500));
        for given in [
            "app.example",
            "https://app.example/path",
            "https://app.example?x",
            "https://user@app.example",
            "https://",
            "mailto:somebody",
            "null",
            "*.example",
            "*, https://app.example",
            &long,
        ] {
            let mut violations = Violations::default();
            check(&mut violations, given);
            assert!(violations.into_result().is_err(), "{given}");
        }
    }
}
