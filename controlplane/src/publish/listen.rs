//! Turns notifications of the database into wake-ups. They only shorten the publisher's poll, so losing any of
//! them, or the whole connection, costs no more than half a second.

use std::time::Duration;

use sqlx::{PgPool, postgres::PgListener};
use tokio::{sync::Notify, time::sleep};

use crate::db::CONFIG_CHANNEL;

const RECONNECT: Duration = Duration::from_secs(5);

/// Listens for ever. Returns at once when the pool is too small to give one connection away.
pub(super) async fn listen(pool: &PgPool, wake: &Notify) {
    if pool.options().get_max_connections() < 2 {
        return;
    }
    let mut failing = false;
    loop {
        let Err(error) = listen_once(pool, wake, &mut failing).await;
        // once per outage
        if !failing {
            tracing::warn!(%error, "not listening for changes of the configuration, polling only");
        }
        failing = true;
        sleep(RECONNECT).await;
    }
}

async fn listen_once(
    pool: &PgPool,
    wake: &Notify,
    failing: &mut bool,
) -> Result<std::convert::Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CONFIG_CHANNEL).await?;
    *failing = false;
    loop {
        // what was committed before the first LISTEN, or while the connection was down, was not announced to us
        wake.notify_one();
        listener.try_recv().await?;
    }
}
