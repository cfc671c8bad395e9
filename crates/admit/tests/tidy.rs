//! What a machine can check is not argued in review: layers, headers, lengths, leftovers, links.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at any surprise")]

use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file, in lines.
const LINES_MAX: usize = 600;

/// Words that a part of the source must not use.
struct Ban {
    /// The law, as a reader is told it.
    law: &'static str,
    /// Which files, by their path from the root.
    applies: fn(&str) -> bool,
    words: &'static [&'static str],
}

const BANS: &[Ban] = &[
    Ban {
        law: "the core is pure: no clock, no chance, no files, no network, no threads, no async",
        applies: |path| path.starts_with("crates/admit-core/src/"),
        words: &[
            "tokio",
            "std::fs",
            "std::net",
            "std::time",
            "std::thread",
            "std::process",
            "rand::",
            "getrandom",
            "OsRng",
            "async fn",
            "rusqlite",
            "axum",
        ],
    },
    Ban {
        law: "the store knows no HTTP and no service",
        applies: |path| path.starts_with("crates/admit-store/src/"),
        words: &["axum", "hyper", "utoipa", "use admit::"],
    },
    Ban {
        law: "one store does not know the other",
        applies: |path| path.starts_with("crates/admit-store/src/sqlite"),
        words: &["postgres"],
    },
    Ban {
        law: "one store does not know the other",
        applies: |path| path.starts_with("crates/admit-store/src/postgres"),
        words: &["sqlite"],
    },
    Ban {
        law: "http/ translates: no database, no SQL, no clock of its own",
        applies: |path| path.starts_with("crates/admit/src/http"),
        words: &[
            "admit_store::sqlite",
            "rusqlite",
            "SELECT ",
            "INSERT INTO",
            "UPDATE ",
            "DELETE FROM",
            "SystemTime",
            "clock::now",
            "clock::system",
        ],
    },
    Ban {
        law: "features do not know by which protocol they are asked",
        applies: |path| {
            let inside = path.strip_prefix("crates/admit/src/").unwrap_or_default();
            let borders = ["http", "cli", "main.rs"];
            !inside.is_empty() && !borders.iter().any(|border| inside.starts_with(border))
        },
        words: &["axum", "crate::http", "crate::cli", "rusqlite"],
    },
    Ban {
        law: "commands call features, not handlers",
        applies: |path| {
            path.starts_with("crates/admit/src/cli/") && !path.ends_with("cli/serve.rs")
        },
        words: &["crate::http", "axum", "rusqlite"],
    },
    Ban {
        law: "the browser's core has bindings only",
        applies: |path| path.starts_with("crates/admit-wasm/src/"),
        words: &["ed25519", "hmac", "sha2", "Verified"],
    },
    Ban {
        law: "unsafe code stands in one file of one crate; the others forbid it",
        applies: |path| {
            path.starts_with("crates/admit-blindrsa/src/") && !path.ends_with("/raw.rs")
        },
        words: &["unsafe"],
    },
];

/// Leftovers, put together here so that this file may name them.
const LEFTOVERS: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("db", "g!(")];

/// Code without the lines that are only comments: those may say what the code must not.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Uses of banned words.
fn layer_faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for ban in BANS.iter().filter(|ban| (ban.applies)(path)) {
        for (number, line) in code(text) {
            for word in ban.words.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("{path}:{number}: {word:?}, but {}", ban.law));
            }
        }
    }
    faults
}

/// A Rust file begins with a sentence that says what it is for, and has an end in sight.
fn shape_faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let first = text.lines().next().unwrap_or_default();
    if first.strip_prefix("//! ").is_none_or(|sentence| sentence.len() < 10) {
        faults.push(format!("{path}:1: no `//!` line that says what the file is for"));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        faults.push(format!("{path}: {lines} lines; {LINES_MAX} is the most"));
    }
    faults
}

/// Words that mark something as unfinished.
fn leftover_faults(path: &str, text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for word in LEFTOVERS {
            let found = line.match_indices(word).any(|(at, _)| {
                let (before, after) = (line.get(..at), line.get(at + word.len()..));
                let alone = |c: Option<char>| !c.is_some_and(is_part);
                alone(before.and_then(|text| text.chars().last()))
                    && (word.ends_with('(') || alone(after.and_then(|text| text.chars().next())))
            });
            if found {
                faults.push(format!("{path}:{}: {word} was left behind", number + 1));
            }
        }
    }
    faults
}

/// Paths that a document names, in backticks or as the target of a link.
fn named_paths(text: &str) -> Vec<&str> {
    const ENDS: [&str; 14] = [
        ".rs", ".md", ".ts", ".tsx", ".toml", ".json", ".sql", ".c", ".mjs", ".html", ".css",
        ".csv", ".svg", "/",
    ];
    let quoted = text.split('`').skip(1).step_by(2);
    let linked = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let is_path = |word: &&str| {
        let plain = word.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
        let rooted = word.chars().next().is_some_and(|c| c.is_alphanumeric() || c == '.');
        plain && rooted && word.contains(['/', '.']) && ENDS.iter().any(|end| word.ends_with(end))
    };
    // A file of code stands between three marks; what is in there is no name.
    let without_blocks = quoted.filter(|word| !word.contains('\n'));
    without_blocks.chain(linked).filter(is_path).collect()
}

/// Paths that are named but not there. What runs make is not there in a fresh clone.
fn document_faults(path: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    const MADE: [&str; 5] = ["data", "target/", "web/dist", "web/node_modules", "web/lib/core/pkg"];
    named_paths(text)
        .into_iter()
        .filter(|named| !MADE.iter().any(|made| named.starts_with(made)))
        .filter(|named| !exists(named))
        .map(|named| format!("{path}: names {named}, which is not there"))
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every file of the project with one of these endings, as its path from the root.
fn paths(endings: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for part in ["crates", "xtask", "web", "docs", "vectors", ""] {
        walk(part, endings, &mut found);
    }
    assert!(!found.is_empty(), "found no files: the check would pass for nothing");
    found
}

fn walk(folder: &str, endings: &[&str], found: &mut Vec<String>) {
    const MADE: [&str; 5] = ["node_modules", "dist", "target", "pkg", "data"];
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if entry.file_type().unwrap().is_file() {
            if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        } else if !folder.is_empty() && !MADE.contains(&name.as_str()) {
            walk(&path, endings, found);
        }
    }
}

/// The same, with their texts.
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let read = |path: String| {
        let text = fs::read_to_string(root().join(&path)).expect("source is UTF-8");
        (path, text)
    };
    paths(endings).into_iter().map(read).collect()
}

fn check(endings: &[&str], faults: fn(&str, &str) -> Vec<String>) {
    let faults: Vec<_> =
        files(endings).iter().flat_map(|(path, text)| faults(path, text)).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn layers_keep_their_direction() {
    check(&[".rs"], layer_faults);
}

#[test]
fn every_rust_file_says_what_it_is_for_and_ends_in_time() {
    check(&[".rs"], shape_faults);
}

#[test]
fn nothing_was_left_behind() {
    check(&[".rs", ".ts", ".tsx", ".css", ".sql", ".c", ".mjs"], leftover_faults);
}

#[test]
fn documents_name_files_that_exist() {
    let mut faults = Vec::new();
    let all = paths(&[""]);
    for (path, text) in files(&[".md"]) {
        let beside = root().join(&path).parent().unwrap().to_owned();
        // A section about a crate names its files from the crate's own folder.
        let inside = |named: &str| {
            let end = format!("/{named}");
            all.iter().any(|path| {
                if named.ends_with('/') { path.contains(&end) } else { path.ends_with(&end) }
            })
        };
        let exists = |named: &str| {
            root().join(named).exists() || beside.join(named).exists() || inside(named)
        };
        faults.extend(document_faults(&path, &text, &exists));
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// The lines that set lints in a manifest, in tables whose names begin with this.
fn lints(manifest: &str, table: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(manifest)).unwrap();
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line.starts_with(table);
        } else if inside && line.contains('=') {
            found.push(line.split(" #").next().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn the_crate_with_unsafe_code_has_every_other_lint_of_the_workspace() {
    let ours = lints("crates/admit-blindrsa/Cargo.toml", "[lints.");
    let all = lints("Cargo.toml", "[workspace.lints.");
    assert!(all.len() > 10, "found no lints: the check would pass for nothing");
    for lint in all.iter().filter(|lint| !lint.starts_with("unsafe_code")) {
        assert!(ours.contains(lint), "{lint} is not in crates/admit-blindrsa/Cargo.toml");
    }
    assert!(ours.contains(&"unsafe_code = \"deny\"".to_owned()));
}

#[test]
fn every_ban_catches_each_of_its_words() {
    let samples = [
        "crates/admit-core/src/a.rs",
        "crates/admit-store/src/a.rs",
        "crates/admit-store/src/sqlite/a.rs",
        "crates/admit-store/src/postgres/a.rs",
        "crates/admit/src/http/a.rs",
        "crates/admit/src/admission.rs",
        "crates/admit/src/cli/a.rs",
        "crates/admit-wasm/src/a.rs",
        "crates/admit-blindrsa/src/a.rs",
    ];
    assert_eq!(samples.len(), BANS.len());
    for (path, ban) in samples.iter().zip(BANS) {
        for word in ban.words {
            let bad = format!("//! A file.\nlet x = {word};\n");
            assert!(!layer_faults(path, &bad).is_empty(), "{word} passes in {path}");
            let said = format!("//! Never {word}.\n");
            assert!(layer_faults(path, &said).is_empty(), "a comment may say {word}");
        }
    }
    assert!(layer_faults("crates/admit/src/cli/serve.rs", "use crate::http;").is_empty());
    assert!(layer_faults("crates/admit/src/http/live.rs", "use axum::Router;").is_empty());
}

#[test]
fn a_file_without_a_header_or_an_end_is_caught() {
    assert_eq!(shape_faults("a.rs", "fn main() {}\n").len(), 1);
    assert_eq!(shape_faults("a.rs", "//!\nfn main() {}\n").len(), 1);
    assert_eq!(shape_faults("a.rs", "").len(), 1);
    let long = format!("//! A long file of lines.\n{}", "\n".repeat(LINES_MAX));
    assert_eq!(shape_faults("a.rs", &long).len(), 1);
    assert!(shape_faults("a.rs", "//! A file that is fine.\n").is_empty());
}

#[test]
fn a_leftover_is_caught_and_a_longer_word_is_not() {
    for word in LEFTOVERS {
        assert_eq!(leftover_faults("a.rs", &format!("x // {word}: later)\n")).len(), 1, "{word}");
        assert!(leftover_faults("a.rs", &format!("no{word}s")).is_empty(), "{word}");
    }
}

#[test]
fn a_document_that_names_a_missing_file_is_caught() {
    let text = "See `crates/x.rs`, [the map](docs/map.md#top), `cargo run`, `web/` and `data/keys/`.\n\
                ```\nadmit serve --data data\n```\nThen `gone.rs`.";
    assert_eq!(named_paths(text), ["crates/x.rs", "web/", "data/keys/", "gone.rs", "docs/map.md"]);
    let exists = |named: &str| named != "gone.rs";
    assert_eq!(document_faults("a.md", text, &exists).len(), 1);
}
