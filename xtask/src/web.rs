//! The web pages: what npm installs, checks and builds.

use anyhow::Result;

use crate::process::{command, run};
use crate::{files, machine, wasm};

/// Builds `web/dist/`, which the server carries in itself.
pub(crate) fn build() -> Result<()> {
    wasm::build()?;
    install()?;
    build_pages()
}

/// Installs the packages of the lock file, unless they are there.
pub(crate) fn install() -> Result<()> {
    machine::need_node()?;
    let web = files::root().join("web");
    // npm writes this file at the end of an install that succeeded.
    let installed = web.join("node_modules/.package-lock.json");
    if files::is_fresh(&installed, &[web.join("package-lock.json"), web.join("package.json")]) {
        return Ok(());
    }
    run(&mut command(&web, "npm", &["ci", "--no-audit", "--no-fund"]))?;
    // npm may keep the date of what it did not change.
    std::fs::File::options().append(true).open(&installed)?.set_modified(now(&web)?)?;
    Ok(())
}

/// The present moment as the file system tells it.
fn now(web: &std::path::Path) -> Result<std::time::SystemTime> {
    let mark = web.join("node_modules/.xtask");
    std::fs::write(&mark, "installed by cargo xtask\n")?;
    Ok(std::fs::metadata(mark)?.modified()?)
}

/// Builds the pages, unless they are those of today's sources.
pub(crate) fn build_pages() -> Result<()> {
    let web = files::root().join("web");
    // Outside of dist/, whose every file the server would carry.
    let mark = web.join("node_modules/.xtask-built");
    let is_there = web.join("dist/desk").is_dir();
    if is_there && files::is_fresh(&mark, std::slice::from_ref(&web)) {
        return Ok(());
    }
    npm("build")?;
    std::fs::write(mark, "built by cargo xtask\n")?;
    Ok(())
}

/// Runs a script of `web/package.json`.
pub(crate) fn npm(script: &str) -> Result<()> {
    run(&mut command(&files::root().join("web"), "npm", &["run", "--silent", script]))
}
