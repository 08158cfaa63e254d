//! Questions to a data plane: a command to one that is connected here, or else to one of another control plane, and
//! its answer.

use std::{cmp::Reverse, time::Duration};

use proto::v1::{
    Ask, Asked as Answered, Command, CommandResult, DataPlaneState, Explain, Explained, Leave, LogLines,
    Probe, Probed, ReadLog, TriedProxy, TryProxy, command::Op, command_result::Answer,
};
use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{Fleet, Member};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AskError {
    #[error(
        "only a data plane can answer this, and none that runs a configuration is connected to any control plane: \
         start one with a control plane in its CONTROL_PLANE_URL"
    )]
    Nobody,
    #[error("the data plane `{0}` left before it answered: try again")]
    Left(String),
    #[error("the data plane `{0}` has too many commands to carry out: try again")]
    Busy(String),
    #[error("the data plane `{data_plane}` did not answer within {} s: try again", .deadline.as_secs())]
    Slow { data_plane: String, deadline: Duration },
    #[error("the data plane `{0}` did not answer in time: try again")]
    Silent(String),
    #[error(
        "no data plane is connected to this control plane, and while the database does not answer no other can be asked: try again"
    )]
    Database,
    #[error("the data plane `{data_plane}` did not do it: {message}")]
    Refused { data_plane: String, message: String },
}

/// Who was asked, and what became of the command.
pub(super) type Outcome = Result<(String, CommandResult), AskError>;

/// Somebody waits for the result of a command.
pub(super) struct Question {
    /// Of the data plane that has the command.
    stream: u64,
    answer: oneshot::Sender<CommandResult>,
}

/// A data plane that can be asked.
struct Askable {
    id: String,
    stream: u64,
    line: mpsc::Sender<Command>,
}

/// Forgets a question, however the wait for its answer ended.
struct Asked<'a> {
    fleet: &'a Fleet,
    command_id: u64,
}

// === impl Fleet ===

impl Fleet {
    /// Calls models as some data plane would, and tells whether they answered.
    pub async fn probe(&self, probe: Probe, deadline: Duration) -> Result<Probed, AskError> {
        match self.ask(Op::Probe(probe), deadline).await? {
            (_, Some(Answer::Probed(probed))) => Ok(probed),
            (data_plane, _) => Err(AskError::unfit(data_plane)),
        }
    }

    /// Puts a whole question to a model as some data plane would, and tells the answer.
    pub async fn question(&self, question: Ask, deadline: Duration) -> Result<Answered, AskError> {
        match self.ask(Op::Ask(question), deadline).await? {
            (_, Some(Answer::Asked(answered))) => Ok(answered),
            (data_plane, _) => Err(AskError::unfit(data_plane)),
        }
    }

    /// Whether a configured proxy leads anywhere from where some data plane is.
    pub async fn try_proxy(&self, proxy: TryProxy, deadline: Duration) -> Result<TriedProxy, AskError> {
        match self.ask(Op::TryProxy(proxy), deadline).await? {
            (_, Some(Answer::TriedProxy(tried))) => Ok(tried),
            (data_plane, _) => Err(AskError::unfit(data_plane)),
        }
    }

    /// The last lines of the log of one data plane.
    pub async fn read_log(
        &self,
        data_plane: &str,
        asked: ReadLog,
        deadline: Duration,
    ) -> Result<LogLines, AskError> {
        match self
            .ask_one(Some(data_plane), Op::ReadLog(asked), deadline)
            .await?
        {
            (_, Some(Answer::LogLines(lines))) => Ok(lines),
            (data_plane, _) => Err(AskError::unfit(data_plane)),
        }
    }

    /// Asks one data plane to end. That it will is its answer.
    pub async fn dismiss(&self, data_plane: &str, leave: Leave, deadline: Duration) -> Result<(), AskError> {
        self.ask_one(Some(data_plane), Op::Leave(leave), deadline).await?;
        Ok(())
    }

    /// What some data plane would decide for a request now.
    pub async fn explain(&self, explain: Explain, deadline: Duration) -> Result<Explained, AskError> {
        match self.ask(Op::Explain(explain), deadline).await? {
            (_, Some(Answer::Explained(explained))) => Ok(explained),
            (data_plane, _) => Err(AskError::unfit(data_plane)),
        }
    }

    /// Who answered, and what.
    async fn ask(&self, op: Op, deadline: Duration) -> Result<(String, Option<Answer>), AskError> {
        self.ask_one(None, op, deadline).await
    }

    /// Asks this one, or any.
    async fn ask_one(
        &self,
        only: Option<&str>,
        op: Op,
        deadline: Duration,
    ) -> Result<(String, Option<Answer>), AskError> {
        let command = Command {
            command_id: rand::random(),
            op: Some(op),
        };
        let (id, result) = match self.askable(only) {
            Some(askable) => self.ask_here(askable, command, deadline).await?,
            None => self.ask_elsewhere(only, command, deadline).await?,
        };
        match result.ok {
            true => Ok((id, result.answer)),
            false => Err(AskError::Refused {
                data_plane: id,
                message: result.message,
            }),
        }
    }

    /// Asks a data plane that is connected here, and no other.
    pub(super) async fn ask_this(&self, id: &str, command: Command, deadline: Duration) -> Outcome {
        let askable = {
            let members = self.0.members.lock();
            let member = members.get(id).filter(|member| readiness(member).is_some());
            member.map(|member| Askable::of(id, member))
        };
        match askable {
            Some(askable) => self.ask_here(askable, command, deadline).await,
            None => Err(AskError::Left(id.to_owned())),
        }
    }

    async fn ask_here(&self, askable: Askable, command: Command, deadline: Duration) -> Outcome {
        let Askable { id, stream, line } = askable;
        let command_id = command.command_id;
        let (answer, answered) = oneshot::channel();
        let question = Question { stream, answer };
        self.0.questions.lock().insert(command_id, question);
        let _asked = Asked {
            fleet: self,
            command_id,
        };
        // Whether the stream ends before or after this line, the question ends with it: see `Session`.
        line.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AskError::Busy(id.clone()),
            mpsc::error::TrySendError::Closed(_) => AskError::Left(id.clone()),
        })?;
        match timeout(deadline, answered).await {
            Ok(Ok(result)) => Ok((id, result)),
            Ok(Err(_)) => Err(AskError::Left(id)),
            Err(_) => Err(AskError::Slow {
                data_plane: id,
                deadline,
            }),
        }
    }

    /// The one that is most ready, and of those the least busy.
    fn askable(&self, only: Option<&str>) -> Option<Askable> {
        let members = self.0.members.lock();
        let able = members
            .iter()
            .filter(|(id, _)| only.is_none_or(|only| only == *id))
            .filter_map(|(id, member)| Some((readiness(member)?, id, member)));
        let (_, id, member) =
            able.max_by_key(|(readiness, _, member)| (*readiness, Reverse(member.inflight)))?;
        Some(Askable::of(id, member))
    }

    pub(super) fn answer(&self, result: CommandResult) {
        if let Some(question) = self.0.questions.lock().remove(&result.command_id) {
            // who asked may have gone meanwhile
            let _ = question.answer.send(result);
        }
    }

    /// The stream ended: nothing that was asked on it will be answered.
    pub(super) fn give_up_on(&self, stream: u64) {
        self.0
            .questions
            .lock()
            .retain(|_, question| question.stream != stream);
    }
}

// === impl Askable ===

impl Askable {
    fn of(id: &str, member: &Member) -> Self {
        Self {
            id: id.to_owned(),
            stream: member.stream,
            line: member.line.clone(),
        }
    }
}

// === impl AskError ===

impl AskError {
    pub(super) fn unfit(data_plane: String) -> Self {
        Self::Refused {
            data_plane,
            message: "its build does not know the command".to_owned(),
        }
    }
}

// === impl Asked ===

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.fleet.0.questions.lock().remove(&self.command_id);
    }
}

/// `None` = not to be asked: it would speak for no configuration, or is on its way out.
fn readiness(member: &Member) -> Option<u8> {
    if !member.connected || member.applied.is_none() {
        return None;
    }
    match member.state {
        DataPlaneState::Ready => Some(2),
        DataPlaneState::Degraded => Some(1),
        DataPlaneState::Starting => Some(0),
        DataPlaneState::Draining | DataPlaneState::Unspecified => None,
    }
}
