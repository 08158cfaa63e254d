//! What combos share: the layers below a combo's own `config`.
//!
//! `GET PUT PATCH /api/settings/combo-defaults`
//!
//! The defaults hold for every combo. The override of a provider stands over them, for combos all of whose members
//! are models of that provider.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode, response::Response};
use proto::validate::STRATEGIES;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Graph, Names, sql};
use crate::{
    api::Ctx,
    combo_config::{BUILT_IN, ComboConfig, ComboDefaults, DEFAULT_STRATEGY},
    db::Audit,
    error::ApiError,
    http::{Body, Json as JsonBody, Operator, Patch, Reader, Violations, Wait, WaitQuery},
};

/// Shown while nobody said how often. Sent back it says nothing either: see [`BUILT_IN`].
const SHOWN_RETRIES: u32 = 1;

type Overrides = BTreeMap<String, ComboConfig>;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DefaultsView {
    /// Effective: with what is built in.
    combo_defaults: DefaultsOfCombos,
    /// By provider id; what is not there comes from `comboDefaults`.
    #[schema(value_type = std::collections::HashMap<String, ComboConfig>)]
    provider_overrides: Overrides,
}

#[derive(Debug, Serialize)]
struct DefaultsOfCombos {
    /// Of new combos that name none.
    strategy: String,
    #[serde(flatten)]
    config: ComboConfig,
}

/// A combo's configuration takes no fields it does not know; the strategy is one of these.
impl PartialSchema for DefaultsOfCombos {
    fn schema() -> RefOr<Schema> {
        let mut schema = ComboConfig::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.properties.insert("strategy".to_owned(), String::schema());
            object.required.push("strategy".to_owned());
        }
        schema
    }
}

impl ToSchema for DefaultsOfCombos {}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DefaultsBody {
    combo_defaults: Option<ConfigPatch>,
    /// By id or alias of a provider, or id or prefix of a provider node. `null` removes an override.
    #[schema(value_type = Option<std::collections::HashMap<String, ConfigPatch>>)]
    provider_overrides: Option<BTreeMap<String, Option<ConfigPatch>>>,
}

/// What is absent stays, and `null` goes back to the layer below.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ConfigPatch {
    /// Of `comboDefaults` only.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    strategy: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    max_retries: Patch<u32>,
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    retry_delay_ms: Patch<u32>,
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    timeout_ms: Patch<u32>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    health_check_enabled: Patch<bool>,
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    health_check_timeout_ms: Patch<u32>,
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    concurrency_per_model: Patch<u32>,
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    queue_timeout_ms: Patch<u32>,
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    max_combo_depth: Patch<u32>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    track_metrics: Patch<bool>,
}

/// Both settings, as stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Layers {
    defaults: ComboDefaults,
    overrides: Overrides,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read, change))
}

// === impl DefaultsBody ===

impl Body for DefaultsBody {
    fn check(&self, violations: &mut Violations) {
        if self.combo_defaults.is_none() && self.provider_overrides.is_none() {
            violations.add(
                "",
                "there is nothing to change: send comboDefaults or providerOverrides",
            );
        }
        if let Some(patch) = &self.combo_defaults {
            patch.check("comboDefaults", violations);
            if let Some(strategy) = patch.strategy.set() {
                violations.one_of("comboDefaults.strategy", strategy, &STRATEGIES);
            }
        }
        for (provider, patch) in self.provider_overrides.iter().flatten() {
            let Some(patch) = patch else { continue };
            let at = format!("providerOverrides.{provider}");
            patch.check(&at, violations);
            if !patch.strategy.is_keep() {
                violations.add(format!("{at}.strategy"), "belongs to comboDefaults");
            }
        }
    }
}

// === impl ConfigPatch ===

impl ConfigPatch {
    fn check(&self, at: &str, violations: &mut Violations) {
        self.over(ComboConfig::default()).check(at, violations);
    }

    fn over(&self, before: ComboConfig) -> ComboConfig {
        ComboConfig {
            max_retries: self.max_retries.over(before.max_retries),
            retry_delay_ms: self.retry_delay_ms.over(before.retry_delay_ms),
            timeout_ms: self.timeout_ms.over(before.timeout_ms),
            health_check_enabled: self.health_check_enabled.over(before.health_check_enabled),
            health_check_timeout_ms: self.health_check_timeout_ms.over(before.health_check_timeout_ms),
            concurrency_per_model: self.concurrency_per_model.over(before.concurrency_per_model),
            queue_timeout_ms: self.queue_timeout_ms.over(before.queue_timeout_ms),
            max_combo_depth: self.max_combo_depth.over(before.max_combo_depth),
            track_metrics: self.track_metrics.over(before.track_metrics),
        }
    }
}

// === impl Layers ===

impl Layers {
    async fn load(conn: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let overrides = sqlx::query_scalar!("select value from setting where key = 'providerOverrides'")
            .fetch_optional(&mut *conn)
            .await?;
        let overrides = overrides.and_then(|stored| serde_json::from_value(stored).ok());
        Ok(Self {
            defaults: sql::defaults(conn).await?,
            overrides: overrides.unwrap_or_default(),
        })
    }

    async fn save(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "insert into setting (key, value) values ('comboDefaults', $1), ('providerOverrides', $2)
             on conflict (key) do update set value = excluded.value where setting.value <> excluded.value",
            self.defaults.to_stored(),
            json!(self.overrides),
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    fn apply(&mut self, body: DefaultsBody, names: &Names) -> Result<(), ApiError> {
        if let Some(patch) = body.combo_defaults {
            self.apply_defaults(patch);
        }
        let mut violations = Violations::default();
        for (name, patch) in body.provider_overrides.unwrap_or_default() {
            let id = names.provider_id(&name);
            // an override may outlive its provider node; it can still be changed and removed
            let id = id.or_else(|| self.overrides.contains_key(&name).then(|| name.clone()));
            match (id, patch) {
                (None, None) => {}
                (None, Some(_)) => violations.add(
                    format!("providerOverrides.{name}"),
                    "is no provider and no provider node",
                ),
                (Some(id), patch) => self.apply_override(id, patch),
            }
        }
        violations.into_result()
    }

    fn apply_defaults(&mut self, patch: ConfigPatch) {
        let before = self.defaults.config.clone();
        let mut after = patch.over(before.clone());
        if before.max_retries.is_none() && after.max_retries == Some(SHOWN_RETRIES) {
            after.max_retries = None;
        }
        let shown = BUILT_IN.health_check_timeout_ms;
        if before.health_check_timeout_ms.is_none() && after.health_check_timeout_ms == shown {
            after.health_check_timeout_ms = None;
        }
        self.defaults = ComboDefaults {
            strategy: patch.strategy.over(self.defaults.strategy.take()),
            config: after,
        };
    }

    fn apply_override(&mut self, id: String, patch: Option<ConfigPatch>) {
        let before = self.overrides.remove(&id).unwrap_or_default();
        let Some(patch) = patch else { return };
        let after = patch.over(before);
        if after != ComboConfig::default() {
            self.overrides.insert(id, after);
        }
    }

    fn view(self) -> DefaultsView {
        let shown = ComboConfig {
            max_retries: Some(SHOWN_RETRIES),
            ..BUILT_IN
        };
        let strategy = self.defaults.strategy;
        DefaultsView {
            combo_defaults: DefaultsOfCombos {
                strategy: strategy.unwrap_or_else(|| DEFAULT_STRATEGY.to_owned()),
                config: self.defaults.config.or(shown),
            },
            provider_overrides: self.overrides,
        }
    }
}

/// The defaults of all combos, and the overrides of providers.
#[utoipa::path(get, path = "/api/settings/combo-defaults", tag = "settings",
    responses((status = 200, body = DefaultsView)))]
async fn read(State(ctx): State<Ctx>, _: Reader) -> Result<Json<DefaultsView>, ApiError> {
    let mut conn = ctx.db.pool().acquire().await?;
    Ok(Json(Layers::load(&mut conn).await?.view()))
}

/// Changes what the body names.
#[utoipa::path(method(put, patch), path = "/api/settings/combo-defaults", tag = "settings",
    request_body = DefaultsBody, params(WaitQuery), responses((status = 200, body = DefaultsView), (status = 400)))]
async fn change(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<DefaultsBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let before = Layers::load(tx.conn()).await?;
    let names = Names::load(tx.conn()).await?;
    let mut after = before.clone();
    after.apply(body, &names)?;
    Graph::of(sql::all(tx.conn()).await?.iter(), &after.defaults).check_all()?;
    after.save(tx.conn()).await?;

    let details = json!({
        "from": { "comboDefaults": before.defaults.to_stored(), "providerOverrides": before.overrides },
        "to": { "comboDefaults": after.defaults.to_stored(), "providerOverrides": after.overrides },
    });
    let audit = Audit::of("settings.comboDefaults.updated").details(details);
    let committed = tx.commit(audit, after.view()).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}
