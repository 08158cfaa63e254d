//! Accounts that somebody signs in to: OAuth 2.0 as the standards have it, with the operator's own client.
//!
//! Two ways in: the authorization code flow, always with PKCE (RFC 6749, RFC 7636), and the device flow (RFC 8628).
//! Tokens are then renewed here and nowhere else, and reach the data planes as any other credential does. What needs
//! somebody else's client, or a protocol that no standard describes, is not offered; see [`provider`].
//!
//! Secrets of a flow never leave this process: a browser gets handles. Tokens are sealed before they are stored.

mod account;
mod client;
mod endpoint;
mod error;
mod flow;
mod provider;
mod renewal;
mod tokens;

pub use self::{
    account::{Account, Renewed, Saved, replace, replace_older, save},
    client::{Client, ClientError, Clients},
    endpoint::{Device, Endpoint, Polled},
    error::OAuthError,
    flow::{Flow, Started, Status, Turn, interval_s, pkce},
    provider::{Kind, Provider, Spec, configured_besides, listed},
    renewal::{RenewalError, Renewals, Shared},
    tokens::Tokens,
};
