//! Who signed in, and the connection that this makes.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use runtime::secret::Secret;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::tokens::Tokens;
use crate::vault::{Cell, Vault};

/// Longer ones are no names.
const MAX_NAME: usize = 200;

/// An account as its provider tells it apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The e-mail address, the login, or whatever else is the account's own.
    pub key: Option<String>,
    pub email: Option<String>,
    pub display_name: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Saved {
    pub id: Uuid,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub created: bool,
}

/// Tokens that were renewed elsewhere.
#[derive(Debug, Default)]
pub struct Renewed {
    pub access_token: Option<Secret<String>>,
    pub refresh_token: Option<Secret<String>>,
    pub expires_at: Option<DateTime<Utc>>,
}

// === impl Account ===

impl Account {
    /// From the token, else from what the provider says about its owner.
    pub fn of(tokens: &Tokens, userinfo: Option<&Value>) -> Self {
        let claims = tokens.id_token.as_ref().and_then(|token| claims(token.expose()));
        let sources: Vec<&Value> = claims.iter().chain(userinfo).collect();
        let text = |names: &[&str]| {
            let values = sources
                .iter()
                .flat_map(|source| names.iter().filter_map(|name| source.get(*name)));
            let texts = values.filter_map(|value| match value {
                Value::String(text) => Some(text.trim().to_owned()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            });
            texts
                .map(|text| {
                    text.chars()
                        .filter(|c| !c.is_control())
                        .take(MAX_NAME)
                        .collect::<String>()
                })
                .find(|text| !text.is_empty())
        };
        let email = text(&["email"]);
        let login = text(&["login", "preferred_username"]);
        let subject = text(&["sub", "id"]);
        Self {
            display_name: login.clone().or_else(|| text(&["name"])),
            key: login
                .filter(|_| email.is_none())
                .or_else(|| email.as_ref().map(|email| email.to_lowercase()))
                .or(subject),
            email,
        }
    }

    fn name(&self) -> Option<&str> {
        self.email.as_deref().or(self.display_name.as_deref())
    }
}

/// Stores the tokens of an account: in the connection that is its own already, else in `again`, the one that was to
/// sign in again, else in a new one, which comes last at its provider.
pub async fn save(
    conn: &mut PgConnection,
    vault: &Vault,
    provider: &str,
    account: &Account,
    again: Option<Uuid>,
    tokens: &Tokens,
) -> Result<Saved, sqlx::Error> {
    let own = sqlx::query_scalar!(
        "select id from provider_connection
         where provider = $1 and auth_type = 'oauth' and (account = $2 or id = $3)
         order by account = $2 desc nulls last limit 1",
        provider,
        account.key,
        again,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let id = match own {
        Some(id) => id,
        None => insert(conn, provider, account).await?,
    };
    sqlx::query!(
        "update provider_connection
         set account = coalesce($2, account), email = coalesce($3, email),
             display_name = coalesce($4, display_name), is_active = true
         where id = $1",
        id,
        account.key,
        account.email,
        account.display_name,
    )
    .execute(&mut *conn)
    .await?;
    store(conn, vault, id, tokens).await?;
    let row = sqlx::query!(
        "select email, display_name from provider_connection where id = $1",
        id
    )
    .fetch_one(conn)
    .await?;
    Ok(Saved {
        id,
        email: row.email,
        display_name: row.display_name,
        created: own.is_none(),
    })
}

/// Tokens that were just given. A provider that gives no new refresh token means the old one to be used again.
pub(super) async fn store(
    conn: &mut PgConnection,
    vault: &Vault,
    id: Uuid,
    tokens: &Tokens,
) -> Result<(), sqlx::Error> {
    let text = id.to_string();
    let refresh_token = tokens
        .refresh_token
        .as_ref()
        .filter(|token| !token.expose().is_empty())
        .map(|token| vault.seal(Cell::connection_refresh_token(&text), token.expose()));
    sqlx::query!(
        "update provider_connection
         set access_token = $2, refresh_token = coalesce($3, refresh_token), token_type = $4,
             scope = coalesce($5, scope), token_expires_at = now() + $6::bigint * interval '1 second',
             token_generation = token_generation + 1, renewal_claimed_until = null, last_health_check_at = now(),
             test_status = 'active', last_error = null, last_error_type = null, last_error_source = null,
             last_error_at = null, error_code = null
         where id = $1",
        id,
        vault.seal(Cell::connection_access_token(&text), tokens.access_token.expose()),
        refresh_token,
        tokens.token_type,
        tokens.scope,
        tokens.expires_in_s(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is given replaces what there is. A new access token without an end is one whose end is not known.
pub async fn replace(
    conn: &mut PgConnection,
    vault: &Vault,
    id: Uuid,
    renewed: &Renewed,
) -> Result<(), sqlx::Error> {
    let text = id.to_string();
    let access_token = renewed
        .access_token
        .as_ref()
        .map(|token| vault.seal(Cell::connection_access_token(&text), token.expose()));
    let refresh_token = renewed
        .refresh_token
        .as_ref()
        .map(|token| vault.seal(Cell::connection_refresh_token(&text), token.expose()));
    sqlx::query!(
        "update provider_connection
         set token_expires_at = case when $2::bytea is null then coalesce($4, token_expires_at) else $4 end,
             access_token = coalesce($2, access_token), refresh_token = coalesce($3, refresh_token),
             token_generation = token_generation + 1, renewal_claimed_until = null, last_health_check_at = now(),
             test_status = 'active', last_error = null, last_error_type = null, last_error_source = null,
             last_error_at = null, error_code = null
         where id = $1",
        id,
        access_token,
        refresh_token,
        renewed.expires_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// As [`replace`], where ours end sooner; returns whether they do.
pub async fn replace_older(
    conn: &mut PgConnection,
    vault: &Vault,
    id: Uuid,
    renewed: &Renewed,
) -> Result<bool, sqlx::Error> {
    let older = sqlx::query_scalar!(
        "select id from provider_connection
         where id = $1 and auth_type = 'oauth' and token_expires_at < $2 for update",
        id,
        renewed.expires_at,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if older.is_none() {
        return Ok(false);
    }
    replace(conn, vault, id, renewed).await?;
    Ok(true)
}

async fn insert(conn: &mut PgConnection, provider: &str, account: &Account) -> Result<Uuid, sqlx::Error> {
    let id = Uuid::now_v7();
    sqlx::query!(
        "insert into provider_connection (id, provider, auth_type, name, priority)
         select $1, $2, 'oauth', coalesce($3, 'Account ' || count(*) filter (where auth_type = 'oauth') + 1),
                count(*) + 1
         from provider_connection where provider = $2",
        id,
        provider,
        account.name(),
    )
    .execute(conn)
    .await?;
    Ok(id)
}

/// The second part of a JWT.
fn claims(id_token: &str) -> Option<Value> {
    let payload = id_token.split('.').nth(1)?;
    let payload = BASE64_URL_SAFE_NO_PAD
        .decode(payload.trim_end_matches('='))
        .ok()?;
    serde_json::from_slice(&payload).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account(claims: Option<Value>, userinfo: Option<Value>) -> Account {
        let id_token = claims.map(|claims| {
            let payload = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
            format!("e30.{payload}.sig")
        });
        let tokens = json!({ "access_token": "a", "id_token": id_token });
        Account::of(&serde_json::from_value(tokens).unwrap(), userinfo.as_ref())
    }

    #[test]
    fn an_account_is_told_apart_by_address_then_login_then_number() {
        let by_address = account(Some(json!({ "sub": "1", "email": "A@b.c" })), None);
        assert_eq!(by_address.key.as_deref(), Some("a@b.c"));
        assert_eq!(by_address.email.as_deref(), Some("A@b.c"));
        let by_login = account(None, Some(json!({ "id": 7, "login": "octocat", "email": null })));
        assert_eq!(by_login.key.as_deref(), Some("octocat"));
        assert_eq!(by_login.name(), Some("octocat"));
        let by_number = account(None, Some(json!({ "id": 7 })));
        assert_eq!(by_number.key.as_deref(), Some("7"));
        assert_eq!(account(None, None), Account::default());
    }

    #[test]
    fn a_token_that_is_no_jwt_says_nothing() {
        for odd in ["", "a.b", "a.!!.c", "a.bm8.c"] {
            let tokens = json!({ "access_token": "a", "id_token": odd });
            let found = Account::of(&serde_json::from_value(tokens).unwrap(), None);
            assert_eq!(found, Account::default(), "{odd}");
        }
    }
}
