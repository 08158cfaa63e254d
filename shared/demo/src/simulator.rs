//! A running provider that a test can script and question.

use crate::behaviour::Behaviour;
use crate::dialect::Dialect;
use crate::listen::{Listening, listen};
use crate::received::{Billed, Received};
use crate::routes::{Provider, routes};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Listens on a port of its own; stops when dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    provider: Arc<Provider>,
    listening: Option<Listening>,
}

// === impl Simulator ===

impl Simulator {
    pub async fn openai() -> Self {
        Self::start(Dialect::OpenAi).await
    }

    pub async fn responses() -> Self {
        Self::start(Dialect::OpenAiResponses).await
    }

    pub async fn anthropic() -> Self {
        Self::start(Dialect::Anthropic).await
    }

    pub async fn gemini() -> Self {
        Self::start(Dialect::Gemini).await
    }

    pub async fn ollama() -> Self {
        Self::start(Dialect::Ollama).await
    }

    pub async fn bedrock() -> Self {
        Self::start(Dialect::Bedrock).await
    }

    pub async fn azure() -> Self {
        Self::start(Dialect::Azure).await
    }

    pub async fn vertex() -> Self {
        Self::start(Dialect::Vertex).await
    }

    pub async fn start(dialect: Dialect) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let provider = Arc::new(Provider::remembering(dialect));
        let listening = listen(listener, routes(provider.clone()));
        Self {
            address,
            provider,
            listening: Some(listening),
        }
    }

    /// What a client is given as the base address.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.provider.dialect().base())
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Queues what happens to the next request that asks for an answer. With an empty queue the name of the
    /// model decides.
    pub fn script(&self, behaviour: Behaviour) {
        self.provider.script(behaviour);
    }

    /// Everything received so far, oldest first.
    pub fn requests(&self) -> Vec<Received> {
        self.provider.log().all()
    }

    /// What each request costs, by the name its caller gave it: the `x-request-id` header, else the end user in
    /// the body (`user`, or `metadata.user_id` in Anthropic's dialect), else the id of the answer. A caller that
    /// asked twice under one name pays twice.
    pub fn bill(&self) -> BTreeMap<String, Vec<Billed>> {
        let mut bill = BTreeMap::<String, Vec<Billed>>::new();
        for received in self.requests() {
            if let Some(billed) = received.billed {
                bill.entry(received.name()).or_default().push(billed);
            }
        }
        bill
    }

    /// Ends every connection and refuses new ones, as a machine that lost its process does.
    pub async fn close(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.end().await;
        }
    }
}
