//! The same for what is asked for beside chat.

use super::*;

/// The same answer, and the same cost: none.
#[tokio::test]
async fn what_is_asked_for_beside_chat_is_carried_out_once_under_its_name() {
    let pictures = "/v1/images/generations";
    for (path, body, media_type) in [
        (
            "/v1/embeddings",
            json!({ "model": "openai/vectors", "input": "one two" }),
            "application/json",
        ),
        (
            pictures,
            json!({ "model": "openai/painter", "prompt": "a boat" }),
            "application/json",
        ),
        (
            pictures,
            json!({ "model": "openai/painter", "prompt": "a boat", "stream": true, "partial_images": 1 }),
            "text/event-stream; charset=utf-8",
        ),
        (
            "/v1/moderations",
            json!({ "model": "openai/judge", "input": "one" }),
            "application/json",
        ),
        (
            "/v1/audio/speech",
            json!({ "model": "openai/tts-1", "input": "one", "voice": "alloy" }),
            "audio/wav",
        ),
        (
            "/v1/audio/speech",
            json!({ "model": "openai/reader", "input": "one", "voice": "alloy", "stream_format": "sse" }),
            "text/event-stream; charset=utf-8",
        ),
    ] {
        let world = World::in_memory().await;
        let [one, other] = &world.data_planes;
        let ask = async |data_plane: &DataPlane, name: &str| {
            let request = data_plane.post(path).bearer_auth(KEY);
            let request = request.header("idempotency-key", name).body(body.to_string());
            got(request.send().await.unwrap()).await
        };
        let first = ask(one, "a").await;
        assert_eq!((first.status, first.replay), (200, false), "{path}");
        assert_eq!(first.content_type, media_type, "{path}");
        for data_plane in [one, other] {
            let again = ask(data_plane, "a").await;
            let expected = Got {
                replay: true,
                ..first.clone()
            };
            assert_eq!(again, expected, "{path}");
        }
        assert_eq!(world.calls(), 1, "{path}");
        assert!(!ask(one, "b").await.replay, "{path}");
        let events = events(&world.data_planes, 4).await;
        let replayed: Vec<_> = events
            .iter()
            .filter(|event| event.served_from == "replay")
            .collect();
        assert_eq!(replayed.len(), 2, "{path}");
        for event in replayed {
            let used = event.input_uncached + event.output_visible + event.images + event.characters;
            assert_eq!((event.cost_nano, used), (Some(0), 0), "{path}");
        }
    }
}
