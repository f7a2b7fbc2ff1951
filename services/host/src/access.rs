//! Who may come in, and who asks.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use contracts::Actor;

/// Who sent a request: an extension of each that is let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The name of the token; where access is off, the one that the request gives, if it does.
    pub actor: Option<Actor>,
}

/// Nobody in particular, where the routes are served without what lets requests in.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}
