//! Turns notifications of the database into wake-ups. They only shorten polls, so losing any of them, or the whole
//! connection, costs no more than such a poll.

use std::time::Duration;

use sqlx::{PgPool, postgres::PgListener};
use tokio::time::sleep;

const RECONNECT: Duration = Duration::from_secs(5);

/// Listens for ever, and calls `heard` with what is announced on `channel`, and with nothing whenever something may have
/// been announced that was not heard. Returns at once when the pool is too small to give one connection away.
pub async fn listen(pool: &PgPool, channel: &str, heard: impl Fn(Option<&str>)) {
    if pool.options().get_max_connections() < 2 {
        return;
    }
    let mut failing = false;
    loop {
        let Err(error) = listen_once(pool, channel, &heard, &mut failing).await;
        // once per outage
        if !failing {
            tracing::warn!(channel, %error, "not listening for what is announced, polling only");
        }
        failing = true;
        sleep(RECONNECT).await;
    }
}

async fn listen_once(
    pool: &PgPool,
    channel: &str,
    heard: &impl Fn(Option<&str>),
    failing: &mut bool,
) -> Result<std::convert::Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(channel).await?;
    *failing = false;
    // what happened before the first LISTEN, or while the connection was down, was not announced to us
    heard(None);
    loop {
        let notification = listener.try_recv().await?;
        heard(notification.as_ref().map(|notification| notification.payload()));
    }
}
