//! Every command and output of the README, run as it stands there.
//!
//! A test binary of its own, since it works in the repository's root.

use std::path::Path;

#[test]
fn the_readme_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::set_current_dir(root).unwrap();
    // A command of the tour runs rolecall by its name.
    let folder = Path::new(env!("CARGO_BIN_EXE_rolecall")).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    trycmd::TestCases::new().env("PATH", path).case("README.md").run();
}
