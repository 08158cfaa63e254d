//! Prices that operators set, and the rows that keep them.

use std::collections::HashMap;

use chrono::Utc;
use llm::{
    pricing::{self, PriceOverride, UnitPrice, dated::Periods},
    providers,
};
use sqlx::PgConnection;

use super::{Pricing, listed, shown};
use crate::api::{names::Names, price_periods};

/// A row of `price_override`.
#[derive(Clone)]
pub(super) struct Override {
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) price: PriceOverride,
}

/// Both sources of prices, by what providers are called.
pub(super) struct Prices {
    pub(super) names: Names,
    overrides: Vec<Override>,
    /// What is said from some moment on, by the provider's id.
    periods: HashMap<String, Periods>,
}

// === impl Prices ===

impl Prices {
    pub(super) async fn load(conn: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let names = Names::load(conn).await?;
        let rows = sqlx::query!(
            "select provider, model, input, output, cached, reasoning, cache_creation, image, audio_minute,
                    characters, search
             from price_override
             order by provider, model"
        )
        .fetch_all(&mut *conn)
        .await?;
        let periods = price_periods::load(conn).await?;
        let overrides = rows.into_iter().map(|row| Override {
            provider: row.provider,
            model: row.model,
            price: PriceOverride {
                input: amount(row.input),
                output: amount(row.output),
                cached: amount(row.cached),
                reasoning: amount(row.reasoning),
                cache_creation: amount(row.cache_creation),
                units: UnitPrice {
                    image: amount(row.image),
                    audio_minute: amount(row.audio_minute),
                    characters: amount(row.characters),
                    search: amount(row.search),
                },
            },
        });
        Ok(Self {
            names,
            overrides: overrides.collect(),
            periods,
        })
    }

    /// What operators say now: of a model that is in a period, what that says.
    fn in_force(&self) -> Vec<Override> {
        let now_ms = Utc::now().timestamp_millis();
        let mut in_force: Vec<Override> = self.overrides.clone();
        for (provider, models) in &self.periods {
            for (model, periods) in models {
                let Some(period) = periods.iter().rfind(|period| period.from_ms <= now_ms) else {
                    continue;
                };
                let is_meant = |row: &Override| row.provider == *provider && row.model == *model;
                let always = in_force.iter().find(|row| is_meant(row));
                // only what tokens cost changes from period to period
                let units = always.map(|row| row.price.units).unwrap_or_default();
                in_force.retain(|row| !is_meant(row));
                in_force.push(Override {
                    provider: provider.clone(),
                    model: model.clone(),
                    price: PriceOverride {
                        units,
                        ..period.price
                    },
                });
            }
        }
        in_force
    }

    /// The list under what operators say.
    pub(super) fn merged(&self, source: bool) -> Pricing {
        let mut pricing = listed(source);
        for Override {
            provider,
            model,
            price,
        } in &self.in_force()
        {
            let called = self.called(provider);
            let listed = pricing::find(provider, &called, model);
            let over = price.over(listed);
            // what nobody can charge is not a price; it was refused when it was written
            if over.is_unknown() {
                continue;
            }
            let shown = shown(&over, Some(price), source);
            pricing.0.entry(called).or_default().insert(model.clone(), shown);
        }
        pricing
    }

    /// What clients write before the slash.
    pub(super) fn called(&self, provider: &str) -> String {
        let node = || self.names.nodes.iter().find(|(_, id)| *id == provider);
        match providers::find(provider) {
            Some(spec) => spec.alias.to_owned(),
            None => node().map_or(provider, |(prefix, _)| prefix).to_owned(),
        }
    }

    pub(super) fn own(&self, provider: &str, model: &str) -> PriceOverride {
        let own = |row: &&Override| row.provider == provider && row.model == model;
        self.overrides
            .iter()
            .find(own)
            .map(|row| row.price)
            .unwrap_or_default()
    }
}

/// A row that says nothing is none.
pub(super) async fn write(
    conn: &mut PgConnection,
    provider: &str,
    model: &str,
    price: &PriceOverride,
) -> Result<(), sqlx::Error> {
    if *price == PriceOverride::default() {
        sqlx::query!(
            "delete from price_override where provider = $1 and model = $2",
            provider,
            model
        )
        .execute(conn)
        .await?;
        return Ok(());
    }
    sqlx::query!(
        "insert into price_override (provider, model, input, output, cached, reasoning, cache_creation, image,
                                     audio_minute, characters, search)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         on conflict (provider, model) do update
         set input = excluded.input, output = excluded.output, cached = excluded.cached,
             reasoning = excluded.reasoning, cache_creation = excluded.cache_creation, image = excluded.image,
             audio_minute = excluded.audio_minute, characters = excluded.characters, search = excluded.search",
        provider,
        model,
        price.input.map(u64::cast_signed),
        price.output.map(u64::cast_signed),
        price.cached.map(u64::cast_signed),
        price.reasoning.map(u64::cast_signed),
        price.cache_creation.map(u64::cast_signed),
        price.units.image.map(u64::cast_signed),
        price.units.audio_minute.map(u64::cast_signed),
        price.units.characters.map(u64::cast_signed),
        price.units.search.map(u64::cast_signed),
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn amount(stored: Option<i64>) -> Option<u64> {
    stored.and_then(|nano| u64::try_from(nano).ok())
}
