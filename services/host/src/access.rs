//! Who may come in, and who asks.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use contracts::Actor;
use tracing::warn;

use crate::limits::without_its_body;
use crate::settings::{BusAdapter, Role, Settings, Token, Tokens};
use crate::token::TokenHash;
use crate::{Problem, http};

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

/// The header by which whoever asks gives a name, where access is off.
const ACTOR: &str = "x-longhaul-actor";

const HOW_TO_CONFIGURE: &str = "`longhaul token NAME` makes a token and prints the settings for it, \
    http.tokens.NAME.role and http.tokens.NAME.sha256 (in the environment LONGHAUL__HTTP__TOKENS__NAME__ROLE \
    and LONGHAUL__HTTP__TOKENS__NAME__SHA256)";

/// Who may come in.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// Whoever reaches the address.
    Off,
    /// Whoever has one of these tokens.
    On(Arc<Tokens>),
}

impl Access {
    /// It is off only where no token is configured, and nobody else can come: one process, which listens
    /// to its own machine only.
    pub(crate) fn of(settings: &Settings) -> Self {
        let http = &settings.http;
        let alone = settings.bus.adapter == BusAdapter::Embedded && http.host.is_loopback();
        if alone && http.tokens.0.is_empty() {
            Self::Off
        } else {
            Self::On(Arc::new(http.tokens.clone()))
        }
    }

    /// Says what a person should know of it, at the start.
    pub(crate) fn announce(&self, address: SocketAddr) {
        match self {
            Self::Off => warn!(
                "access is off: whoever reaches {address} may do everything. To let in whoever has a token \
                 only, configure one: {HOW_TO_CONFIGURE}"
            ),
            Self::On(tokens) if tokens.0.is_empty() => warn!(
                "no token is configured: nobody may ask anything but /health. To let somebody in: \
                 {HOW_TO_CONFIGURE}"
            ),
            Self::On(_) => {}
        }
    }

    fn caller(&self, method: &Method, headers: &HeaderMap) -> Result<Caller, Problem> {
        match self {
            Self::Off => named(headers),
            Self::On(tokens) => {
                let (actor, token) = holder(tokens, headers)?;
                let looks = [Method::GET, Method::HEAD].contains(method);
                match token.role {
                    Role::Read if !looks => Err(Problem::new(
                        StatusCode::FORBIDDEN,
                        format!(
                            "the token of {actor} has the role \"read\", which may look (GET) and nothing \
                             else: ask with one that has the role \"operate\""
                        ),
                    )),
                    Role::Read | Role::Operate => Ok(Caller {
                        actor: Some(actor.clone()),
                    }),
                }
            }
        }
    }
}

/// Lets in who may, and says behind it who that is. Health is for everybody.
pub(crate) async fn guard(
    State(access): State<Access>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = if http::is_health(request.uri().path()) {
        Ok(Caller::default())
    } else {
        access.caller(request.method(), request.headers())
    };
    match caller {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => without_its_body(&request, problem.into_response()),
    }
}

/// The name that a request gives by itself.
fn named(headers: &HeaderMap) -> Result<Caller, Problem> {
    let Some(name) = headers.get(ACTOR) else {
        return Ok(Caller::default());
    };
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, format!("{ACTOR}: {detail}"));
    let name = str::from_utf8(name.as_bytes()).map_err(|error| bad(error.to_string()))?;
    let actor = Actor::parse(name).map_err(|error| bad(error.to_string()))?;
    Ok(Caller { actor: Some(actor) })
}

/// Whose token a request has.
fn holder<'a>(tokens: &'a Tokens, headers: &HeaderMap) -> Result<(&'a Actor, &'a Token), Problem> {
    let refused = |detail: String| Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
    if tokens.0.is_empty() {
        return refused(format!(
            "no token is configured here, so nobody may ask: {HOW_TO_CONFIGURE}"
        ));
    }
    let Some(sent) = bearer(headers) else {
        return refused(
            "send a token, as `Authorization: Bearer TOKEN`; whoever runs this service makes one with \
             `longhaul token NAME`"
                .to_owned(),
        );
    };
    let sent = TokenHash::of(sent);
    // All are compared, so that the time says nothing about which it is.
    let mut found = None;
    for holder in &tokens.0 {
        if holder.1.sha256.is(&sent) {
            found = Some(holder);
        }
    }
    match found {
        Some(holder) => Ok(holder),
        None => refused(format!(
            "this token is none of those that are configured: {HOW_TO_CONFIGURE}"
        )),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::Base;

    fn access(variables: &[(&str, &str)]) -> Access {
        let environment: HashMap<_, _> = variables
            .iter()
            .map(|(key, value)| (format!("LONGHAUL__{key}"), (*value).to_owned()))
            .collect();
        Access::of(&Settings::layered(Base::AllInOne, None, environment).unwrap())
    }

    fn is_off(variables: &[(&str, &str)]) -> bool {
        matches!(access(variables), Access::Off)
    }

    #[test]
    fn it_is_off_only_where_nobody_else_can_come() {
        assert!(is_off(&[]));
        assert!(is_off(&[("HTTP__HOST", "::1")]));
        for (key, value) in [
            ("HTTP__HOST", "0.0.0.0"),
            ("HTTP__HOST", "::"),
            ("HTTP__HOST", "10.0.0.1"),
            ("BUS__ADAPTER", "rabbitmq"),
        ] {
            assert!(!is_off(&[(key, value)]), "{key}={value}");
        }
        let hash = TokenHash::of("secret").to_hex();
        let token = [
            ("HTTP__TOKENS__ADA__ROLE", "read"),
            ("HTTP__TOKENS__ADA__SHA256", &hash),
        ];
        assert!(!is_off(&token));
    }

    fn ask(access: &Access, method: &Method, header: &[(&str, &str)]) -> Result<Caller, u16> {
        let headers: HashMap<String, String> = header
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let headers = HeaderMap::try_from(&headers).unwrap();
        let asked = access.caller(method, &headers);
        asked.map_err(|problem| problem.into_response().status().as_u16())
    }

    fn someone(name: &str) -> Result<Caller, u16> {
        Ok(Caller {
            actor: Actor::parse(name).ok(),
        })
    }

    #[test]
    fn the_role_of_a_token_says_what_its_holder_may() {
        let (ada, bob) = (TokenHash::of("a").to_hex(), TokenHash::of("b").to_hex());
        let access = access(&[
            ("HTTP__TOKENS__ADA__ROLE", "read"),
            ("HTTP__TOKENS__ADA__SHA256", &ada),
            ("HTTP__TOKENS__BOB__ROLE", "operate"),
            ("HTTP__TOKENS__BOB__SHA256", &bob),
        ]);
        let with = |method: &Method, token: &str| {
            let value = format!("Bearer {token}");
            ask(&access, method, &[("authorization", &value)])
        };
        assert_eq!(with(&Method::GET, "a"), someone("ada"));
        assert_eq!(with(&Method::HEAD, "a"), someone("ada"));
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            assert_eq!(with(&method, "a"), Err(403), "{method}");
            assert_eq!(with(&method, "b"), someone("bob"), "{method}");
            assert_eq!(with(&method, "c"), Err(401), "{method}");
        }
        let named = [("x-longhaul-actor", "ada")];
        assert_eq!(ask(&access, &Method::GET, &named), Err(401));
        for wrong in ["Bearer", "Bearer ", "Basic Yg==", "b", &ada, &bob] {
            let sent = ask(&access, &Method::GET, &[("authorization", wrong)]);
            assert_eq!(sent, Err(401), "{wrong}");
        }
        // Who knows a hash does not know its token.
        assert_eq!(with(&Method::GET, &bob), Err(401));
        let spelled = [("authorization", "bEARER b")];
        assert_eq!(ask(&access, &Method::POST, &spelled), someone("bob"));
    }

    #[test]
    fn where_it_is_off_whoever_asks_may_give_a_name() {
        let with = |name: &str| ask(&Access::Off, &Method::POST, &[("x-longhaul-actor", name)]);
        assert_eq!(with("Ada L."), someone("Ada L."));
        assert_eq!(with(""), Err(400));
        assert_eq!(with(&"x".repeat(129)), Err(400));
        assert_eq!(
            ask(&Access::Off, &Method::POST, &[]),
            Ok(Caller { actor: None })
        );
    }
}
