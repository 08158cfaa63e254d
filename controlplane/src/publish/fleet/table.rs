//! The fleet's rows: data planes, and the questions that replicas put to those of others.

use std::time::Duration;

use proto::v1::{ConfigVersion, DataPlaneState};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use super::{Applied, DataPlane, Member, PendingCalls};

/// A data plane of another replica that can be asked.
pub(super) struct Reachable {
    pub id: String,
    pub replica: Uuid,
}

/// What came of a question: an encoded `CommandResult`, or why there is none.
pub(super) struct Answered {
    pub result: Option<Vec<u8>>,
    /// `left`, `busy` or `slow`.
    pub failure: Option<String>,
}

/// A question of another replica that this one is to put.
pub(super) struct Taken {
    pub id: Uuid,
    pub data_plane: String,
    /// An encoded `Command`.
    pub command: Vec<u8>,
    /// How long somebody waits for the answer.
    pub left: Duration,
}

pub(super) async fn list(pool: &PgPool) -> Result<Vec<DataPlane>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id, incarnation, build_version, address, state, applied_revision, rejected_revision, errors, inflight,
                  spool_bytes, spool_dropped, store_degraded, first_seen, last_seen,
                  connected_to is not null and last_seen > now() - interval '15 seconds' as "connected!"
           from data_plane order by id"#
    )
    .fetch_all(pool)
    .await?;
    let data_planes = rows.into_iter().map(|row| DataPlane {
        id: row.id,
        incarnation: row.incarnation,
        build_version: row.build_version,
        address: row.address,
        state: row.state,
        connected: row.connected,
        applied_revision: row.applied_revision.cast_unsigned(),
        rejected_revision: row.rejected_revision.map(i64::cast_unsigned),
        errors: row.errors,
        inflight: row.inflight.cast_unsigned(),
        spool_bytes: row.spool_bytes.cast_unsigned(),
        spool_dropped: row.spool_dropped.cast_unsigned(),
        store_degraded: row.store_degraded,
        first_seen: row.first_seen,
        last_seen: row.last_seen,
    });
    Ok(data_planes.collect())
}

pub(super) async fn pending(pool: &PgPool) -> Result<Vec<PendingCalls>, sqlx::Error> {
    sqlx::query_as!(
        PendingCalls,
        r#"select one->>'provider' as "provider!", one->>'connectionId' as "connection_id!", one->>'model' as "model!",
                  sum((one->>'calls')::bigint)::bigint as "calls!"
           from data_plane, jsonb_array_elements(pending) as one
           where connected_to is not null and last_seen > now() - interval '15 seconds'
           group by 1, 2, 3 order by 1, 3, 2"#
    )
    .fetch_all(pool)
    .await
}

pub(super) async fn applied_elsewhere(
    pool: &PgPool,
    replica: Uuid,
    epoch: Option<Uuid>,
    revision: u64,
) -> Result<Applied, sqlx::Error> {
    let row = sqlx::query!(
        r#"select count(*) as "total!",
                  count(*) filter (where applied_epoch = $2 and applied_revision >= $3) as "acked!",
                  count(*) filter (where not (coalesce(applied_epoch = $2, false) and applied_revision >= $3)
                                     and rejected_revision >= $3) as "refused!"
           from data_plane
           where connected_to <> $1 and last_seen > now() - interval '15 seconds'"#,
        replica,
        epoch,
        revision.cast_signed(),
    )
    .fetch_one(pool)
    .await?;
    let count = |n: i64| usize::try_from(n).unwrap_or_default();
    Ok(Applied {
        acked: count(row.acked),
        total: count(row.total),
        refused: count(row.refused),
    })
}

/// Writes members of this replica in one statement. A row that another replica has written since is left alone: the
/// data plane went there. Nobody holds the stream of one that left, whenever that was written: whoever has it now may
/// say so.
pub(super) async fn write(
    pool: &PgPool,
    replica: Uuid,
    members: &[(String, Member)],
) -> Result<(), sqlx::Error> {
    let column = |value: fn(&Member) -> i64| {
        members
            .iter()
            .map(|(_, member)| value(member))
            .collect::<Vec<_>>()
    };
    let text = |value: fn(&Member) -> String| {
        members
            .iter()
            .map(|(_, member)| value(member))
            .collect::<Vec<_>>()
    };
    let ids: Vec<String> = members.iter().map(|(id, _)| id.clone()).collect();
    let incarnations: Vec<Uuid> = members.iter().map(|(_, member)| member.incarnation).collect();
    let epochs: Vec<Option<Uuid>> = members
        .iter()
        .map(|(_, member)| epoch(member.applied.as_ref()))
        .collect();
    let rejected: Vec<Option<i64>> = members
        .iter()
        .map(|(_, member)| {
            member
                .rejected
                .as_ref()
                .map(|version| version.revision.cast_signed())
        })
        .collect();
    let errors: Vec<Value> = members.iter().map(|(_, member)| member.errors.clone()).collect();
    let inflight: Vec<i32> = members
        .iter()
        .map(|(_, member)| member.inflight.cast_signed())
        .collect();
    let pending: Vec<Value> = members.iter().map(|(_, member)| member.pending.clone()).collect();
    let degraded: Vec<bool> = members.iter().map(|(_, member)| member.store_degraded).collect();
    let replicas: Vec<Option<Uuid>> = members
        .iter()
        .map(|(_, member)| member.connected.then_some(replica))
        .collect();
    sqlx::query!(
        r#"insert into data_plane
               (id, incarnation, build_version, address, state, applied_epoch, applied_revision, rejected_revision,
                errors, inflight, spool_bytes, spool_dropped, store_degraded, connected_to, last_seen, pending)
           select id, incarnation, build_version, address, state, applied_epoch, applied_revision, rejected_revision,
                  errors, inflight, spool_bytes, spool_dropped, store_degraded, connected_to,
                  now() - seen_ms_ago * interval '1 millisecond', pending
           from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::bigint[],
                       $8::bigint[], $9::jsonb[], $10::int[], $11::bigint[], $12::bigint[], $13::bool[], $14::uuid[],
                       $15::bigint[], $17::jsonb[])
                as member (id, incarnation, build_version, address, state, applied_epoch, applied_revision,
                           rejected_revision, errors, inflight, spool_bytes, spool_dropped, store_degraded,
                           connected_to, seen_ms_ago, pending)
           order by id
           on conflict (id) do update set
               incarnation = excluded.incarnation, build_version = excluded.build_version,
               address = excluded.address, state = excluded.state, applied_epoch = excluded.applied_epoch,
               applied_revision = excluded.applied_revision, rejected_revision = excluded.rejected_revision,
               errors = excluded.errors, inflight = excluded.inflight, spool_bytes = excluded.spool_bytes,
               spool_dropped = excluded.spool_dropped, store_degraded = excluded.store_degraded,
               connected_to = excluded.connected_to, last_seen = excluded.last_seen,
               pending = excluded.pending
           where data_plane.connected_to is null or data_plane.connected_to = $16
              or data_plane.last_seen <= excluded.last_seen"#,
        &ids,
        &incarnations,
        &text(|member| member.build_version.clone()),
        &text(|member| member.address.clone()),
        &text(|member| state(member.state).to_owned()),
        &epochs as &[Option<Uuid>],
        &column(|member| member.applied.as_ref().map_or(0, |version| version.revision.cast_signed())),
        &rejected as &[Option<i64>],
        &errors,
        &inflight,
        &column(|member| member.spool_bytes.cast_signed()),
        &column(|member| member.spool_dropped.cast_signed()),
        &degraded,
        &replicas as &[Option<Uuid>],
        &column(|member| i64::try_from(member.seen.elapsed().as_millis()).unwrap_or(i64::MAX)),
        replica,
        &pending,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Data planes named after their process come and go.
pub(super) async fn purge(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from data_plane where last_seen < now() - interval '14 days'")
        .execute(pool)
        .await?;
    Ok(())
}

/// Data planes of other replicas that take requests.
pub(super) async fn ready_elsewhere(pool: &PgPool, replica: Uuid) -> Result<usize, sqlx::Error> {
    let ready = sqlx::query_scalar!(
        r#"select count(*) as "ready!" from data_plane
           where connected_to <> $1 and state = 'ready' and last_seen > now() - interval '15 seconds'"#,
        replica,
    )
    .fetch_one(pool)
    .await?;
    Ok(usize::try_from(ready).unwrap_or_default())
}

/// The data plane that is most ready, and of those the least busy, whose stream none of these replicas holds; or this
/// one, if none of them does.
pub(super) async fn reachable_elsewhere(
    pool: &PgPool,
    replicas: &[Uuid],
    only: Option<&str>,
) -> Result<Option<Reachable>, sqlx::Error> {
    sqlx::query_as!(
        Reachable,
        r#"select id, connected_to as "replica!" from data_plane
           where connected_to <> all($1) and last_seen > now() - interval '15 seconds' and applied_epoch is not null
             and state in ('ready', 'degraded', 'starting') and ($2::text is null or id = $2)
           order by array_position(array['ready', 'degraded', 'starting'], state), inflight, id limit 1"#,
        replicas,
        only,
    )
    .fetch_optional(pool)
    .await
}

/// Puts a question, announces it, and forgets those that nobody waits for any more.
pub(super) async fn put_question(
    pool: &PgPool,
    id: Uuid,
    of: &Reachable,
    command: &[u8],
    deadline: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with forgotten as (delete from data_plane_question where expires_at < now() - interval '1 minute'),
              put as (insert into data_plane_question (id, asked_of, data_plane, command, expires_at)
                      values ($1, $2, $3, $4, now() + $5::bigint * interval '1 millisecond'))
         select pg_notify($6, '')",
        id,
        of.replica,
        of.id,
        command,
        i64::try_from(deadline.as_millis()).unwrap_or(i64::MAX),
        super::elsewhere::CHANNEL,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// What others ask of data planes of this replica, each once.
pub(super) async fn take_questions(pool: &PgPool, replica: Uuid) -> Result<Vec<Taken>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"update data_plane_question set taken_at = now()
           where asked_of = $1 and taken_at is null and expires_at > now()
           returning id, data_plane, command,
                     (extract(epoch from expires_at - now()) * 1000)::bigint as "left_ms!""#,
        replica,
    )
    .fetch_all(pool)
    .await?;
    let taken = rows.into_iter().map(|row| Taken {
        id: row.id,
        data_plane: row.data_plane,
        command: row.command,
        left: Duration::from_millis(u64::try_from(row.left_ms).unwrap_or_default()),
    });
    Ok(taken.collect())
}

/// Writes down what came of a question, and announces it.
pub(super) async fn put_answer(
    pool: &PgPool,
    id: Uuid,
    result: Option<&[u8]>,
    failure: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with answered as (update data_plane_question set result = $2, failure = $3 where id = $1)
         select pg_notify($4, '')",
        id,
        result,
        failure,
        super::elsewhere::CHANNEL,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// What came of a question, if something did.
pub(super) async fn take_answer(pool: &PgPool, id: Uuid) -> Result<Option<Answered>, sqlx::Error> {
    sqlx::query_as!(
        Answered,
        "delete from data_plane_question where id = $1 and (result is not null or failure is not null)
         returning result, failure",
        id,
    )
    .fetch_optional(pool)
    .await
}

/// Takes a question back that nobody took. False when somebody has, and an answer may come.
pub(super) async fn withdraw(pool: &PgPool, id: Uuid) -> Result<bool, sqlx::Error> {
    let withdrawn = sqlx::query!(
        "delete from data_plane_question where id = $1 and taken_at is null",
        id
    )
    .execute(pool)
    .await?;
    Ok(withdrawn.rows_affected() > 0)
}

fn epoch(version: Option<&ConfigVersion>) -> Option<Uuid> {
    version.and_then(|version| Uuid::try_parse(&version.epoch).ok())
}

fn state(state: DataPlaneState) -> &'static str {
    match state {
        DataPlaneState::Starting => "starting",
        DataPlaneState::Ready => "ready",
        DataPlaneState::Degraded => "degraded",
        DataPlaneState::Draining => "draining",
        DataPlaneState::Unspecified => "gone",
    }
}
