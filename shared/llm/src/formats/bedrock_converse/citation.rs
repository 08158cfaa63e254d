//! Citations. Clients are only told of web pages, in the words of Anthropic's API, which every encoder knows.

use serde_json::{Value, json};

/// A citation of a document stays as it came: it means nothing outside this API.
pub fn neutral(citation: Value) -> Value {
    let url = citation.pointer("/location/web/url").and_then(Value::as_str);
    let Some(url) = url else {
        return citation;
    };
    json!({
        "type": "web_search_result_location",
        "url": url,
        "title": citation["title"].as_str().unwrap_or_default(),
        "cited_text": citation.pointer("/sourceContent/0/text").and_then(Value::as_str).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cited_in_the_words_that_encoders_know() {
        let page = json!({"title": "E", "location": {"web": {"url": "https://e.x", "domain": "e.x"}},
            "sourceContent": [{"text": "c"}]});
        assert_eq!(
            neutral(page),
            json!({"type": "web_search_result_location", "url": "https://e.x", "title": "E", "cited_text": "c"})
        );
        let document =
            json!({"title": "D", "location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}}});
        assert_eq!(neutral(document.clone()), document);
    }
}
