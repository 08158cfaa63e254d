//! Calls to providers through proxies: which one, and never beside it.

use crate::harness::{DataPlane, Setup, json};
use dataplane::pipeline::try_proxy;
use proto::v1::{OutboundProxy, SealedSecret, TryProxy, resource::Body};
use runtime::crypto::{ClusterKeys, seal_derived};
use std::net::SocketAddr;
use testkit::snapshot::CLUSTER_SECRET;
use testkit::{ForwardProxy, Simulator};

/// The id of the resource, and the resource.
fn proxy(level: &str, target: &str, at: SocketAddr) -> (String, OutboundProxy) {
    let id = match target {
        "" => level.to_owned(),
        target => format!("{level}/{target}"),
    };
    let proxy = OutboundProxy {
        level: level.to_owned(),
        target: target.to_owned(),
        r#type: "http".to_owned(),
        host: at.ip().to_string(),
        port: at.port().into(),
        ..OutboundProxy::default()
    };
    (id, proxy)
}

trait Through {
    fn through(self, level: &str, target: &str, proxy: &ForwardProxy) -> Self;
}

impl Through for Setup {
    fn through(self, level: &str, target: &str, at: &ForwardProxy) -> Self {
        let (id, proxy) = proxy(level, target, at.address);
        self.resource(&id, Body::OutboundProxy(proxy))
    }
}

async fn forward_proxy() -> ForwardProxy {
    ForwardProxy::start().await.unwrap()
}

async fn answers(data_plane: &DataPlane, model: &str) {
    for stream in [false, true] {
        let answer = data_plane.chat(model, stream).await;
        assert_eq!(answer.status(), 200, "{model}");
        answer.text().await.unwrap();
    }
}

#[tokio::test]
async fn the_nearest_proxy_is_used_and_a_combos_only_for_what_comes_through_the_combo() {
    let provider = Simulator::openai().await;
    let [global, of_provider, combo, connection] = [
        forward_proxy().await,
        forward_proxy().await,
        forward_proxy().await,
        forward_proxy().await,
    ];
    let setup = || {
        Setup::new()
            .account("main", "openai", &provider)
            .combo("smart", &["openai/gpt-4o"])
    };
    type Levels<'a> = &'a [(&'a str, &'a str, &'a ForwardProxy)];
    let table: [(Levels<'_>, Option<&ForwardProxy>, Option<&ForwardProxy>); 6] = [
        (&[], None, None),
        (&[("global", "", &global)], Some(&global), Some(&global)),
        (
            &[("global", "", &global), ("provider", "openai", &of_provider)],
            Some(&of_provider),
            Some(&of_provider),
        ),
        (
            &[
                ("provider", "openai", &of_provider),
                ("combo", "combo-smart", &combo),
            ],
            Some(&of_provider),
            Some(&combo),
        ),
        (&[("combo", "combo-smart", &combo)], None, Some(&combo)),
        (
            &[
                ("global", "", &global),
                ("provider", "openai", &of_provider),
                ("combo", "combo-smart", &combo),
                ("connection", "main", &connection),
            ],
            Some(&connection),
            Some(&connection),
        ),
    ];
    let data_plane = setup().start().await;
    let all = [&global, &of_provider, &combo, &connection];
    let counts = || all.map(|proxy| proxy.seen().len());
    for (levels, direct, through_combo) in table {
        let configured = levels.iter().fold(setup(), |setup, (level, target, proxy)| {
            setup.through(level, target, proxy)
        });
        data_plane.reconfigure(configured);
        for (model, expected) in [("openai/gpt-4o", direct), ("smart", through_combo)] {
            let before = counts();
            answers(&data_plane, model).await;
            let after = counts();
            for (position, proxy) in all.into_iter().enumerate() {
                let uses = usize::from(expected.is_some_and(|used| std::ptr::eq(used, proxy))) * 2;
                assert_eq!(
                    after[position] - before[position],
                    uses,
                    "{model}, proxy {position}"
                );
            }
        }
    }
    assert_eq!(
        connection.seen()[0],
        format!("POST {}/chat/completions", provider.url())
    );
    assert_eq!(provider.requests().len(), 24);
}

#[tokio::test]
async fn a_proxy_is_logged_in_to_with_what_was_sealed_for_it() {
    let provider = Simulator::openai().await;
    let members_only = ForwardProxy::for_members("Basic bWU6c2VjcmV0").await.unwrap();
    let (id, mut proxy) = proxy("global", "", members_only.address);
    let transport = ClusterKeys::derive(CLUSTER_SECRET).transport;
    let sealed = seal_derived(&transport, b"outbound_proxy|global|password", b"secret");
    proxy.username = "me".to_owned();
    proxy.password = Some(SealedSecret {
        key_version: 1,
        nonce: sealed.nonce.to_vec(),
        ciphertext: sealed.ciphertext,
    });
    let data_plane = Setup::new()
        .account("main", "openai", &provider)
        .resource(&id, Body::OutboundProxy(proxy.clone()))
        .start()
        .await;
    answers(&data_plane, "openai/gpt-4o").await;
    assert_eq!(members_only.seen().len(), 2);

    proxy.password = None;
    data_plane.reconfigure(
        Setup::new()
            .account("main", "openai", &provider)
            .resource(&id, Body::OutboundProxy(proxy)),
    );
    let refused = data_plane.chat("openai/gpt-4o", false).await;
    assert!(refused.status().is_client_error() || refused.status().is_server_error());
    assert_eq!(provider.requests().len(), 2, "nothing goes out beside the proxy");
}

#[tokio::test]
async fn a_configured_proxy_is_tried_from_where_the_data_plane_is() {
    let (provider, proxy) = (Simulator::openai().await, forward_proxy().await);
    let data_plane = Setup::new()
        .config(|config| config.upstream.allow_private_addresses = true)
        .account("main", "openai", &provider)
        .through("connection", "main", &proxy)
        .start()
        .await;
    let tried = async |id: &str| {
        let asked = TryProxy {
            id: id.to_owned(),
            echo_url: format!("{}/models", provider.url()),
            timeout_ms: 2_000,
        };
        try_proxy(&data_plane.gateway, asked).await
    };
    // a provider is no echo service, and says so through the proxy
    let found = tried("connection/main").await;
    assert_eq!(
        (found.public_ip.as_str(), proxy.seen().len()),
        ("", 1),
        "{found:?}"
    );
    assert!(found.error.contains("echo service"), "{found:?}");
    assert!(tried("global").await.error.contains("does not have"));
}

#[tokio::test]
async fn a_provider_with_tls_is_tunnelled_to() {
    let proxy = forward_proxy().await;
    // nobody listens there: what is asked for is what is looked at
    let data_plane = Setup::new()
        .account_at("main", "openai", "https://127.0.0.1:1/v1")
        .through("provider", "openai", &proxy)
        .start()
        .await;
    let answer = data_plane.chat("openai/gpt-4o", false).await;
    assert!(answer.status().is_server_error(), "{}", answer.status());
    let answer = json(answer).await;
    assert!(
        answer["error"]["message"]
            .as_str()
            .is_some_and(|text| !text.contains("127.0.0.1")),
        "{answer}"
    );
    assert_eq!(proxy.seen(), ["CONNECT 127.0.0.1:1"]);
}

#[tokio::test]
async fn counting_tokens_goes_the_same_way() {
    let provider = Simulator::anthropic().await;
    let proxy = forward_proxy().await;
    let data_plane = Setup::new()
        .account("main", "anthropic", &provider)
        .through("connection", "main", &proxy)
        .start()
        .await;
    let question = serde_json::json!({
        "model": "anthropic/claude-sonnet-4-5", "messages": [{"role": "user", "content": "How far is the moon?"}],
    });
    let counted = data_plane.ask("/v1/messages/count_tokens", &question).await;
    assert_eq!(counted.status(), 200);
    assert_eq!(proxy.seen().len(), 1, "{:?}", proxy.seen());
}

#[tokio::test]
async fn an_address_that_may_not_be_called_is_not_called_through_a_proxy_either() {
    let (provider, proxy) = (Simulator::openai().await, forward_proxy().await);
    let data_plane = Setup::new()
        .account_with("main", "openai", &provider.url(), |connection| {
            connection.allow_private_address = false;
        })
        .through("global", "", &proxy)
        .start()
        .await;
    let refused = data_plane.chat("openai/gpt-4o", false).await;
    assert!(!refused.status().is_success());
    assert_eq!((proxy.seen().len(), provider.requests().len()), (0, 0));
}
