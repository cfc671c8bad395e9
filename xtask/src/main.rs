//! `cargo xtask`: run, test and measure Admit One.

#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

mod api;
mod bench;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../../crates/admit-store/tests/common/postgres.rs"]
mod cluster;
mod files;
mod load;
mod machine;
mod probe;
mod process;
mod run;
mod server;
mod suite;
mod wasm;
mod web;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask <command>

  run [arguments]   build what is missing and serve; makes data/ on the first start.
                    Further arguments go to `admit serve`
  test [step]       everything: format, lints, web, Rust tests, browser tests
  ci                the same as test
  wasm              the gate's copy of the core, into web/lib/core/pkg/
  web               the web pages, into web/dist/ (wasm first)
  api [--check]     web/openapi.json and the TypeScript types made of it
  bench [name]      measure; --quick for short cells. Names: probe, admissions, start,
                    verify, rotation, desks, operations, log, offline,
                    postgres (docs/measure.md)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let Some((command, rest)) = arguments.split_first() else {
        print!("{HELP}");
        return Ok(());
    };
    match command.as_str() {
        "run" => run::run(rest),
        "test" | "ci" => suite::run(rest),
        "wasm" => wasm::build(),
        "web" => web::build(),
        "api" => match rest {
            [] => api::write(),
            [flag] if flag == "--check" => api::check(),
            _ => bail!("usage: cargo xtask api [--check]"),
        },
        "bench" => bench::run(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => bail!("there is no command {other:?}\n\n{HELP}"),
    }
}
