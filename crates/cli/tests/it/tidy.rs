//! Rules of the repository that no lint knows.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every Rust file of ours, with its path from the root and its text.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("crates"), root().join("xtask")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let shown = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((shown, std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(found.len() > 40, "{}", found.len());
    found
}

#[test]
fn every_file_has_a_header_and_fits_in_a_head() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{path} has no header");
        let lines = text.lines().count();
        assert!(lines <= 400, "{path} has {lines} lines");
        let unfinished = ["TO", "DO"].concat();
        assert!(!text.contains(&unfinished), "{path} is not finished");
    }
}

#[test]
fn modules_of_the_engine_use_only_those_above_them() {
    let lib = std::fs::read_to_string(root().join("crates/engine/src/lib.rs")).unwrap();
    let order: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(order.len() > 10, "{order:?}");
    for (path, text) in sources() {
        let Some(inside) = path.strip_prefix("crates/engine/src/") else { continue };
        let module = inside.split(['/', '.']).next().unwrap();
        let Some(position) = order.iter().position(|name| *name == module) else { continue };
        for (index, used) in order.iter().enumerate() {
            let uses = text.contains(&format!("crate::{used}::"));
            let is_test = inside.ends_with("tests.rs");
            assert!(!uses || index <= position || is_test, "{inside} uses {used}");
        }
    }
}

#[test]
fn the_engine_does_no_io() {
    for (path, text) in sources().iter().filter(|(path, _)| path.starts_with("crates/engine/src")) {
        for door in [
            "std::fs",
            "std::net",
            "std::env",
            "std::process",
            // `std::io::Write` into memory is none.
            "io::stdin",
            "io::stdout",
            "io::stderr",
            "tokio::fs",
            "tokio::net",
        ] {
            assert!(!text.contains(door), "{path} uses {door}");
        }
    }
}

#[test]
fn the_architecture_is_read_at_one_sitting() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(page.lines().count() <= 200);
}

#[test]
fn no_sdk_error_is_formatted_by_its_debug_form() {
    for (path, text) in sources().iter().filter(|(path, _)| path.starts_with("crates/aws/")) {
        for debug in
            ["{error:?}", "{err:?}", "{e:?}", "{:?}\", err", "?error", "DisplayErrorContext"]
        {
            assert!(!text.contains(debug), "{path} has {debug}");
        }
    }
}

#[test]
fn the_emulator_shares_no_code_with_the_client() {
    let manifest = std::fs::read_to_string(root().join("crates/emulator/Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
    for shared in ["rolecall-", "aws-sdk", "aws-config", "aws-runtime", "aws-sig", "aws-smithy"] {
        let found = dependencies.lines().find(|line| line.starts_with(shared));
        assert_eq!(found, None);
    }
}

#[test]
fn the_example_world_is_the_built_in_one() {
    let example = std::fs::read_to_string(root().join("examples/world.yaml")).unwrap();
    assert_eq!(example, rolecall_emulator::World::DEFAULT_YAML);
}
