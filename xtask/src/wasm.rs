//! The gate's copy of the core: WebAssembly with its JavaScript bridge.

use std::path::Path;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::process::{cargo, command, output, run};
use crate::{files, machine};

/// Builds `web/lib/core/pkg/`, unless it is already that of today's sources.
pub(crate) fn build() -> Result<()> {
    machine::need_wasm_target()?;
    run(&mut cargo(&[
        "build",
        "--quiet",
        "--package=admit-wasm",
        "--profile=wasm",
        "--target=wasm32-unknown-unknown",
    ]))?;
    let built = files::target().join("wasm32-unknown-unknown/wasm/admit_wasm.wasm");
    let package = files::root().join("web/lib/core/pkg");
    let module = package.join("admit_wasm_bg.wasm");
    // Cargo leaves the file alone when nothing changed; the manifest pins the generator's version.
    let sources = [built.clone(), files::root().join("Cargo.toml")];
    if !files::is_fresh(&module, &sources) {
        generate(&built, &package)?;
        print_sizes(&module)?;
    }
    Ok(())
}

fn generate(built: &Path, package: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(built)
        .web(true)?
        .typescript(true)
        .generate(package)
        .context("wasm-bindgen failed")
}

fn print_sizes(module: &Path) -> Result<()> {
    let raw = std::fs::metadata(module)?.len();
    let path = module.to_string_lossy();
    let packed = output(&mut command(&files::root(), "gzip", &["-9", "-c", &path]))?.len();
    println!("wasm: {raw} bytes, {packed} with gzip");
    Ok(())
}
