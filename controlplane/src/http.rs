//! What every endpoint of the management API shares: who calls, what a body may be, how an answer looks.
//!
//! Authorisation is visible in a handler's signature; [`caller`] has the table.

mod body;
mod caller;
mod client;
pub mod edge;
mod gate;
mod limit;
mod origin;
mod precondition;
mod query;
mod stamp;
mod written;

pub use self::{
    body::{Body, Json, Patch, Violations},
    caller::{
        Access, Admin, AdminOrKey, Operator, Owner, Person, Reader, TOKEN_PREFIX, Visitor,
        scope_is_well_formed,
    },
    client::Client,
    gate::Gate,
    limit::Limiter,
    origin::SameSite,
    precondition::{IfMatch, etag},
    query::{Query, one_of, uuid_or_missing},
    stamp::Stamp,
    written::{Wait, WaitQuery},
};
