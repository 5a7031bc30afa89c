//! `cargo xtask dist`: what there is to install, the same bytes each time it is made.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::oci::{Content, Image, digest};
use crate::tools::{cache, cargo, cargo_tool, root, run, say, target};

/// Two static binaries, a list of what each is made of, the images of both, and checksums.
pub(crate) fn dist() -> Result<()> {
    let folder = folder()?;
    // What an earlier version left is none of this one.
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).context("cannot make the folder of what is shipped")?;
    let version = version()?;
    for program in PROGRAMS {
        let binary = static_binary(program)?;
        let name = format!("{program}-{version}-{TRIPLE}");
        std::fs::copy(&binary, folder.join(&name)).context("cannot copy a binary")?;
        write_bill(program, &folder.join(format!("{name}.cdx.json")))?;
    }
    for (name, program, entrypoint) in IMAGES {
        let image = Image {
            name: name.to_owned(),
            version: version.clone(),
            entrypoint: entrypoint.to_vec(),
            files: vec![
                Content {
                    path: "etc/ssl/certs/ca-certificates.crt",
                    bytes: std::fs::read(CERTIFICATES)
                        .context("ca-certificates is not installed")?,
                    mode: 0o644,
                },
                Content {
                    path: program,
                    bytes: std::fs::read(static_path(program)?)?,
                    mode: 0o755,
                },
            ],
        };
        let archive = archive(name)?;
        image.write(&archive)?;
        let size = std::fs::metadata(&archive)?.len();
        let unpacked: usize = image.files.iter().map(|file| file.bytes.len()).sum();
        say(&format!(
            "{}: {:.2} MB, {:.2} MB unpacked",
            archive.display(),
            mega(size),
            mega(unpacked.try_into()?)
        ));
        ensure!(size <= 20_000_000, "an image has more than 20 MB");
    }
    write_sums(&folder)
}

/// Where everything is put.
fn folder() -> Result<PathBuf> {
    Ok(target()?.join("dist").join("out"))
}

/// The archive of an image.
pub(crate) fn archive(image: &str) -> Result<PathBuf> {
    Ok(folder()?.join(format!("{image}-{}.tar", version()?)))
}

fn static_path(program: &str) -> Result<PathBuf> {
    Ok(target()?.join("dist").join(TRIPLE).join("dist").join(program))
}

/// `-C target-feature=+crt-static` needs the target by name: what runs while building stays as it is.
/// No path of this machine goes into a binary.
fn static_binary(program: &str) -> Result<PathBuf> {
    let mut build = cargo(&["build", "--profile", "dist", "--locked", "--package", program]);
    build.args(["--bin", program, "--target", TRIPLE, "--target-dir"]);
    build.arg(target()?.join("dist"));
    let away = format!("--remap-path-prefix={}=/rolecall", root().display());
    let flags = format!("{STATIC} {away} {}", registry_away()?);
    run(build.env("RUSTFLAGS", flags))?;
    static_path(program)
}

#[expect(clippy::disallowed_methods, reason = "xtask reads the environment where it needs it")]
fn registry_away() -> Result<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let home = home.context("neither CARGO_HOME nor HOME is set")?;
    Ok(format!("--remap-path-prefix={}=/cargo", home.display()))
}

/// What a program is made of, by the tool of the format's own project.
fn write_bill(program: &str, file: &Path) -> Result<()> {
    let tool = cargo_tool("cargo-cyclonedx", CYCLONEDX)?;
    let folder = if program == "rolecall" { "cli" } else { "controller" };
    let manifest = root().join("crates").join(folder).join("Cargo.toml");
    let mut bill = Command::new(tool);
    bill.args(["cyclonedx", "--format=json", "--spec-version=1.5", "--target", TRIPLE]);
    bill.args(["--no-build-deps", "--override-filename=bill", "--manifest-path"]).arg(&manifest);
    let made = run(bill.stdout(Stdio::null()).current_dir(root())).and_then(|()| {
        let text = std::fs::read_to_string(manifest.with_file_name("bill.json"))?;
        serde_json::from_str::<Value>(&text).context("the bill of materials is no JSON")
    });
    // The tool writes one beside each manifest of the workspace.
    let crates = std::fs::read_dir(root().join("crates"))?.map(|it| it.map(|it| it.path()));
    for folder in crates.chain([Ok(root().join("xtask"))]) {
        std::fs::remove_file(folder?.join("bill.json")).ok();
    }
    let mut bill = made.context("the bill of materials")?;
    // What is another one each time.
    for (place, name) in [("", "serialNumber"), ("/metadata", "timestamp")] {
        let object = bill.pointer_mut(place).and_then(Value::as_object_mut);
        object
            .and_then(|object| object.remove(name))
            .with_context(|| format!("the bill has no {name}"))?;
    }
    let text = serde_json::to_string_pretty(&bill)?;
    let text = text.replace(&root().display().to_string(), "/rolecall");
    std::fs::write(file, text).context("cannot write the bill of materials")
}

/// As `sha256sum --check` reads them.
fn write_sums(folder: &Path) -> Result<()> {
    let mut names: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    names.sort_by_key(std::fs::DirEntry::file_name);
    let mut sums = String::new();
    for entry in names {
        let sum = digest(&std::fs::read(entry.path())?);
        let sum = sum.trim_start_matches("sha256:");
        writeln!(sums, "{sum}  {}", entry.file_name().to_string_lossy())?;
    }
    std::fs::write(folder.join("SHA256SUMS"), &sums)?;
    say(sums.trim_end());
    Ok(())
}

/// Made a second time, from a copy of the source somewhere else, everything is the same.
pub(crate) fn judge_dist() -> Result<()> {
    let sums =
        || std::fs::read_to_string(folder()?.join("SHA256SUMS")).context("there are no sums");
    dist()?;
    let first = sums()?;
    let copy = cache()?.join("source-of-dist");
    std::fs::remove_dir_all(&copy).ok();
    run(Command::new("git").args(["worktree", "prune"]).current_dir(root()))?;
    run(Command::new("git").args(["clone", "--quiet", "--shared"]).arg(root()).arg(&copy))?;
    let second = target()?.join("dist-again");
    let mut again = cargo(&["xtask", "dist"]);
    again.current_dir(&copy).env("CARGO_TARGET_DIR", &second);
    run(&mut again)?;
    let again = std::fs::read_to_string(second.join("dist/out/SHA256SUMS"))?;
    std::fs::remove_dir_all(&copy)?;
    std::fs::remove_dir_all(&second)?;
    ensure!(first == again, "what is shipped is another each time:\n{first}\n{again}");
    say("what is shipped is the same, made a second time in another place");
    Ok(())
}

fn version() -> Result<String> {
    let text = std::fs::read_to_string(root().join("Cargo.toml"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("version = "));
    Ok(line.context("the workspace has no version")?.trim_matches('"').to_owned())
}

fn mega(bytes: u64) -> f64 {
    crate::bench::float(bytes) / 1e6
}

/// The image of the Relay step.
pub(crate) const STEP: &str = "rolecall-relay-step";
/// The image of the controller.
pub(crate) const CONTROLLER: &str = "rolecall-controller";
const PROGRAMS: [&str; 2] = ["rolecall", "rolecall-controller"];
/// Each image with its program, and how it begins.
const IMAGES: [(&str, &str, &[&str]); 2] = [
    (CONTROLLER, "rolecall-controller", &["/rolecall-controller"]),
    (STEP, "rolecall", &["/rolecall", "relay-step"]),
];
/// Linked with the C library; random numbers by the system call alone, since an empty root has no
/// /dev/urandom to fall back to.
const STATIC: &str = "-C target-feature=+crt-static --cfg getrandom_backend=\"linux_getrandom\"";
const CYCLONEDX: &str = "0.5.7";
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// Debian's package ca-certificates.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
