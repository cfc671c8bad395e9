//! The description of the HTTP API, and the TypeScript types made of it: written, or compared.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{cargo, command, output, run};
use crate::{files, server, web};

/// Writes `web/openapi.json` and the types.
pub(crate) fn write() -> Result<()> {
    let description = describe()?;
    std::fs::write(description_path(), &description)?;
    web::install()?;
    generate(&types_path())
}

/// Fails when what stands in the repository is not what would be written today.
pub(crate) fn check() -> Result<()> {
    const HINT: &str = "is stale: run `cargo xtask api`";
    let kept = std::fs::read(description_path()).context("no web/openapi.json")?;
    if kept != describe()? {
        bail!("web/openapi.json {HINT}");
    }
    web::install()?;
    let folder = tempfile::tempdir()?;
    let fresh = folder.path().join("schema.ts");
    generate(&fresh)?;
    let kept = std::fs::read(types_path()).context("no web/lib/api/schema.ts")?;
    if kept != std::fs::read(fresh)? {
        bail!("web/lib/api/schema.ts {HINT}");
    }
    Ok(())
}

fn describe() -> Result<Vec<u8>> {
    run(&mut cargo(&["build", "--quiet", "--package=admit"]))?;
    output(&mut server::admit(&server::debug_binary(), &["openapi"]))
}

fn generate(types: &Path) -> Result<()> {
    let tools = files::root().join("web/tools");
    let target = types.to_string_lossy();
    let arguments = ["exec", "--", "openapi-typescript", "../openapi.json", "--output", &target];
    output(&mut command(&tools, "npm", &arguments)).map(drop)
}

fn description_path() -> PathBuf {
    files::root().join("web/openapi.json")
}

fn types_path() -> PathBuf {
    files::root().join("web/lib/api/schema.ts")
}
