//! The operator's wish to stop.

use tokio::signal::unix::{Signal, SignalKind};

/// Resolves at the next SIGTERM or SIGINT, with its name. Calling it again waits for another one.
pub async fn signal() -> &'static str {
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

fn listen(kind: SignalKind) -> Signal {
    tokio::signal::unix::signal(kind).expect("SIGTERM and SIGINT are signals a process may handle")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_termination_signal_is_heard() {
        // registered before the signal is sent, so that the test process survives it
        let _held = listen(SignalKind::terminate());
        let asked = tokio::spawn(signal());
        let pid = std::process::id().to_string();
        let heard = async {
            loop {
                // the first one may come before the task listens
                let sent = tokio::process::Command::new("kill")
                    .args(["-TERM", &pid])
                    .status()
                    .await
                    .unwrap();
                assert!(sent.success());
                if asked.is_finished() {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), heard)
            .await
            .expect("nobody heard the signal");
        assert_eq!(asked.await.unwrap(), "SIGTERM");
    }
}
