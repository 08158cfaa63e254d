//! An OAuth server, and an API that takes its tokens and no others.
//!
//! It keeps to the letter of RFC 6749, 7636 and 8628 where a client could be careless: a code and a refresh token are
//! good once, a verifier must fit its challenge, a redirect address must be the same twice, and who polls too soon is
//! told to slow down.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub const CLIENT_ID: &str = "client-of-the-operator";
pub const CLIENT_SECRET: &str = "secret-of-the-client/+&";

/// Ends when dropped.
#[derive(Debug)]
pub struct OAuthServer {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct World {
    /// Claims of the ID token and the answer of `/userinfo`.
    account: Value,
    lifetime_s: i64,
    interval_s: i64,
    refuses_consent: bool,
    /// What the token endpoint answers instead.
    outage: Option<(u16, Value)>,
    codes: HashMap<String, Code>,
    devices: HashMap<String, Device>,
    access_tokens: HashSet<String>,
    refresh_tokens: HashSet<String>,
    used_refresh_tokens: HashSet<String>,
    refreshes: usize,
    reuses: usize,
    revoked: usize,
    chats: Vec<u16>,
    /// How clients proved themselves, of every call to the token endpoint.
    authentications: Vec<&'static str>,
}

#[derive(Debug)]
struct Code {
    challenge: String,
    redirect_uri: String,
}

#[derive(Debug)]
struct Device {
    user_code: String,
    challenge: Option<String>,
    decision: Option<bool>,
    polled: Option<Instant>,
}

type Shared = State<Arc<Mutex<World>>>;
type Fields = HashMap<String, String>;

// === impl OAuthServer ===

impl OAuthServer {
    pub async fn start() -> Self {
        let world = Arc::new(Mutex::new(World {
            account: json!({ "sub": "subject-1", "email": "ada@example.test", "name": "Ada" }),
            lifetime_s: 3600,
            interval_s: 1,
            refuses_consent: false,
            outage: None,
            codes: HashMap::new(),
            devices: HashMap::new(),
            access_tokens: HashSet::new(),
            refresh_tokens: HashSet::new(),
            used_refresh_tokens: HashSet::new(),
            refreshes: 0,
            reuses: 0,
            revoked: 0,
            chats: Vec::new(),
            authentications: Vec::new(),
        }));
        let router = Router::new()
            .route("/authorize", get(authorize))
            .route("/device", post(start_device).get(approve_device))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .route("/revoke", post(revoke))
            .route("/v1/models", get(models))
            .route("/v1/chat/completions", post(chat))
            .with_state(world.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let task = tokio::spawn(async move {
            // it serves until it is aborted
            let _ = axum::serve(listener, router).await;
        });
        Self { address, world, task }
    }

    /// The address of one of its endpoints, `token` for example.
    pub fn url(&self, endpoint: &str) -> String {
        format!("http://{}/{endpoint}", self.address)
    }

    /// Who signs in from now on.
    pub fn set_account(&self, account: Value) {
        self.world.lock().account = account;
    }

    /// How long tokens last that are given from now on.
    pub fn set_lifetime_s(&self, seconds: i64) {
        self.world.lock().lifetime_s = seconds;
    }

    pub fn refuse_consent(&self) {
        self.world.lock().refuses_consent = true;
    }

    /// What the token endpoint answers from now on, until `None`.
    pub fn set_outage(&self, outage: Option<(u16, Value)>) {
        self.world.lock().outage = outage;
    }

    /// Whoever was shown a user code decides.
    pub fn decide(&self, user_code: &str, approve: bool) {
        let mut world = self.world.lock();
        let device = world
            .devices
            .values_mut()
            .find(|device| device.user_code == user_code);
        device.expect("the code was shown").decision = Some(approve);
    }

    /// No access token that was given is good any more.
    pub fn end_access_tokens(&self) {
        self.world.lock().access_tokens.clear();
    }

    /// No refresh token that was given is good any more.
    pub fn end_refresh_tokens(&self) {
        let mut world = self.world.lock();
        let ended: Vec<String> = world.refresh_tokens.drain().collect();
        world.used_refresh_tokens.extend(ended);
    }

    /// How many refresh tokens were turned into new ones.
    pub fn refreshes(&self) -> usize {
        self.world.lock().refreshes
    }

    /// How often a refresh token came that was used already.
    pub fn reuses(&self) -> usize {
        self.world.lock().reuses
    }

    pub fn revoked(&self) -> usize {
        self.world.lock().revoked
    }

    /// The statuses of the answers to chat requests.
    pub fn chats(&self) -> Vec<u16> {
        self.world.lock().chats.clone()
    }

    /// `basic`, `post` or `none`, for every call to the token endpoint.
    pub fn authentications(&self) -> Vec<&'static str> {
        self.world.lock().authentications.clone()
    }

    /// Every token it ever gave, for looking where they went.
    pub fn tokens(&self) -> Vec<String> {
        let world = self.world.lock();
        let given = world.access_tokens.iter().chain(&world.refresh_tokens);
        given.chain(&world.used_refresh_tokens).cloned().collect()
    }
}

impl Drop for OAuthServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

// === impl World ===

impl World {
    fn grant(&mut self) -> Response {
        let access = format!("access-{}", Uuid::now_v7().simple());
        let refresh = format!("refresh-{}", Uuid::now_v7().simple());
        let claims = BASE64_URL_SAFE_NO_PAD.encode(self.account.to_string());
        self.access_tokens.insert(access.clone());
        self.refresh_tokens.insert(refresh.clone());
        json_answer(
            200,
            &json!({
                "access_token": access, "refresh_token": refresh, "token_type": "bearer", "scope": "inference",
                "expires_in": self.lifetime_s, "id_token": format!("e30.{claims}.c2ln"),
            }),
        )
    }

    fn exchange(&mut self, fields: &Fields) -> Response {
        let Some(code) = self.codes.remove(field(fields, "code")) else {
            return refusal("invalid_grant");
        };
        let fits = challenge(field(fields, "code_verifier")) == code.challenge;
        if !fits || field(fields, "redirect_uri") != code.redirect_uri {
            return refusal("invalid_grant");
        }
        self.grant()
    }

    fn refresh(&mut self, fields: &Fields) -> Response {
        let token = field(fields, "refresh_token");
        if self.used_refresh_tokens.contains(token) {
            self.reuses += 1;
        }
        if !self.refresh_tokens.remove(token) {
            return refusal("invalid_grant");
        }
        self.used_refresh_tokens.insert(token.to_owned());
        self.refreshes += 1;
        self.grant()
    }

    fn poll(&mut self, fields: &Fields) -> Response {
        let interval = Duration::from_secs(self.interval_s.unsigned_abs());
        let Some(device) = self.devices.get_mut(field(fields, "device_code")) else {
            return refusal("expired_token");
        };
        let last = device.polled.replace(Instant::now());
        // give or take what a clock and a network do
        if last.is_some_and(|last| last.elapsed() + Duration::from_millis(100) < interval) {
            return refusal("slow_down");
        }
        let fits = device
            .challenge
            .as_ref()
            .is_none_or(|expected| challenge(field(fields, "code_verifier")) == *expected);
        match device.decision {
            _ if !fits => refusal("invalid_grant"),
            None => refusal("authorization_pending"),
            Some(false) => refusal("access_denied"),
            Some(true) => {
                self.devices.remove(field(fields, "device_code"));
                self.grant()
            }
        }
    }
}

async fn authorize(State(world): Shared, Query(fields): Query<Fields>) -> Response {
    let well_formed = field(&fields, "response_type") == "code"
        && field(&fields, "client_id") == CLIENT_ID
        && field(&fields, "code_challenge_method") == "S256"
        && !field(&fields, "state").is_empty();
    let Ok(mut back) = url::Url::parse(field(&fields, "redirect_uri")) else {
        return refusal("invalid_request");
    };
    if !well_formed {
        return refusal("invalid_request");
    }
    let mut world = world.lock();
    let outcome = if world.refuses_consent {
        ("error", "access_denied".to_owned())
    } else {
        let code = Uuid::now_v7().simple().to_string();
        let granted = Code {
            challenge: field(&fields, "code_challenge").to_owned(),
            redirect_uri: field(&fields, "redirect_uri").to_owned(),
        };
        world.codes.insert(code.clone(), granted);
        ("code", code)
    };
    back.query_pairs_mut()
        .append_pair(outcome.0, &outcome.1)
        .append_pair("state", field(&fields, "state"));
    Redirect::to(back.as_str()).into_response()
}

async fn start_device(State(world): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let fields = read(&headers, &body);
    if field(&fields, "client_id") != CLIENT_ID {
        return refusal("invalid_client");
    }
    let mut world = world.lock();
    let device_code = format!("device-{}", Uuid::now_v7().simple());
    let user_code = format!("USER-{}", world.devices.len() + 1);
    let page = format!("http://{}/device", field_of(&headers, header::HOST));
    let device = Device {
        user_code: user_code.clone(),
        challenge: fields.get("code_challenge").cloned(),
        decision: None,
        polled: None,
    };
    world.devices.insert(device_code.clone(), device);
    json_answer(
        200,
        &json!({
            "device_code": device_code, "user_code": user_code, "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={user_code}"), "expires_in": 600,
            "interval": world.interval_s,
        }),
    )
}

/// The page that somebody types the code into; whoever opens it says yes.
async fn approve_device(State(world): Shared, Query(fields): Query<Fields>) -> Response {
    let mut world = world.lock();
    let code = field(&fields, "user_code");
    match world.devices.values_mut().find(|device| device.user_code == code) {
        Some(device) => {
            device.decision = Some(true);
            "You may close this page.".into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn token(State(world): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let fields = read(&headers, &body);
    let mut world = world.lock();
    if let Some((status, answer)) = &world.outage {
        return json_answer(*status, answer);
    }
    let Some(authentication) = authentication(&headers, &fields) else {
        return refusal("invalid_client");
    };
    world.authentications.push(authentication);
    match field(&fields, "grant_type") {
        "authorization_code" => world.exchange(&fields),
        "refresh_token" => world.refresh(&fields),
        "urn:ietf:params:oauth:grant-type:device_code" => world.poll(&fields),
        _ => refusal("unsupported_grant_type"),
    }
}

async fn userinfo(State(world): Shared, headers: HeaderMap) -> Response {
    let world = world.lock();
    match is_signed_in(&world, &headers) {
        true => json_answer(200, &world.account),
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn revoke(State(world): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let fields = read(&headers, &body);
    let mut world = world.lock();
    let token = field(&fields, "token");
    if world.refresh_tokens.remove(token) || world.access_tokens.remove(token) {
        world.revoked += 1;
    }
    StatusCode::OK.into_response()
}

async fn models(State(world): Shared, headers: HeaderMap) -> Response {
    match is_signed_in(&world.lock(), &headers) {
        true => json_answer(200, &json!({ "data": [{ "id": "m-1" }] })),
        false => json_answer(401, &json!({ "error": { "message": "the token has ended" } })),
    }
}

async fn chat(State(world): Shared, headers: HeaderMap) -> Response {
    let mut world = world.lock();
    let (status, answer) = match is_signed_in(&world, &headers) {
        false => (
            401,
            json!({ "error": { "message": "the token has ended", "type": "invalid_token" } }),
        ),
        true => (
            200,
            json!({
                "id": "c-1", "object": "chat.completion", "created": 1, "model": "m-1",
                "choices": [{ "index": 0, "finish_reason": "stop",
                              "message": { "role": "assistant", "content": "signed in" } }],
                "usage": { "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 },
            }),
        ),
    };
    world.chats.push(status);
    json_answer(status, &answer)
}

fn is_signed_in(world: &World, headers: &HeaderMap) -> bool {
    let token = field_of(headers, header::AUTHORIZATION).strip_prefix("Bearer ");
    token.is_some_and(|token| world.access_tokens.contains(token))
}

/// How the client proves itself; `None` when it does not.
fn authentication(headers: &HeaderMap, fields: &Fields) -> Option<&'static str> {
    if let Some(pair) = field_of(headers, header::AUTHORIZATION).strip_prefix("Basic ") {
        let pair = String::from_utf8(BASE64_STANDARD.decode(pair).ok()?).ok()?;
        let (id, secret) = pair.split_once(':')?;
        let encoded: String = url::form_urlencoded::byte_serialize(CLIENT_SECRET.as_bytes()).collect();
        return (id == CLIENT_ID && secret == encoded).then_some("basic");
    }
    if field(fields, "client_id") != CLIENT_ID {
        return None;
    }
    match fields.get("client_secret") {
        None => Some("none"),
        Some(secret) => (secret == CLIENT_SECRET).then_some("post"),
    }
}

/// A form, or JSON where a vendor wants that.
fn read(headers: &HeaderMap, body: &[u8]) -> Fields {
    if field_of(headers, header::CONTENT_TYPE).starts_with("application/json") {
        return serde_json::from_slice(body).unwrap_or_default();
    }
    url::form_urlencoded::parse(body).into_owned().collect()
}

fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

fn field_of(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

fn refusal(error: &str) -> Response {
    json_answer(
        400,
        &json!({ "error": error, "error_description": format!("because of {error}") }),
    )
}

fn json_answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        body.to_string(),
    )
        .into_response()
}
