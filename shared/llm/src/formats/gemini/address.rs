//! Addresses that Google's servers resolve themselves, wherever they were written.

/// An upload of the Files API or a storage bucket, or a film that the vendor lets one name by its page:
/// <https://ai.google.dev/gemini-api/docs/video-understanding#youtube>.
pub fn is_own(uri: &str) -> bool {
    is_uploaded(uri)
        || [
            "https://www.youtube.com/",
            "https://youtube.com/",
            "https://youtu.be/",
        ]
        .iter()
        .any(|start| uri.starts_with(start))
}

pub fn is_uploaded(uri: &str) -> bool {
    uri.starts_with("gs://")
        || uri.starts_with("files/")
        || (uri.contains("googleapis.com/") && uri.contains("/files/"))
}
