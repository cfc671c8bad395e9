//! The whole test run: what CI does, and what everybody can do.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use data_encoding::BASE64;

use crate::process::{cargo, command, output, prefer, run as run_to_end};
use crate::server::{Server, admit, create_admin, debug_binary};
use crate::{api, files, machine, wasm, web};

const E2E_USER: &str = "organiser";
/// What the stand-in for Stripe takes and signs with: see `web/e2e/stripe-stand-in.ts`.
const STRIPE_KEY: &str = "sk_test_stand_in";
const STRIPE_WEBHOOK_SECRET: &str = "whsec_stand_in";
const E2E_PASSWORD: &str = "a long password for browser tests";

type Step = (&'static str, fn() -> Result<()>);

/// In the order of what fails soonest.
const STEPS: &[Step] = &[
    ("tools", tools),
    ("format", || run_to_end(&mut cargo(&["fmt", "--all", "--check"]))),
    ("wasm", wasm::build),
    ("web packages", web::install),
    ("web types", || web::npm("typecheck")),
    ("web lint", || web::npm("lint")),
    ("web unit tests", || web::npm("test")),
    ("web build", web::build_pages),
    ("web budget", || web::npm("budget")),
    ("lint", lint),
    ("api", api::check),
    ("rust tests", rust_tests),
    ("browser tests", browser_tests),
];

/// Runs the steps that are named, or all; stops at the first that fails, and names it.
pub(crate) fn run(wanted: &[String]) -> Result<()> {
    if let Some(unknown) = wanted.iter().find(|name| STEPS.iter().all(|(step, _)| step != name)) {
        let known: Vec<_> = STEPS.iter().map(|(step, _)| *step).collect();
        bail!("there is no step {unknown:?}; there are: {}", known.join(", "));
    }
    let begun = Instant::now();
    let mut done = Vec::new();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    for (name, step) in STEPS.iter().filter(|(name, _)| is_wanted(name)) {
        println!("\n=== {name}");
        let start = Instant::now();
        let end = step();
        done.push((*name, start.elapsed(), end.is_ok()));
        if end.is_err() {
            print_summary(&done, begun.elapsed());
            return end.with_context(|| format!("the step {name:?} failed"));
        }
    }
    print_summary(&done, begun.elapsed());
    Ok(())
}

fn print_summary(done: &[(&str, Duration, bool)], whole: Duration) {
    println!("\n{:<16} {:>8}", "step", "seconds");
    for (name, time, passed) in done {
        let end = if *passed { "passed" } else { "FAILED" };
        println!("{name:<16} {:>8.1}  {end}", time.as_secs_f64());
    }
    let left = STEPS.len().saturating_sub(done.len());
    let passed = done.iter().filter(|(_, _, passed)| *passed).count();
    println!(
        "{:<16} {:>8.1}  {passed} passed, {} failed, {left} not run",
        "all",
        whole.as_secs_f64(),
        done.len().saturating_sub(passed)
    );
}

fn tools() -> Result<()> {
    machine::install(machine::TO_BUILD)?;
    machine::install(machine::TO_TEST)?;
    machine::need_postgres()?;
    machine::need_node()?;
    let installed = [machine::need_python_packages()?, machine::need_go()?];
    prefer(installed.into_iter().flatten().collect());
    Ok(())
}

fn lint() -> Result<()> {
    let arguments = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    run_to_end(&mut cargo(&arguments))
}

fn rust_tests() -> Result<()> {
    run_to_end(&mut cargo(&["test", "--locked", "--workspace"]))?;
    // The service once more, on the other store.
    let service = ["test", "--locked", "--package=admit", "--test=service"];
    run_to_end(cargo(&service).env("ADMIT_TEST_ON", "postgres"))
}

/// Playwright against the built server, each run with a data folder of its own.
fn browser_tests() -> Result<()> {
    run_to_end(&mut cargo(&["build", "--locked", "--package=admit"]))?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let path = data.to_string_lossy();
    let binary = debug_binary();
    run_to_end(&mut admit(&binary, &["init", "--sample", "--data", &path]))?;
    create_admin(&binary, &path, E2E_USER, E2E_PASSWORD)?;
    let serve = ["serve", "--sandbox", "--demo", "--data", &path, "--https", "0", "--http", "0"];
    let web = files::root().join("web");
    let stand_in = ["scripts/run-ts.mjs", "e2e/stripe-stand-in.ts"];
    let stripe = Server::start(&mut command(&web, "node", &stand_in))?;
    let stripe_url = format!("http://localhost:{}", stripe.port("port")?);
    let server = Server::start(
        admit(&binary, &serve)
            .env("ADMIT_STRIPE_URL", &stripe_url)
            .env("ADMIT_STRIPE_KEY", STRIPE_KEY)
            .env("ADMIT_STRIPE_WEBHOOK_SECRET", STRIPE_WEBHOOK_SECRET),
    )?;
    let spki = leaf_key_hash(&data.join("tls/server.pem"))?;
    let mut e2e = command(&web, "npm", &["run", "--silent", "e2e"]);
    run_to_end(
        e2e.env("ADMIT_BASE_URL", format!("https://localhost:{}", server.port("https")?))
            .env("ADMIT_HTTP_URL", format!("http://localhost:{}", server.port("http")?))
            .env("ADMIT_USER", E2E_USER)
            .env("ADMIT_PASSWORD", E2E_PASSWORD)
            .env("ADMIT_DATA", &data)
            .env("ADMIT_BIN", &binary)
            .env("ADMIT_STRIPE_STAND_IN", stripe_url)
            .env("ADMIT_CA_SPKI", spki),
    )
}

/// What Chromium's `--ignore-certificate-errors-spki-list` wants: it then trusts this key only.
fn leaf_key_hash(certificate: &Path) -> Result<String> {
    let root = files::root();
    let folder = tempfile::tempdir()?;
    let (pem, der) = (folder.path().join("key.pem"), folder.path().join("key.der"));
    let (pem_path, der_path) = (pem.to_string_lossy(), der.to_string_lossy());
    let certificate = certificate.to_string_lossy();
    let openssl = |arguments: &[&str]| output(&mut command(&root, "openssl", arguments));
    std::fs::write(&pem, openssl(&["x509", "-in", &certificate, "-noout", "-pubkey"])?)?;
    openssl(&["pkey", "-pubin", "-in", &pem_path, "-outform", "der", "-out", &der_path])?;
    Ok(BASE64.encode(&openssl(&["dgst", "-sha256", "-binary", &der_path])?))
}
