//! Whose pages may call from a browser.

use http::HeaderValue;
use std::collections::HashSet;

/// What stands for every page.
const ANY: &str = "*";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    Any,
    /// As browsers write them: scheme, host and a port that is not the scheme's own.
    These(HashSet<Box<str>>),
}

// === impl Origins ===

impl Origins {
    /// Of a comma list; with `*` anywhere in it, any.
    pub fn of_list(list: &str) -> Self {
        Self::of(list.split(',').map(str::trim).filter(|origin| !origin.is_empty()))
    }

    /// Of a configured list; an empty one says nothing.
    pub(super) fn configured(origins: &[String]) -> Option<Self> {
        (!origins.is_empty()).then(|| Self::of(origins.iter().map(String::as_str)))
    }

    /// Pages of `origin`, as a browser names it.
    pub fn allow(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Any => true,
            Self::These(origins) => origin.to_str().is_ok_and(|origin| origins.contains(origin)),
        }
    }

    fn of<'a>(origins: impl Iterator<Item = &'a str>) -> Self {
        let origins: HashSet<Box<str>> = origins.map(Box::from).collect();
        match origins.contains(ANY) {
            true => Self::Any,
            false => Self::These(origins),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_call_when_its_origin_is_listed_as_it_is() {
        let listed = Origins::of_list("https://app.example, http://localhost:3000,");
        for (origins, origin, allowed) in [
            (&listed, "https://app.example", true),
            (&listed, "http://localhost:3000", true),
            (&listed, "http://localhost", false),
            (&listed, "http://app.example", false),
            (&listed, "https://app.example.evil.test", false),
            (&listed, "null", false),
            (&listed, "", false),
            (&Origins::of_list(""), "https://app.example", false),
            (
                &Origins::of_list("https://a.example, *"),
                "https://b.example",
                true,
            ),
        ] {
            let origin = HeaderValue::from_static(origin);
            assert_eq!(origins.allow(&origin), allowed, "{origin:?} of {origins:?}");
        }
        assert_eq!(Origins::configured(&[]), None);
        assert_eq!(Origins::configured(&["*".to_owned()]), Some(Origins::Any));
    }
}
