//! Images in replies, in OpenRouter's extension of the dialect: `images: [{"type": "image_url", "image_url": {…}}]`.

use super::data_url;
use crate::event::Media;
use serde_json::{Value, json};

pub fn write(media: &Media) -> Value {
    json!({"type": "image_url", "image_url": {"url": data_url::write(&media.mime, &media.data)}})
}

/// `None` for an image that is somewhere else, and for anything that is none.
pub fn read(item: &Value) -> Option<Media> {
    let url = data_url::parse(item["image_url"]["url"].as_str()?)?;
    Some(Media {
        mime: url.mime?,
        data: url.data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_read_as_it_was_written() {
        let image = Media {
            mime: "image/png".to_owned(),
            data: "iVBORw0KGgo=".to_owned(),
        };
        assert_eq!(read(&write(&image)), Some(image));
        for none in [
            json!(1),
            json!({}),
            json!({"image_url": {"url": "https://host/i.png"}}),
        ] {
            assert_eq!(read(&none), None);
        }
    }
}
