//! The command line: useful answers and exit codes, and a server that says why it cannot start.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use admit::App;
use admit::data::DataFolder;
use admit::database::Database;
use admit::{clock, sample};

fn admit(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_admit")).args(args).env("ADMIT_LOG", "error").output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A data folder with the sample event.
fn data() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data").to_str().unwrap().to_owned();
    assert!(admit(&["init", "--data", &path, "--sample"]).status.success());
    (folder, path)
}

#[test]
fn every_command_has_help() {
    let help = out(&admit(&["--help"]));
    for command in [
        "serve",
        "init",
        "event",
        "ticket-type",
        "ticket",
        "admissions",
        "device",
        "user",
        "api-key",
        "keys",
        "log",
        "backup",
        "restore",
        "ca",
        "openapi",
    ] {
        assert!(help.contains(command), "{command}");
        assert!(admit(&[command, "--help"]).status.success(), "{command}");
    }
}

#[test]
fn wrong_usage_is_two_and_a_failure_is_one() {
    assert_eq!(admit(&["fly"]).status.code(), Some(2));
    let none = admit(&["event", "list", "--data", "/nonexistent/folder"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(err(&none).contains("admit init"), "{}", err(&none));
}

#[test]
fn a_data_folder_is_made_once_and_its_keys_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, data) = data();
    assert_eq!(admit(&["init", "--data", &data]).status.code(), Some(1));
    for key in ["vault.keys", "server.key"] {
        let path = Path::new(&data).join("keys").join(key);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let key = Path::new(&data).join("keys/vault.keys");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = admit(&["event", "list", "--data", &data]);
    assert!(err(&refused).contains("chmod 600"), "{}", err(&refused));
}

#[test]
fn tickets_are_issued_from_csv_and_verified_offline() {
    let (folder, data) = data();
    let csv = folder.path().join("people.csv");
    std::fs::write(&csv, "name,email\nAda,ada@example.org\n\"Ōe, Kenzaburō\",\n").unwrap();
    let issued = admit(&[
        "ticket",
        "issue",
        "--data",
        &data,
        "--event",
        "sample",
        "--csv",
        csv.to_str().unwrap(),
    ]);
    let text = out(&issued);
    let codes: Vec<_> = text.lines().skip(1).map(|line| line.split_once(',').unwrap().1).collect();
    assert_eq!(codes.len(), 2, "{text}");
    let public = admit(&["keys", "show", "--data", &data, "--event", "sample"]);
    let public = out(&public).lines().nth(1).unwrap().split(',').nth(2).unwrap().to_owned();
    let verify = |code: &str| {
        admit(&["ticket", "verify", code, "--event", "1", "--public-key", &public]).status.code()
    };
    assert_eq!(verify(codes[0]), Some(0));
    assert_eq!(verify(&codes[0].replace("A1:", "A1:A")), Some(3));
}

#[test]
fn a_faulty_row_is_named_and_nothing_is_issued() {
    let (folder, data) = data();
    let csv = folder.path().join("people.csv");
    std::fs::write(&csv, "name,email\nAda,ada@example.org\n,nobody@example.org\n").unwrap();
    let args =
        ["ticket", "issue", "--data", &data, "--event", "sample", "--csv", csv.to_str().unwrap()];
    let refused = admit(&args);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("line 3"), "{}", err(&refused));
    assert!(out(&admit(&["event", "list", "--data", &data])).contains(",0,600"));
}

#[test]
fn keys_rotate_and_everything_still_opens() {
    let (folder, data) = data();
    let csv = folder.path().join("people.csv");
    std::fs::write(&csv, "name,email\nAda,ada@example.org\n").unwrap();
    let csv = csv.to_str().unwrap();
    admit(&["ticket", "issue", "--data", &data, "--event", "sample", "--csv", csv]);
    let rotated = admit(&["keys", "rotate", "--data", &data]);
    // The signing key, the serial key of the event, and Ada's.
    assert!(out(&rotated).contains("sealed 3 values"), "{} {}", out(&rotated), err(&rotated));
    let keys = Path::new(&data).join("keys/vault.keys");
    let text = std::fs::read_to_string(&keys).unwrap();
    assert_eq!(text.lines().count(), 2);
    // An interrupted rotation: the new key is there, but nothing is sealed under it yet.
    let lines: Vec<_> = text.lines().rev().collect();
    std::fs::write(&keys, lines.join("\n")).unwrap();
    let resumed = admit(&["keys", "rotate", "--data", &data]);
    assert!(out(&resumed).contains("finished"), "{}", out(&resumed));
    assert!(admit(&["keys", "prune", "--data", &data]).status.success());
    assert_eq!(std::fs::read_to_string(&keys).unwrap().lines().count(), 1);
    assert!(admit(&["event", "show", "--data", &data, "sample"]).status.success());
}

/// Does something in the data folder while no server and no command has it.
fn within<T>(data: &str, what: impl AsyncFn(Arc<App>) -> T) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let folder = DataFolder::at(Path::new(data));
        let url = "https://gate.example";
        let (app, _) = folder.open(clock::system(), url, &Database::at(None)).await.unwrap();
        what(app).await
    })
}

#[test]
fn keys_of_anonymous_tickets_are_sealed_anew_as_well() {
    let (_folder, data) = data();
    within(&data, async |app| sample::sell(&app).await.unwrap());
    // The signing key, the serial key of the event, and the issuer's.
    let rotated = admit(&["keys", "rotate", "--data", &data]);
    assert!(out(&rotated).contains("sealed 3 values"), "{} {}", out(&rotated), err(&rotated));
    assert!(admit(&["keys", "prune", "--data", &data]).status.success());
    within(&data, async |app| {
        let issuers = app.store.issuers().await.unwrap();
        let secret = &issuers.first().unwrap().secret;
        assert!(app.vault.unwrap(secret).is_ok(), "a key that nobody can open signs nothing");
    });
}

#[test]
fn a_port_in_use_is_told() {
    let (_folder, data) = data();
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = admit(&["serve", "--data", &data, "--https", &port, "--http", "0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("cannot listen on"), "{}", err(&refused));
    assert!(err(&refused).contains(&port));
}

#[test]
fn a_backup_is_restored_by_command() {
    let (folder, data) = data();
    let file = folder.path().join("backup.tar");
    let (file, copy) = (file.to_str().unwrap(), folder.path().join("copy"));
    let copy = copy.to_str().unwrap();
    assert!(admit(&["backup", "--data", &data, file]).status.success());
    assert!(admit(&["restore", "--data", copy, file]).status.success());
    assert!(out(&admit(&["event", "list", "--data", copy])).contains("sample"));
    assert_eq!(admit(&["restore", "--data", copy, file]).status.code(), Some(1));
}

#[test]
fn staff_are_created_listed_and_removed() {
    let (_folder, data) = data();
    let made = admit(&["user", "create", "--data", &data, "--name", "ada", "--role", "viewer"]);
    assert!(out(&made).starts_with("password: "));
    assert!(out(&admit(&["user", "list", "--data", &data])).contains("ada,viewer"));
    assert!(admit(&["user", "remove", "--data", &data, "ada"]).status.success());
    assert_eq!(admit(&["user", "remove", "--data", &data, "ada"]).status.code(), Some(1));
}
