//! Accounts: who may log in, and how far their authority goes.
//!
//! Every account has one [`Role`], and a role includes the roles below it. A fresh installation has the account
//! [`FIRST`], an owner; a login that names nobody means that one.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

/// The username of the account that every installation starts with.
pub const FIRST: &str = "admin";

/// What somebody may do, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything but secrets, changes nothing.
    Viewer,
    /// Runs the gateway: providers, models, routing, prices, tests.
    Operator,
    /// Decides who gets in and what it may cost: keys, budgets, settings, proxies, tokens, backups.
    Admin,
    /// Decides who is who: accounts.
    Owner,
}

/// Who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: Uuid,
    pub username: Arc<str>,
    pub role: Role,
}

// === impl Role ===

impl Role {
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Admin, Self::Owner];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Account ===

impl Account {
    /// The first owner who is active, and the epoch of their sessions.
    pub async fn owner(pool: &PgPool) -> Result<(Self, i32), sqlx::Error> {
        let row = sqlx::query!(
            "select id, username, session_epoch from account where role = 'owner' and is_active
             order by created_at, id limit 1"
        )
        .fetch_one(pool)
        .await?;
        let account = Self {
            id: row.id,
            username: row.username.into(),
            role: Role::Owner,
        };
        Ok((account, row.session_epoch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_includes_those_below_it_and_has_one_name() {
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(Role::named(role.as_str()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        assert_eq!(Role::named("root"), None);
    }
}
