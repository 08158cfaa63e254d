//! Questions to data planes of other control planes.
//!
//! Who asks writes the question into the database, for the replica that holds the data plane's stream. That replica
//! takes it, asks, and writes down what came of it. Notifications shorten the way; without them both sides look by
//! themselves. A question is taken at most once, so that no probe is made twice.

use std::time::Duration;

use prost::Message;
use proto::v1::{Command, CommandResult};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use uuid::Uuid;

use super::{
    Fleet,
    ask::{AskError, Outcome},
    table::{self, Answered, Reachable, Taken},
};
use crate::publish::listen::listen;

/// The channel on which questions and answers are announced. A hint only.
pub(super) const CHANNEL: &str = "omniroute_question";

/// How often an answer is looked for that nobody announced.
const POLL: Duration = Duration::from_millis(200);
/// How often a replica looks for questions that nobody announced.
const LOOK: Duration = Duration::from_secs(1);
/// Connections of a pool of which one may listen for questions, beside the one that listens for configuration.
const LISTENS_FROM: u32 = 4;
/// A replica that has not taken a question by then is gone, and the question is withdrawn.
const TAKE: Duration = Duration::from_millis(1_500);

// === impl Fleet ===

impl Fleet {
    /// Asks a data plane whose stream another replica holds. While a replica is gone and its data planes still seem to be
    /// there, one of yet another replica is asked.
    pub(super) async fn ask_elsewhere(
        &self,
        only: Option<&str>,
        command: Command,
        deadline: Duration,
    ) -> Outcome {
        if self.is_alone() {
            return Err(AskError::Nobody);
        }
        let until = Instant::now() + deadline;
        let mut gone: Vec<Reachable> = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let put = self.put(only, &command, left, &gone).await.map_err(unreadable)?;
            let Some((question, reachable)) = put else {
                return Err(gone
                    .pop()
                    .map_or(AskError::Nobody, |last| AskError::Left(last.id)));
            };
            match timeout(left, self.await_answer(question)).await {
                Ok(Ok(Some(outcome))) => return read(outcome, reachable.id),
                Ok(Ok(None)) => gone.push(reachable),
                Ok(Err(error)) => return Err(unreadable(error)),
                Err(_) => {
                    let data_plane = reachable.id;
                    return Err(AskError::Slow { data_plane, deadline });
                }
            }
        }
    }

    /// Carries out what others ask of data planes here, for ever. Returns at once where there can be no others.
    pub(super) async fn answer_others(&self) {
        if self.is_alone() {
            return;
        }
        tokio::join!(self.listen(), self.take_questions());
    }

    /// Returns at once where a second connection that only listens would leave too few to work with.
    async fn listen(&self) {
        let pool = &self.0.pool;
        if pool.options().get_max_connections() < LISTENS_FROM {
            return;
        }
        let heard = |_: Option<&str>| {
            self.0.heard.send_replace(());
        };
        listen(pool, CHANNEL, heard).await;
    }

    async fn put(
        &self,
        only: Option<&str>,
        command: &Command,
        left: Duration,
        gone: &[Reachable],
    ) -> Result<Option<(Uuid, Reachable)>, sqlx::Error> {
        let pool = &self.0.pool;
        let others: Vec<Uuid> = gone
            .iter()
            .map(|gone| gone.replica)
            .chain([self.0.replica])
            .collect();
        let Some(reachable) = table::reachable_elsewhere(pool, &others, only).await? else {
            return Ok(None);
        };
        let question = Uuid::now_v7();
        table::put_question(pool, question, &reachable, &command.encode_to_vec(), left).await?;
        Ok(Some((question, reachable)))
    }

    /// `None`: nobody took the question, and it is withdrawn.
    async fn await_answer(&self, question: Uuid) -> Result<Option<Answered>, sqlx::Error> {
        let pool = &self.0.pool;
        let mut heard = self.0.heard.subscribe();
        let withdraw_at = Instant::now() + TAKE;
        loop {
            heard.mark_unchanged();
            if let Some(answered) = table::take_answer(pool, question).await? {
                return Ok(Some(answered));
            }
            if Instant::now() >= withdraw_at && table::withdraw(pool, question).await? {
                return Ok(None);
            }
            tokio::select! {
                _ = heard.changed() => {}
                () = sleep_until(Instant::now() + POLL) => {}
            }
        }
    }

    async fn take_questions(&self) {
        let mut heard = self.0.heard.subscribe();
        let mut running = JoinSet::new();
        let mut failing = false;
        loop {
            heard.mark_unchanged();
            let taken = table::take_questions(&self.0.pool, self.0.replica).await;
            // once per outage
            if let Err(error) = &taken
                && !failing
            {
                tracing::warn!(%error, "questions of other control planes cannot be read");
            }
            failing = taken.is_err();
            for taken in taken.unwrap_or_default() {
                running.spawn(answer(self.clone(), taken));
            }
            let look_at = Instant::now() + LOOK;
            tokio::select! {
                _ = heard.changed() => {}
                _ = running.join_next(), if !running.is_empty() => {}
                () = sleep_until(look_at) => {}
            }
        }
    }

    /// A database with a single connection has a single user.
    pub(super) fn is_alone(&self) -> bool {
        self.0.pool.options().get_max_connections() < 2
    }
}

/// Asks on behalf of another replica, and writes down what came of it.
async fn answer(fleet: Fleet, taken: Taken) {
    let outcome = match Command::decode(&*taken.command) {
        Ok(command) => fleet.ask_this(&taken.data_plane, command, taken.left).await,
        Err(_) => Err(AskError::unfit(taken.data_plane)),
    };
    let (result, failure) = match &outcome {
        Ok((_, result)) => (Some(result.encode_to_vec()), None),
        Err(AskError::Busy(_)) => (None, Some("busy")),
        Err(AskError::Slow { .. }) => (None, Some("slow")),
        Err(_) => (None, Some("left")),
    };
    let written = table::put_answer(&fleet.0.pool, taken.id, result.as_deref(), failure).await;
    if let Err(error) = written {
        tracing::warn!(%error, "an answer of a data plane does not reach the control plane that asked");
    }
}

fn read(answered: Answered, data_plane: String) -> Outcome {
    match (answered.result, answered.failure.as_deref()) {
        (Some(result), _) => match CommandResult::decode(&*result) {
            Ok(result) => Ok((data_plane, result)),
            Err(_) => Err(AskError::unfit(data_plane)),
        },
        (None, Some("busy")) => Err(AskError::Busy(data_plane)),
        (None, Some("slow")) => Err(AskError::Silent(data_plane)),
        (None, _) => Err(AskError::Left(data_plane)),
    }
}

fn unreadable(error: sqlx::Error) -> AskError {
    tracing::warn!(%error, "other control planes cannot be asked");
    AskError::Database
}
