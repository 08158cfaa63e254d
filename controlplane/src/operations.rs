//! What takes longer than a request: restarting and stopping processes, one after another.
//!
//! An operation is a row that anybody can follow, and a task in the control plane that was asked. Data planes go first,
//! one at a time: each finishes what it has, and the next one goes when it is back (or gone). This control plane goes
//! last, and says beforehand that it is done, because afterwards it cannot. One operation runs at a time in the whole
//! installation; one whose control plane died is over after [`ABANDONED`].

use std::time::Duration;

use proto::v1::Leave;
use runtime::{
    drain::Drain,
    exit::{Ending, Exit, Wish},
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::publish::Fleet;

/// What the control plane that was asked is called among the targets.
pub const CONTROL_PLANE: &str = "control-plane";

/// An operation says that it goes on at least this often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
const ABANDONED: Duration = Duration::from_secs(30);
/// For a command to reach its data plane.
const DELIVERY: Duration = Duration::from_secs(5);
/// To start and to apply a configuration, after the old process had its time.
const START: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);
/// The answer to the request that asked for it should get away first.
const FAREWELL: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = OperationStepState)]
pub enum StepState {
    Waiting,
    Running,
    Done,
    Failed,
}

/// One process that is restarted or stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OperationStep)]
pub struct Step {
    /// A data plane's id, or `control-plane`.
    pub target: String,
    pub state: StepState,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What to do with whom.
#[derive(Clone, Debug)]
pub struct Plan {
    pub ending: Ending,
    /// In this order.
    pub targets: Vec<String>,
    /// How long running requests may take.
    pub grace: Duration,
}

/// Carries operations out. Clones share everything.
#[derive(Clone)]
pub struct Operations {
    pool: PgPool,
    fleet: Fleet,
    drain: Drain,
    exit: Exit,
}

/// The process that a data plane is.
struct Process {
    incarnation: Uuid,
    /// It has a configuration.
    serves: bool,
}

// === impl Plan ===

impl Plan {
    pub fn kind(&self) -> &'static str {
        match self.ending {
            Ending::Restart => "restart",
            Ending::Stop => "shutdown",
        }
    }
}

// === impl Operations ===

impl Operations {
    pub fn new(pool: &PgPool, fleet: &Fleet, drain: &Drain, exit: &Exit) -> Self {
        Self {
            pool: pool.clone(),
            fleet: fleet.clone(),
            drain: drain.clone(),
            exit: exit.clone(),
        }
    }

    /// Begins an operation, unless one is running: then none is returned.
    pub async fn begin(&self, plan: Plan, requested_by: &str) -> Result<Option<Uuid>, sqlx::Error> {
        let id = Uuid::now_v7();
        let steps: Vec<Step> = plan
            .targets
            .iter()
            .map(|target| Step {
                target: target.clone(),
                state: StepState::Waiting,
                message: None,
            })
            .collect();
        sqlx::query!(
            "update operation set state = 'failed'
             where state = 'running' and updated_at < now() - make_interval(secs => $1)",
            ABANDONED.as_secs_f64()
        )
        .execute(&self.pool)
        .await?;
        let begun = sqlx::query!(
            "insert into operation (id, kind, state, steps, requested_by)
             values ($1, $2, 'running', $3, $4) on conflict do nothing",
            id,
            plan.kind(),
            sqlx::types::Json(&steps) as _,
            requested_by,
        )
        .execute(&self.pool)
        .await?;
        if begun.rows_affected() == 0 {
            return Ok(None);
        }
        let (running, stop) = (self.clone(), self.drain.token());
        self.drain.spawn("operation", async move {
            let left = running.clone();
            let ended = stop
                .run_until_cancelled(running.run(id, plan, steps.clone()))
                .await;
            if ended.is_none() {
                left.note(id, "failed", &steps).await;
            }
        });
        Ok(Some(id))
    }

    async fn run(self, id: Uuid, plan: Plan, mut steps: Vec<Step>) {
        for index in 0..steps.len() {
            steps[index].state = StepState::Running;
            self.note(id, "running", &steps).await;
            let target = steps[index].target.clone();
            if target == CONTROL_PLANE {
                steps[index].state = StepState::Done;
                break;
            }
            let outcome = self.with_signs_of_life(id, self.part_with(&target, &plan)).await;
            match outcome {
                Ok(()) => steps[index].state = StepState::Done,
                Err(message) => {
                    tracing::error!(data_plane = target, message, "an operation stops here");
                    steps[index].state = StepState::Failed;
                    steps[index].message = Some(message);
                    break;
                }
            }
        }
        let failed = steps.iter().any(|step| step.state == StepState::Failed);
        self.note(id, if failed { "failed" } else { "done" }, &steps)
            .await;
        if !failed && plan.targets.iter().any(|target| target == CONTROL_PLANE) {
            sleep(FAREWELL).await;
            self.exit.wish(Wish {
                ending: plan.ending,
                grace: Some(plan.grace),
            });
        }
    }

    /// Asks a data plane to leave, and waits until it is back, or gone.
    async fn part_with(&self, target: &str, plan: &Plan) -> Result<(), String> {
        let before = self
            .find(target)
            .await?
            .ok_or("it is not connected to any control plane")?;
        let leave = Leave {
            restart: plan.ending == Ending::Restart,
            drain_timeout_ms: u32::try_from(plan.grace.as_millis()).unwrap_or(u32::MAX),
        };
        self.fleet
            .dismiss(target, leave, DELIVERY)
            .await
            .map_err(|error| error.to_string())?;
        let deadline = Instant::now() + plan.grace + START;
        loop {
            let now = self.find(target).await?;
            let is_over = match plan.ending {
                Ending::Restart => now.is_some_and(|now| now.serves && now.incarnation != before.incarnation),
                Ending::Stop => now.is_none(),
            };
            if is_over {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err("it did not do so in time".to_owned());
            }
            sleep(POLL).await;
        }
    }

    /// The data plane, while it is connected.
    async fn find(&self, target: &str) -> Result<Option<Process>, String> {
        let all = self
            .fleet
            .list()
            .await
            .map_err(|_| "the database does not answer".to_owned())?;
        let found = all
            .into_iter()
            .find(|plane| plane.id == target && plane.connected);
        Ok(found.map(|plane| Process {
            incarnation: plane.incarnation,
            serves: plane.state == "ready" || plane.applied_revision > 0,
        }))
    }

    async fn with_signs_of_life<T>(&self, id: Uuid, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                outcome = &mut work => return outcome,
                () = sleep(SIGN_OF_LIFE) => {}
            }
            let moved = sqlx::query!("update operation set updated_at = now() where id = $1", id)
                .execute(&self.pool)
                .await;
            if let Err(error) = moved {
                tracing::warn!(%error, "an operation goes on, and cannot say so");
            }
        }
    }

    async fn note(&self, id: Uuid, state: &str, steps: &[Step]) {
        let noted = sqlx::query!(
            "update operation set state = $2, steps = $3, updated_at = now() where id = $1",
            id,
            state,
            sqlx::types::Json(steps) as _,
        )
        .execute(&self.pool)
        .await;
        if let Err(error) = noted {
            tracing::warn!(%error, "how far an operation is cannot be written down");
        }
    }
}
