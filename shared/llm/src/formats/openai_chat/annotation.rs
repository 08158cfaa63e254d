//! Citations as `annotations`. This dialect only knows web pages; what cites a document is left out.

use serde_json::{Value, json};

/// `start` and `end`: where the citing text lies in the choice's whole text, in code points.
pub fn of(citation: &Value, start: usize, end: usize) -> Option<Value> {
    let text = |name: &str| citation.get(name).and_then(Value::as_str);
    match text("type")? {
        "url_citation" => Some(citation.clone()),
        "web_search_result_location" => Some(json!({
            "type": "url_citation",
            "url_citation": {
                "start_index": start,
                "end_index": end,
                "title": text("title").unwrap_or_default(),
                "url": text("url")?,
            },
        })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_are_cited() {
        let page = json!({"type": "web_search_result_location", "url": "https://e.x", "title": "E", "cited_text": "c"});
        let annotation = of(&page, 3, 9).unwrap();
        assert_eq!(
            annotation,
            json!({"type": "url_citation",
                "url_citation": {"start_index": 3, "end_index": 9, "title": "E", "url": "https://e.x"}})
        );
        assert_eq!(of(&annotation, 0, 0), Some(annotation));
        assert_eq!(
            of(&json!({"type": "char_location", "document_index": 0}), 0, 1),
            None
        );
    }
}
