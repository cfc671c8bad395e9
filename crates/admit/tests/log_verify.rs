//! `admit log verify`: what it finds out from files alone, and that nothing gets past it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

#[path = "common/export.rs"]
mod export;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use admit_core::log::leaf::Kind;
use export::{leaf, leaves, receipt, signer, write};

/// Exit code and everything that was said.
fn verify(path: &Path, more: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_admit"))
        .args(["log", "verify", path.to_str().unwrap(), "--key", &signer().vkey()])
        .args(more)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

fn accepted(path: &Path, more: &[&str]) -> String {
    let (code, said) = verify(path, more);
    assert_eq!(code, 0, "{said}");
    said
}

fn refused(path: &Path, more: &[&str]) -> String {
    let (code, said) = verify(path, more);
    assert_eq!(code, 1, "{said}");
    said
}

/// A folder with an exported log.
fn folder(leaves: &[Vec<u8>]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), leaves);
    folder
}

fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn flip(path: &Path, byte: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[byte] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_log_in_order_is_accepted_and_counted() {
    let said = accepted(folder(&leaves(300)).path(), &[]);
    assert!(said.contains("genesis 1, key 1, issue 300, admit 300, undo 1"), "{said}");
    assert!(said.contains("299 admissions stand, 1 taken back"), "{said}");
    assert!(said.contains("all 603 entries and 4 tiles"), "{said}");
}

#[test]
fn an_empty_log_is_accepted() {
    accepted(folder(&[]).path(), &[]);
}

#[test]
fn a_changed_entry_is_named() {
    let folder = folder(&leaves(300));
    // The fourth entry behind the first two of other lengths.
    let bundle = folder.path().join("tile/entries/001");
    flip(&bundle, 3 * 84 + 40);
    let said = refused(folder.path(), &[]);
    assert!(said.contains("entry 259 was changed"), "{said}");
}

#[test]
fn a_changed_tile_is_named() {
    let log = leaves(300);
    let path = folder(&log);
    flip(&path.path().join("tile/0/002.p/91"), 32 * 5);
    let said = refused(path.path(), &[]);
    assert!(said.contains("entry 517"), "{said}");
    let path = folder(&log);
    flip(&path.path().join("tile/1/000.p/2"), 33);
    let said = refused(path.path(), &[]);
    assert!(said.contains("tile/1/000.p/2: hash 1"), "{said}");
}

#[test]
fn a_missing_or_shortened_file_is_named() {
    let log = leaves(300);
    for name in ["checkpoint", "tile/0/001", "tile/1/000.p/2", "tile/entries/002.p/91"] {
        let path = folder(&log);
        let file = path.path().join(name);
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
        let said = refused(path.path(), &[]);
        assert!(said.contains(name), "{said}");
        fs::remove_file(&file).unwrap();
        let said = refused(path.path(), &[]);
        assert!(said.contains("cannot read") && said.contains(name), "{said}");
    }
}

#[test]
fn a_changed_checkpoint_is_refused() {
    let folder = folder(&leaves(2));
    let path = folder.path().join("checkpoint");
    let good = fs::read(&path).unwrap();
    for byte in 0..good.len() {
        flip(&path, byte);
        refused(folder.path(), &[]);
        fs::write(&path, &good).unwrap();
    }
}

#[test]
fn a_tree_of_other_entries_is_refused() {
    let folder = folder(&leaves(2));
    let checkpoint = fs::read(folder.path().join("checkpoint")).unwrap();
    write(folder.path(), &leaves(3)[..7]);
    fs::write(folder.path().join("checkpoint"), checkpoint).unwrap();
    let said = refused(folder.path(), &[]);
    assert!(said.contains("another root"), "{said}");
}

#[test]
fn a_double_admission_is_found_though_the_operator_signed_it() {
    let mut log = leaves(3);
    log.push(leaf(Kind::Admit, 1, None));
    let said = refused(folder(&log).path(), &[]);
    assert!(said.contains("entry 9: the same use of a ticket was admitted by entry 6"), "{said}");
}

#[test]
fn an_undo_of_nothing_is_found_though_the_operator_signed_it() {
    let mut log = leaves(3);
    log.push(leaf(Kind::Undo, 1, Some(2)));
    let said = refused(folder(&log).path(), &[]);
    assert!(said.contains("entry 9: the leaf does not refer to what it is about"), "{said}");
}

#[test]
fn a_log_of_another_event_under_this_name_is_found() {
    let mut log = leaves(3);
    log[0] = admit_core::log::leaf::Leaf::genesis("other.example/log/1", admit_core::id::UnixMs(1))
        .to_bytes();
    let said = refused(folder(&log).path(), &[]);
    assert!(said.contains("says that it is another one"), "{said}");
}

#[test]
fn a_log_that_grew_continues_its_older_checkpoint() {
    let log = leaves(300);
    let whole = folder(&log);
    for size in [0, 1, 2, 255, 256, 257, 600, 603] {
        let older = folder(&log[..size]);
        let since = older.path().join("checkpoint");
        let said = accepted(whole.path(), &["--since", since.to_str().unwrap()]);
        assert!(said.contains(&format!("older checkpoint of {size} entries")), "{said}");
    }
}

#[test]
fn a_rewritten_log_is_found_by_whoever_kept_a_checkpoint() {
    let older = folder(&leaves(3));
    let since = older.path().join("checkpoint");
    let since = ["--since", since.to_str().unwrap()];
    let mut log = leaves(4);
    log[3] = leaf(Kind::Issue, 99, None);
    let whole = folder(&log);
    accepted(whole.path(), &[]);
    let said = refused(whole.path(), &since);
    assert!(said.contains("the log was rewritten: its first 9 entries"), "{said}");
    let said = refused(folder(&leaves(2)).path(), &since);
    assert!(said.contains("had 9 entries and now has 7"), "{said}");
}

#[test]
fn a_checkpoint_is_checked_alone() {
    let folder = folder(&leaves(2));
    let path = folder.path().join("checkpoint");
    let said = accepted(&path, &[]);
    assert!(said.contains("tickets.example.org/log/3 has 7 entries"), "{said}");
    accepted(&path, &["--since", path.to_str().unwrap()]);
}

#[test]
fn a_checkpoint_alone_does_not_show_what_it_continues() {
    let (older, newer) = (folder(&leaves(2)), folder(&leaves(3)));
    let since = older.path().join("checkpoint");
    let newer = newer.path().join("checkpoint");
    let said = refused(&newer, &["--since", since.to_str().unwrap()]);
    assert!(said.contains("only an exported log"), "{said}");
}

#[test]
fn a_receipt_is_checked_alone() {
    let (_folder, path) = file("a.tlog-proof", &receipt(&leaves(300), 302));
    let said = accepted(&path, &[]);
    assert!(said.contains("entry 302 of it is admit at 2027-01-15T08:00:00.000Z"), "{said}");
}

#[test]
fn an_altered_receipt_is_refused() {
    let good = receipt(&leaves(300), 302);
    for (from, to) in [("index 302", "index 303"), ("extra AQ", "extra BQ"), ("\n603\n", "\n604\n")]
    {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good);
        let (_folder, path) = file("a.tlog-proof", &bad);
        refused(&path, &[]);
    }
}

#[test]
fn another_key_is_not_believed() {
    let folder = folder(&leaves(2));
    let path = folder.path().to_str().unwrap();
    let other = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    for key in [other, "nonsense"] {
        let output = Command::new(env!("CARGO_BIN_EXE_admit"))
            .args(["log", "verify", path, "--key", key])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
    }
}
