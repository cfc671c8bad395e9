//! The audit log over HTTP: checkpoints, tiles, proofs and receipts for anybody, and the proof that
//! goes with every answer that changed something.

use std::sync::Arc;

use admit_core::log::tile::TilePath;
use admit_core::log::tree::leaf_hash;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use data_encoding::BASE64;
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::{At, event_at};
use super::problem::Problem;
use crate::App;
use crate::error::Error;
use crate::log::{self, Inclusion};

/// Which of the seed's circuits an answer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Circuit {
    /// Tickets, judged by the server.
    Ticket,
    /// Tickets, judged at the edge.
    Edge,
}

impl Circuit {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Edge => "edge",
        }
    }
}

/// The proof that an answer stands in the event's audit log. `valid` is only the server's word: check
/// the path against the signed checkpoint, whose size and root are the ones that count.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct MerkleValidation {
    /// Whether the server could prove it.
    valid: bool,
    /// `ticket` or `edge`.
    circuit_id: &'static str,
    /// `verified`.
    event: &'static str,
    /// Position of the leaf.
    inclusion_index: u64,
    /// SHA-256 of a zero byte and the leaf, in hex (RFC 6962).
    leaf_hash: String,
    /// Root of the tree that the path leads to, in hex.
    root: String,
    /// Leaves in that tree.
    tree_size: u64,
    /// Sibling hashes from the leaf up, in hex.
    inclusion_path: Vec<String>,
    /// The leaf, base64.
    leaf: String,
    /// What opens the leaf's commitment, base64; for those whom it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    opening: Option<String>,
    /// What the checkpoint is signed for.
    origin: String,
    /// The signed checkpoint (C2SP signed note).
    checkpoint: String,
}

impl MerkleValidation {
    pub(super) fn of(proof: &Inclusion, circuit: Circuit) -> Self {
        let logged = &proof.logged;
        Self {
            valid: true,
            circuit_id: circuit.code(),
            event: "verified",
            inclusion_index: logged.index,
            leaf_hash: leaf_hash(&logged.leaf).to_string(),
            root: logged.root.to_string(),
            tree_size: logged.size,
            inclusion_path: logged.path.iter().map(ToString::to_string).collect(),
            leaf: BASE64.encode(&logged.leaf),
            opening: proof.opening.as_ref().map(|opening| BASE64.encode(opening)),
            origin: proof.origin.clone(),
            checkpoint: proof.checkpoint.to_string(),
        }
    }
}

/// A log and the key that checks it.
#[derive(Serialize, ToSchema)]
pub(super) struct LogKey {
    /// What its checkpoints are signed for.
    origin: String,
    /// C2SP verifier key: keep it from the first visit on, so that nobody can show you another log.
    vkey: String,
    /// Leaves at the moment.
    tree_size: u64,
    /// Root over them, in hex.
    root: String,
}

/// A Merkle proof.
#[derive(Serialize, ToSchema)]
pub(super) struct Proof {
    /// Hashes in the order of RFC 6962, in hex.
    path: Vec<String>,
}

#[utoipa::path(get, path = "/v1/events/{event}/log", tag = "public", operation_id = "log_key",
    params(("event" = String, Path, description = "Slug")),
    responses((status = 200, body = LogKey), (status = 404, body = Problem)))]
/// The log's key and its state.
pub(super) async fn key(
    State(app): State<Arc<App>>,
    At(slug): At<String>,
) -> Result<Answer<LogKey>, Problem> {
    let event = event_at(&app, &slug)?.event.number;
    let head = log::head(app.store.as_ref(), event).await?;
    let vkey = app.log.vkey(event, &head.origin)?;
    let root = head.root.to_string();
    Ok(Answer(LogKey { origin: head.origin, vkey, tree_size: head.size, root }))
}

#[utoipa::path(get, path = "/v1/events/{event}/log/checkpoint", tag = "public",
    operation_id = "log_checkpoint", params(("event" = String, Path, description = "Slug")),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 404, body = Problem)))]
/// The newest signed checkpoint. Tiles and entries lie beside it, at `tile/…` as in C2SP tlog-tiles.
pub(super) async fn checkpoint(
    State(app): State<Arc<App>>,
    At(slug): At<String>,
) -> Result<String, Problem> {
    let event = event_at(&app, &slug)?.event.number;
    Ok(log::checkpoint(&app, event).await?.to_string())
}

#[utoipa::path(get, path = "/v1/events/{event}/log/receipts/{index}", tag = "public",
    operation_id = "log_receipt",
    params(("event" = String, Path, description = "Slug"), ("index" = u64, Path, description = "Position of the leaf")),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 404, body = Problem)))]
/// A receipt for one leaf (C2SP tlog-proof, the leaf as extra data): checked with nothing but the
/// log's key.
pub(super) async fn receipt(
    State(app): State<Arc<App>>,
    At((slug, index)): At<(String, u64)>,
) -> Result<String, Problem> {
    let event = event_at(&app, &slug)?.event.number;
    Ok(log::prove(&app, event, index).await?.receipt().write())
}

#[utoipa::path(get, path = "/v1/events/{event}/log/inclusion/{index}/{size}", tag = "public",
    operation_id = "log_inclusion",
    params(("event" = String, Path, description = "Slug"), ("index" = u64, Path, description = "Position of the leaf"),
        ("size" = u64, Path, description = "Leaves in the tree")),
    responses((status = 200, body = Proof), (status = 404, body = Problem)))]
/// The inclusion proof of a leaf in the tree of that size.
pub(super) async fn inclusion(
    State(app): State<Arc<App>>,
    At((slug, index, size)): At<(String, u64, u64)>,
) -> Result<Answer<Proof>, Problem> {
    let event = event_at(&app, &slug)?.event.number;
    let path = log::inclusion_proof(app.store.as_ref(), event, index, size).await?;
    Ok(Answer(Proof { path: path.iter().map(ToString::to_string).collect() }))
}

#[utoipa::path(get, path = "/v1/events/{event}/log/consistency/{from}/{to}", tag = "public",
    operation_id = "log_consistency",
    params(("event" = String, Path, description = "Slug"), ("from" = u64, Path, description = "Leaves in the older tree, at least 1"),
        ("to" = u64, Path, description = "Leaves in the newer tree")),
    responses((status = 200, body = Proof), (status = 404, body = Problem)))]
/// The proof that the newer tree only added to the older.
pub(super) async fn consistency(
    State(app): State<Arc<App>>,
    At((slug, from, to)): At<(String, u64, u64)>,
) -> Result<Answer<Proof>, Problem> {
    let event = event_at(&app, &slug)?.event.number;
    let path = log::consistency_proof(app.store.as_ref(), event, from, to).await?;
    Ok(Answer(Proof { path: path.iter().map(ToString::to_string).collect() }))
}

/// `GET /v1/events/{event}/log/tile/…`: not in the description, for the paths are those of C2SP
/// tlog-tiles.
pub(super) fn tiles() -> MethodRouter<Arc<App>> {
    get(tile)
}

async fn tile(
    State(app): State<Arc<App>>,
    At((slug, path)): At<(String, String)>,
) -> Result<impl IntoResponse, Problem> {
    let event = event_at(&app, &slug)?.event.number;
    let missing = || Error::NotFound("tile");
    let wanted = TilePath::parse(&format!("tile/{path}")).map_err(|_| missing())?;
    let bytes = log::part(app.store.as_ref(), event, wanted).await?.ok_or_else(missing)?;
    // What is in the log never changes.
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, bytes))
}
