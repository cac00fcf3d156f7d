//! The HTTP endpoint.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use repertoire::core::{Error, ErrorKind};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing::debug;

use crate::api::{Front, Request};
use crate::failure::Failure;
use crate::sigv4::{self, Credentials};

/// Longest request.
const BODY_MAX: usize = 1 << 20;

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// What every connection shares.
struct Shared {
    front: Front,
    credentials: Option<Credentials>,
}

/// Accepts clients until it is stopped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// `ConfigInvalid` when the address is in use or not of this machine.
    pub(crate) async fn start(
        front: Front,
        listen: SocketAddr,
        credentials: Option<Credentials>,
    ) -> Result<Self, Error> {
        let failed = |e: std::io::Error| {
            Error::new(ErrorKind::ConfigInvalid, "listen for clients")
                .with("listen", listen)
                .with("detail", e)
                .with("remedy", "choose another address with --listen")
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared { front, credentials });
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .with_state(shared);
        let serving = tokio::spawn(async move {
            // It ends when it is aborted, and not before.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { address, serving })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting. What is under way may still happen.
    pub(crate) async fn stop(self) {
        self.serving.abort();
        let _is_aborted = self.serving.await;
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let begun = Instant::now();
    let target = headers
        .get("x-amz-target")
        .and_then(|it| it.to_str().ok())
        .unwrap_or_default();
    let result = shared
        .handle((&method, &uri, &headers), target, &body)
        .await;
    let millis = begun.elapsed().as_millis();
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(failure) => {
            let status = StatusCode::from_u16(failure.status);
            (
                status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                failure.body(),
            )
        }
    };
    debug!(target, %status, millis = u64::try_from(millis).unwrap_or(u64::MAX), "answered");
    (
        status,
        [(header::CONTENT_TYPE, CONTENT_TYPE)],
        body.to_string(),
    )
        .into_response()
}

impl Shared {
    async fn handle(
        &self,
        request: (&Method, &Uri, &HeaderMap),
        target: &str,
        body: &[u8],
    ) -> Result<Value, Failure> {
        if let Some(key) = &self.credentials {
            sigv4::check(key, request, body, crate::tables::now())?;
        }
        let (method, _, headers) = request;
        let operation = target
            .strip_prefix("DynamoDB_20120810.")
            .filter(|_| method == Method::POST);
        let operation = operation.ok_or_else(|| Failure::unknown_operation(target))?;
        let body: Value = serde_json::from_slice(body).map_err(Failure::unreadable)?;
        let invocation = headers.get("amz-sdk-invocation-id");
        let invocation = invocation
            .and_then(|it| it.to_str().ok())
            .map(str::to_owned);
        let request = Request { body, invocation };
        let front = &self.front;
        match operation {
            "CreateTable" => front.create_table(&request).await,
            "DescribeTable" => front.describe_table(&request).await,
            "ListTables" => front.list_tables(&request).await,
            "DeleteTable" => front.delete_table(&request).await,
            "GetItem" => front.get_item(&request).await,
            "PutItem" => front.put_item(&request).await,
            "UpdateItem" => front.update_item(&request).await,
            "DeleteItem" => front.delete_item(&request).await,
            "Query" => front.query(&request).await,
            _ => Err(Failure::unknown_operation(target)),
        }
    }
}
