//! `annotations`: flat here, nested in Chat Completions, whose shape the neutral model keeps.

use serde_json::{Value, json};

const WEB: [&str; 4] = ["start_index", "end_index", "title", "url"];

/// The neutral citation of an annotation; one that is not of a web page is kept as it is.
pub fn read(annotation: &Value) -> Value {
    if annotation["type"] != "url_citation" || annotation.get("url_citation").is_some() {
        return annotation.clone();
    }
    let members = WEB
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), annotation.get(*name)?.clone())));
    let nested: serde_json::Map<String, Value> = members.collect();
    json!({"type": "url_citation", "url_citation": nested})
}

/// The annotation of a text of this many code points. Only web pages can be cited to a client of this dialect.
pub fn write(citation: &Value, chars: usize) -> Option<Value> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let (page, start, end) = match citation["type"].as_str()? {
        "url_citation" => {
            let page = citation.get("url_citation").unwrap_or(citation);
            (page, page["start_index"].as_u64(), page["end_index"].as_u64())
        }
        "web_search_result_location" => (citation, None, None),
        _ => return None,
    };
    Some(json!({
        "type": "url_citation",
        "start_index": start.unwrap_or(0),
        "end_index": end.unwrap_or(chars as u64),
        "url": text(page, "url")?,
        "title": text(page, "title").unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cited_page_is_the_same_after_a_round_trip() {
        let flat = json!({"type": "url_citation", "start_index": 1, "end_index": 4, "url": "https://e.x", "title": "E"});
        assert_eq!(write(&read(&flat), 9), Some(flat));
        let page = json!({"type": "web_search_result_location", "url": "https://e.x", "title": "E"});
        assert_eq!(write(&page, 9).unwrap()["end_index"], 9);
        assert_eq!(
            write(&json!({"type": "char_location", "document_index": 0}), 9),
            None
        );
    }
}
