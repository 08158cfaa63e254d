//! Writing down that the address guard refused something.

use serde_json::json;

use crate::{
    api::Ctx,
    db::{Audit, Origin, Outcome},
    error::ApiError,
};

/// Records `error` if it is a refusal of the guard, and gives it back. Needs a connection: an open transaction must be
/// dropped before. The refusal stands whether or not it can be written down.
pub(super) async fn recorded(ctx: &Ctx, origin: &Origin, error: ApiError) -> ApiError {
    if let ApiError::UrlBlocked(why) = &error {
        let audit = Audit::of("security.ssrf_blocked")
            .outcome(Outcome::Denied)
            .details(json!({ "reason": why }));
        if let Err(error) = ctx.db.record(origin, audit).await {
            tracing::warn!(%error, "cannot record a refused address");
        }
    }
    error
}
