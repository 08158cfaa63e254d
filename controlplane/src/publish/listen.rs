//! Turns notifications of the database into wake-ups. They only shorten polls, so losing any of them, or the whole
//! connection, costs no more than such a poll.

use std::time::Duration;

use sqlx::{PgPool, postgres::PgListener};
use tokio::time::{sleep, timeout};

const RECONNECT: Duration = Duration::from_secs(5);
/// A connection that says nothing for so long may have lost its other end without a word: it is made anew.
const SILENCE: Duration = Duration::from_secs(5 * 60);

/// Listens for ever, and calls `heard` with what is announced on `channel`, and with nothing whenever something may have
/// been announced that was not heard. Returns at once when the pool is too small to give one connection away.
pub async fn listen(pool: &PgPool, channel: &str, heard: impl Fn(Option<&str>)) {
    if pool.options().get_max_connections() < 2 {
        return;
    }
    let mut failing = false;
    loop {
        let Err(error) = listen_once(pool, channel, &heard, &mut failing).await else {
            continue;
        };
        // once per outage
        if !failing {
            tracing::warn!(channel, %error, "not listening for what is announced, polling only");
        }
        failing = true;
        sleep(RECONNECT).await;
    }
}

/// Until the connection is silent or fails.
async fn listen_once(
    pool: &PgPool,
    channel: &str,
    heard: &impl Fn(Option<&str>),
    failing: &mut bool,
) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(channel).await?;
    *failing = false;
    // what happened before the first LISTEN, or while the connection was down, was not announced to us
    heard(None);
    while let Ok(notification) = timeout(SILENCE, listener.try_recv()).await {
        heard(notification?.as_ref().map(|notification| notification.payload()));
    }
    Ok(())
}
