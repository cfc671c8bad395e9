//! A client of the API that remembers what it asked and how long that took.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, http};

/// Longest wait for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A request that was made.
pub(super) struct Request {
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) ms: u128,
}

pub(super) struct Client {
    agent: Agent,
    base: String,
    key: Option<String>,
    requests: Vec<Request>,
    cookie: bool,
}

impl Client {
    pub(super) fn new(url: &str, ca: Option<&Path>) -> anyhow::Result<Self> {
        let mut tls = TlsConfig::builder().unversioned_rustls_crypto_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ));
        if let Some(path) = ca {
            let pem =
                std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let certificate = Certificate::from_pem(&pem).context("the authority is no PEM")?;
            tls = tls.root_certs(RootCerts::new_with_certs(&[certificate]));
        }
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(ANSWER_WITHIN))
            // A refusal is an answer.
            .http_status_as_error(false)
            .build();
        let base = url.trim_end_matches('/').to_owned();
        let requests = Vec::new();
        Ok(Self { agent: config.into(), base, key: None, requests, cookie: false })
    }

    /// Asks with this API key from now on.
    pub(super) fn use_key(&mut self, key: &str) {
        self.key = Some(format!("Bearer {key}"));
    }

    pub(super) fn get(&mut self, path: &str) -> anyhow::Result<Value> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("authorization", key);
        }
        let begun = Instant::now();
        let answer = request.call();
        self.read(path, begun, answer)
    }

    pub(super) fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("authorization", key);
        }
        let begun = Instant::now();
        let answer = request.send_json(body);
        self.read(path, begun, answer)
    }

    fn read(
        &mut self,
        path: &str,
        begun: Instant,
        answer: Result<http::Response<Body>, ureq::Error>,
    ) -> anyhow::Result<Value> {
        let mut answer = answer.with_context(|| format!("no answer to {path}"))?;
        let value = answer.body_mut().read_json();
        let status = answer.status().as_u16();
        self.cookie |= answer.headers().contains_key("set-cookie");
        let ms = begun.elapsed().as_millis();
        self.requests.push(Request { path: path.to_owned(), status, ms });
        value.with_context(|| format!("{path} answered {status} without JSON"))
    }

    pub(super) fn requests(&self) -> &[Request] {
        &self.requests
    }

    pub(super) fn last_ms(&self) -> u128 {
        self.requests.last().map_or(0, |request| request.ms)
    }

    pub(super) fn slowest_ms(&self) -> u128 {
        self.requests.iter().map(|request| request.ms).max().unwrap_or(0)
    }

    pub(super) fn was_given_a_cookie(&self) -> bool {
        self.cookie
    }
}
