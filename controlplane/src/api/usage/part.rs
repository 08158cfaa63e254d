//! Looking for a part of a text.

/// What finds it with `ilike`; none for nothing to look for. Nothing in the part means anything else than itself.
pub fn contains(part: Option<&str>) -> Option<String> {
    let part = part.filter(|part| !part.is_empty())?;
    let mut pattern = String::from("%");
    for letter in part.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    Some(pattern + "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_text_is_that_and_no_pattern() {
        assert_eq!(contains(Some("gpt-4_5%")).as_deref(), Some("%gpt-4\\_5\\%%"));
        assert_eq!(contains(Some("")), None);
    }
}
