//! A control plane per test: its own database, its own state store, and a client that is logged in.

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock},
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use controlplane::{
    app::{self, Deps},
    config::ApiConfig,
    db::Db,
};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use runtime::{crypto::ClusterKeys, drain::Drain, exit::Exit, secret::Secret, telemetry::Lines};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use state::{MemoryStore, StateStore};
use tonic::service::Routes;
use tower::ServiceExt;
use uuid::Uuid;

use crate::contract;

pub const JWT_SECRET: &str = "jR7sKq2vXw9zBn4mTc6yHd1fGa8pLe3uJR7SKQ2V";
pub const API_KEY_SECRET: &str = "pW5xZt8cNb3kVf6hMq1rYd9s";
pub const STORAGE_KEY: &str = "sE4gUj7oIp0aQw2eRt5yTu8iOp1lKj3hGf6dSa9z";
pub const CLUSTER_SECRET: &str = "cL9kJh8gFd7sAp6oIu5yTr4eWq3zXc2vBn1mQw0e";

static ADMIN_URL: LazyLock<String> = LazyLock::new(|| {
    std::env::var("DATABASE_URL").expect("DATABASE_URL names no Postgres for tests: run `make test`")
});

/// A database that lives as long as its test.
pub struct Database {
    pub url: String,
    name: String,
}

pub struct Api {
    pub db: Db,
    pub store: Arc<dyn StateStore>,
    pub drain: Drain,
    pub exit: Exit,
    /// What it logged last.
    pub lines: Lines,
    pub router: Router,
    /// What data planes talk to.
    pub grpc: Routes,
    pub first_run_password: Option<String>,
    /// Sent with every call.
    pub cookie: Mutex<Option<String>>,
    pub peer: SocketAddr,
    /// Everything the API ever answered.
    pub transcript: Mutex<String>,
    pub database: Arc<Database>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

// === impl Database ===

impl Database {
    pub async fn create() -> Self {
        let name = format!("controlplane_{}", Uuid::now_v7().simple());
        let mut admin = PgConnection::connect(&ADMIN_URL).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create database {name}")))
            .execute(&mut admin)
            .await
            .unwrap();
        let mut url = url::Url::parse(&ADMIN_URL).unwrap();
        url.set_path(&name);
        Self {
            url: url.to_string(),
            name,
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let name = self.name.clone();
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut admin = PgConnection::connect(&ADMIN_URL).await?;
                let drop = sqlx::AssertSqlSafe(format!("drop database {name} with (force)"));
                sqlx::raw_sql(drop).execute(&mut admin).await
            })
        });
        // a leftover database of a test is no reason to fail the test
        let _ = dropping.join();
    }
}

// === impl Api ===

impl Api {
    /// A new installation on a pool of one connection, logged in with its first password.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(adjust: impl FnOnce(&mut ApiConfig)) -> Self {
        Self::start_on(Arc::new(Database::create().await), 1, adjust).await
    }

    pub async fn start_on(
        database: Arc<Database>,
        connections: u32,
        adjust: impl FnOnce(&mut ApiConfig),
    ) -> Self {
        let api = Self::start_logged_out(database, connections, "127.0.0.1:20128", adjust).await;
        if let Some(password) = api.first_run_password.clone() {
            api.log_in(&password).await;
        }
        api
    }

    pub async fn start_logged_out(
        database: Arc<Database>,
        connections: u32,
        listen: &str,
        adjust: impl FnOnce(&mut ApiConfig),
    ) -> Self {
        let mut config = config();
        adjust(&mut config);
        let db = Db::connect(&database.url, connections).await.unwrap();
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
        let (drain, exit, lines) = (Drain::new(), Exit::default(), Lines::default());
        let deps = Deps {
            db: db.clone(),
            store: Arc::clone(&store),
            cluster_keys: ClusterKeys::derive(CLUSTER_SECRET),
            listen: listen.parse().unwrap(),
            lines: lines.clone(),
            drain: drain.clone(),
            exit: exit.clone(),
            single_process: false,
        };
        let app = app::build(config, deps).await.unwrap();
        Self {
            db,
            store,
            drain,
            exit,
            lines,
            router: app.router.merge(app.probes),
            grpc: app.grpc,
            first_run_password: app.first_run_password.map(|password| password.expose().clone()),
            cookie: Mutex::default(),
            peer: "127.0.0.1:50000".parse().unwrap(),
            transcript: Mutex::default(),
            database,
        }
    }

    /// The same control plane, seen by another client that is not logged in.
    pub fn for_client_at(&self, peer: &str) -> Self {
        Self {
            db: self.db.clone(),
            store: Arc::clone(&self.store),
            drain: Drain::new(),
            exit: self.exit.clone(),
            lines: self.lines.clone(),
            router: self.router.clone(),
            grpc: self.grpc.clone(),
            first_run_password: None,
            cookie: Mutex::default(),
            peer: peer.parse().unwrap(),
            transcript: Mutex::default(),
            database: Arc::clone(&self.database),
        }
    }

    pub async fn log_in(&self, password: &str) {
        let answer = self
            .post("/api/auth/login", serde_json::json!({ "password": password }))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.take_cookie(&answer);
    }

    pub fn take_cookie(&self, answer: &Answer) {
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        *self.cookie.lock() = Some(cookie);
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path, None)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path, Some(body))).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PUT, path, Some(body))).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, path, Some(body))).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path, None)).await
    }

    /// A call as the dashboard makes it: with the session's cookie, from the same origin.
    pub fn request(&self, method: Method, path: &str, body: Option<Value>) -> Request<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "gateway.test:20128");
        if let Some(cookie) = self.cookie.lock().clone() {
            request = request
                .header(header::COOKIE, cookie)
                .header("sec-fetch-site", "same-origin");
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
            .unwrap()
    }

    /// A call as a program makes it: with an API key and nothing else.
    pub async fn with_key(&self, key: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path, body);
        request.headers_mut().remove(header::COOKIE);
        request.headers_mut().remove("sec-fetch-site");
        request
            .headers_mut()
            .insert(header::AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
        self.send(request).await
    }

    pub async fn send(&self, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let media = parts.headers.get(header::CONTENT_TYPE);
        contract::hold(
            &method,
            &path,
            parts.status.as_u16(),
            media.map(|media| media.to_str().unwrap()),
            &bytes,
        );
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.transcript
            .lock()
            .push_str(&format!("{:?}\n{text}\n", parts.headers));
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// A key with these scopes.
    pub async fn key(&self, scopes: &[&str]) -> String {
        let answer = self
            .post(
                "/api/keys",
                serde_json::json!({ "name": "test", "scopes": scopes }),
            )
            .await;
        answer.expect(201)["key"].as_str().unwrap().to_owned()
    }

    /// How many audit rows there are of an action.
    pub async fn audited(&self, action: &str) -> i64 {
        sqlx::query_scalar("select count(*) from audit_log where action = $1")
            .bind(action)
            .fetch_one(self.db.pool())
            .await
            .unwrap()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.drain.begin();
    }
}

// === impl Answer ===

impl Answer {
    /// The body, once the status is as it should be.
    #[track_caller]
    pub fn expect(&self, status: u16) -> &Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        &self.body
    }

    #[track_caller]
    pub fn expect_error(&self, status: u16, code: &str) -> &Value {
        let body = self.expect(status);
        assert_eq!(body["error"]["code"], code, "{body}");
        assert!(
            body["error"]["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty()),
            "{body}"
        );
        assert_eq!(
            body["error"]["correlation_id"],
            self.header("x-request-id"),
            "{body}"
        );
        &body["error"]
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no header {name}: {:?}", self.headers))
            .to_str()
            .unwrap()
    }
}

pub fn config() -> ApiConfig {
    ApiConfig {
        jwt_secret: Secret::new(JWT_SECRET.to_owned()),
        api_key_secret: Secret::new(API_KEY_SECRET.to_owned()),
        storage_encryption_key: Secret::new(STORAGE_KEY.to_owned()),
        rate_limit_per_minute: 0,
        ..ApiConfig::default()
    }
}

/// A provider that knows the key `right`, on a loopback address.
pub async fn provider() -> SocketAddr {
    use axum::{Json, routing};
    use serde_json::json;

    fn allowed(headers: &HeaderMap) -> bool {
        let bearer = headers
            .get("authorization")
            .is_some_and(|value| value == "Bearer right");
        bearer || headers.get("x-api-key").is_some_and(|value| value == "right")
    }
    let models = |headers: HeaderMap| async move {
        if !allowed(&headers) {
            return (
                StatusCode::UNAUTHORIZED,
                Json(json!({ "error": "body of the provider" })),
            );
        }
        let model = json!({ "id": "m-1", "object": "model", "owned_by": "acme", "context_window": 4096 });
        (StatusCode::OK, Json(json!({ "data": [model] })))
    };
    let router = Router::new().route("/v1/models", routing::get(models));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
