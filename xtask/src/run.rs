//! From a fresh clone to a running server in one command.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{cargo, run as run_to_end, text};
use crate::server::{admit, release_binary};
use crate::{files, machine, web};

/// Builds what is missing, makes the data folder on the first start, serves until it is stopped.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    machine::install(machine::TO_BUILD)?;
    web::build()?;
    run_to_end(&mut cargo(&["build", "--release", "--package=admit"]))?;
    let data = data_folder(arguments)?;
    if !data.join("keys/server.key").exists() {
        first_start(&data)?;
    }
    let mut serve = admit(&release_binary(), &["serve", "--sandbox", "--demo"]);
    if !arguments.iter().any(|argument| is_data(argument)) {
        serve.arg("--data").arg(&data);
    }
    // In our place, so that a signal meant for us reaches the server and ends it in order.
    Err(serve.args(arguments).exec()).context("cannot start the server")
}

fn first_start(data: &Path) -> Result<()> {
    let folder = data.to_string_lossy();
    let binary = release_binary();
    run_to_end(&mut admit(&binary, &["init", "--sample", "--data", &folder]))?;
    let create = ["user", "create", "--name", "organiser", "--role", "admin", "--data", &folder];
    // The command makes the password; it is kept as a hash only, so this is the one time it shows.
    let password = text(&mut admit(&binary, &create))?;
    println!("\nsign in as: organiser\n{password}\n(shown this once; keep it)\n");
    Ok(())
}

fn is_data(argument: &str) -> bool {
    argument == "--data" || argument.starts_with("--data=")
}

/// The folder that the arguments name, or `data` in the repository.
fn data_folder(arguments: &[String]) -> Result<PathBuf> {
    let Some(at) = arguments.iter().position(|argument| is_data(argument)) else {
        return Ok(files::root().join("data"));
    };
    let named = arguments.get(at).and_then(|argument| argument.strip_prefix("--data="));
    let named = named.or_else(|| arguments.get(at.saturating_add(1)).map(String::as_str));
    let Some(named) = named else { bail!("--data needs a folder") };
    Ok(std::env::current_dir()?.join(named))
}
