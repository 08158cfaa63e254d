//! Traffic whose every request can be found again, at the provider and in the ledger.

use crate::client::Client;
use sqlx::{Connection, PgConnection};
use std::collections::{HashMap, HashSet};
use testkit::Simulator;
use uuid::Uuid;

pub const WORKERS: usize = 20;
/// Every tenth request is a stream that its client leaves in the middle.
const CUT_EVERY: usize = 10;
/// Five milliseconds between chunks: long enough for streams to be open when something is killed.
const MODEL: &str = "sim/sim-gap-5";

/// Sends `count` requests, half of them streams, alternating between the data planes. A request that fails is not
/// repeated: its data plane may just have been killed.
pub async fn send_traffic(clients: Vec<Client>, count: usize) {
    let workers = (0..WORKERS).map(|worker| {
        let clients = clients.clone();
        tokio::spawn(async move {
            for n in (worker..count).step_by(WORKERS) {
                send(&clients[(n / WORKERS + worker) % clients.len()], n).await;
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
}

async fn send(client: &Client, n: usize) {
    let id = Uuid::now_v7().to_string();
    let cut = n.is_multiple_of(CUT_EVERY);
    let stream = cut || n.is_multiple_of(2);
    let Ok(mut answer) = client
        .send(MODEL, stream, &format!("request {id}"), Some(&id))
        .await
    else {
        return;
    };
    // a different chunk each time, the first included
    let mut left = if cut { (n / CUT_EVERY) % 12 } else { usize::MAX };
    while left > 0 {
        let Ok(Some(_)) = answer.chunk().await else { return };
        left -= 1;
    }
}

/// The ids of the requests that reached the provider.
pub fn requests_seen(provider: &Simulator) -> HashSet<String> {
    let prompts = provider.requests().into_iter();
    prompts
        .filter_map(|request| {
            Some(
                request.body["messages"][0]["content"]
                    .as_str()?
                    .strip_prefix("request ")?
                    .to_owned(),
            )
        })
        .collect()
}

/// How often each request is in the ledger as having reached a provider.
pub async fn rows(database: &str) -> HashMap<String, i64> {
    let mut connection = PgConnection::connect(database).await.unwrap();
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select client_request_id, count(*) from usage_event where reached_provider group by client_request_id",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    rows.into_iter().collect()
}
