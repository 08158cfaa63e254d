//! The parts together: a client talks to a simulator, keys in Redis go with their test.

use redis::Commands;
use serde_json::json;
use std::time::Duration;
use testkit::{Behaviour, Client, Fault, FaultProxy, Simulator, client, service, wait_until};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn a_client_reads_answers_and_streams_event_by_event() {
    let simulator = Simulator::openai().await;
    let client = Client::new(format!("http://{}", simulator.address())).key("sk-test");
    let ask =
        |stream| json!({"model": "demo", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]});
    let reply = client.post(CHAT, &ask(false)).await.unwrap();
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("application/json"))
    );
    let text = reply.json()["choices"][0]["message"]["content"]
        .as_str()
        .unwrap()
        .to_owned();

    let stream = client.stream(CHAT, &ask(true)).await.unwrap();
    let mut events = stream.rest().await.unwrap();
    assert_eq!(events.pop().as_deref(), Some("[DONE]"));
    let events = events
        .iter()
        .map(|event| serde_json::from_str::<serde_json::Value>(event).unwrap());
    let said: String = events
        .filter_map(|event| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned()))
        .collect();
    assert_eq!(said, text);
}

#[tokio::test]
async fn a_stream_that_is_dropped_is_a_client_that_leaves() {
    let simulator = Simulator::openai().await;
    simulator.script(Behaviour {
        gap: Duration::from_millis(20),
        ..Behaviour::default()
    });
    let client = Client::new(format!("http://{}", simulator.address())).key("sk-test");
    let ask = json!({"model": "demo", "stream": true, "messages": [{"role": "user", "content": "Hi"}]});
    let mut stream = client.stream(CHAT, &ask).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    wait_until("the provider to notice", Duration::from_secs(10), async || {
        simulator.requests()[0].dropped.then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_provider_can_be_cut_off_behind_its_back() {
    let simulator = Simulator::openai().await;
    let proxy = FaultProxy::to(simulator.address()).await;
    let client = Client::new(format!("http://{}", proxy.address())).key("sk-test");
    assert_eq!(client.get("/v1/models").await.unwrap().status, 200);
    proxy.set(Fault::Reset);
    client.get("/v1/models").await.unwrap_err();
    proxy.set(Fault::None);
    assert_eq!(client.get("/v1/models").await.unwrap().status, 200);
}

#[tokio::test]
async fn bytes_that_are_no_http_can_be_sent() {
    let simulator = Simulator::openai().await;
    let patience = Duration::from_secs(10);
    let answer = client::exchange(simulator.address(), b"BLAH\r\n\r\n", patience)
        .await
        .unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 400 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[test]
fn keys_go_with_their_test_and_no_others_do() {
    let (mine, other) = (service::redis(), service::redis());
    let mut connection = redis::Client::open(mine.url.as_str())
        .unwrap()
        .get_connection()
        .unwrap();
    let (mine_key, other_key) = (format!("{{{}}}:a", mine.prefix), format!("{}:a", other.prefix));
    for key in [&mine_key, &other_key] {
        connection.set::<_, _, ()>(key, 1).unwrap();
    }
    drop(mine);
    assert!(!connection.exists::<_, bool>(&mine_key).unwrap());
    assert!(connection.exists::<_, bool>(&other_key).unwrap());
}
