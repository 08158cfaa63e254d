//! The fleet's rows.

use proto::v1::{ConfigVersion, DataPlaneState};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use super::{Applied, DataPlane, Member};

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

/// Writes members of this replica in one statement. A row that another replica has written since is left alone:
/// the data plane went there.
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
    let degraded: Vec<bool> = members.iter().map(|(_, member)| member.store_degraded).collect();
    let replicas: Vec<Option<Uuid>> = members
        .iter()
        .map(|(_, member)| member.connected.then_some(replica))
        .collect();
    sqlx::query!(
        r#"insert into data_plane
               (id, incarnation, build_version, address, state, applied_epoch, applied_revision, rejected_revision,
                errors, inflight, spool_bytes, spool_dropped, store_degraded, connected_to, last_seen)
           select id, incarnation, build_version, address, state, applied_epoch, applied_revision, rejected_revision,
                  errors, inflight, spool_bytes, spool_dropped, store_degraded, connected_to,
                  now() - seen_ms_ago * interval '1 millisecond'
           from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::bigint[],
                       $8::bigint[], $9::jsonb[], $10::int[], $11::bigint[], $12::bigint[], $13::bool[], $14::uuid[],
                       $15::bigint[])
                as member (id, incarnation, build_version, address, state, applied_epoch, applied_revision,
                           rejected_revision, errors, inflight, spool_bytes, spool_dropped, store_degraded,
                           connected_to, seen_ms_ago)
           order by id
           on conflict (id) do update set
               incarnation = excluded.incarnation, build_version = excluded.build_version,
               address = excluded.address, state = excluded.state, applied_epoch = excluded.applied_epoch,
               applied_revision = excluded.applied_revision, rejected_revision = excluded.rejected_revision,
               errors = excluded.errors, inflight = excluded.inflight, spool_bytes = excluded.spool_bytes,
               spool_dropped = excluded.spool_dropped, store_degraded = excluded.store_degraded,
               connected_to = excluded.connected_to, last_seen = excluded.last_seen
           where data_plane.connected_to = $16 or data_plane.last_seen <= excluded.last_seen"#,
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
