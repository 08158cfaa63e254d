//! Background tasks with names, and an orderly end for all of them.
//!
//! A task that panics is logged by its name; nothing is spawned that nobody waits for.

use futures::FutureExt;
use parking_lot::Mutex;
use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[derive(Debug, Clone, Default)]
pub struct Drain {
    token: CancellationToken,
    tracker: TaskTracker,
    running: Arc<Mutex<Vec<&'static str>>>,
}

// === impl Drain ===

impl Drain {
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the drain begins; tasks end soon after.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Runs a task under a name. A panic ends this task alone and is logged; its errors are the task's own to
    /// log, because only it knows whether they end it.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let running = self.running.clone();
        running.lock().push(name);
        self.tracker.spawn(async move {
            let ended = AssertUnwindSafe(task).catch_unwind().await;
            leave(&running, name);
            if let Err(panic) = ended {
                tracing::error!(
                    task = name,
                    panic = message(panic.as_ref()),
                    "background task panicked"
                );
            }
        });
    }

    /// Asks every task to end.
    pub fn begin(&self) {
        self.token.cancel();
    }

    /// Waits until all tasks have ended; after `timeout` returns the names of those that have not.
    pub async fn wait(&self, timeout: Duration) -> Vec<&'static str> {
        self.tracker.close();
        match tokio::time::timeout(timeout, self.tracker.wait()).await {
            Ok(()) => Vec::new(),
            Err(_) => self.running.lock().clone(),
        }
    }
}

fn leave(running: &Mutex<Vec<&'static str>>, name: &'static str) {
    let mut names = running.lock();
    if let Some(index) = names.iter().position(|running| *running == name) {
        names.swap_remove(index);
    }
}

/// What was given to `panic!`; other payloads have no text.
fn message(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return text;
    }
    panic.downcast_ref::<String>().map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_end_when_asked_and_stragglers_are_named() {
        let drain = Drain::new();
        let token = drain.token();
        drain.spawn("obedient", async move { token.cancelled().await });
        drain.spawn("stubborn", std::future::pending());
        drain.begin();
        assert_eq!(drain.wait(Duration::from_secs(1)).await, ["stubborn"]);
    }

    #[tokio::test]
    async fn a_panic_ends_its_task_alone_and_is_logged_by_name() {
        let log = Captured::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);

        let drain = Drain::new();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        drain.spawn("broken", async { panic!("on purpose {}", 7) });
        drain.spawn("sound", async move { sender.send(()).unwrap() });
        receiver.await.unwrap();
        assert!(drain.wait(Duration::from_secs(5)).await.is_empty());
        let log = String::from_utf8(log.0.lock().clone()).unwrap();
        assert!(log.contains("broken") && log.contains("on purpose 7"), "{log}");
    }
}
