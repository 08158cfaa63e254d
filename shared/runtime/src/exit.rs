//! How a process ends: because a signal says so, or because an operator asked the management API.
//!
//! A restart replaces the process by a new one of the same program with the same arguments and environment, under the
//! same process id, so it needs no supervisor and disturbs none.

use std::{env, io, os::unix::process::CommandExt, process::Command, sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::shutdown;

/// What comes after the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Stop,
    Restart,
}

/// Somebody wants this process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    pub ending: Ending,
    /// How long running requests may take; none leaves it to the process.
    pub grace: Option<Duration>,
}

/// Takes wishes; clones share them. The first one counts.
#[derive(Clone, Debug)]
pub struct Exit(Arc<watch::Sender<Option<Wish>>>);

// === impl Exit ===

impl Default for Exit {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Exit {
    pub fn wish(&self, wish: Wish) {
        self.0.send_if_modified(|wished| {
            let first = wished.is_none();
            wished.get_or_insert(wish);
            first
        });
    }

    /// Whether somebody wished for an end.
    pub fn is_wished(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Resolves when the process is to end, by a signal or a wish.
    pub async fn wished(&self) -> Wish {
        let mut wishes = self.0.subscribe();
        let wished = async {
            match wishes.wait_for(Option::is_some).await {
                Ok(wish) => wish.unwrap_or(Wish::STOP),
                // the sender lives as long as self
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            signal = shutdown::signal() => {
                tracing::info!(signal, "asked to stop");
                Wish::STOP
            }
            wish = wished => wish,
        }
    }
}

// === impl Wish ===

impl Wish {
    /// As a signal has it.
    pub const STOP: Self = Self {
        ending: Ending::Stop,
        grace: None,
    };
}

/// Becomes a new process of this program. Returns only why it could not.
pub fn restart() -> io::Error {
    match env::current_exe() {
        Ok(program) => Command::new(program).args(env::args_os().skip(1)).exec(),
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_wish_counts() {
        let exit = Exit::default();
        let first = Wish {
            ending: Ending::Restart,
            grace: Some(Duration::from_secs(3)),
        };
        exit.clone().wish(first);
        exit.wish(Wish::STOP);
        assert_eq!(exit.wished().await, first);
        assert_eq!(
            exit.clone().wished().await,
            first,
            "whoever asks later learns of it too"
        );
    }
}
