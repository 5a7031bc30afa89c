//! What SECURITY.md says and a test can cheaply see.

use std::process::Stdio;

use crate::harness::{Case, Sink};
use crate::serving::Server;

const HUB: &str = "arn:aws:iam::111122223333:role/hub";

/// The kernel gives root the files of a process that may not be dumped, so that its own user
/// cannot read them: <https://man7.org/linux/man-pages/man5/proc.5.html>. A server stands in for
/// every command, since all of them begin the same way.
#[cfg(target_os = "linux")]
#[test]
fn the_memory_of_the_process_is_closed_to_its_own_user() {
    use std::io::Read;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    const NOBODY: u32 = 65_534;
    let folder = tempfile::tempdir().unwrap();
    let of_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let built = env!("CARGO_BIN_EXE_rolecall");
    let program = folder.path().join("rolecall");
    let mut command = if of_root {
        // Root's own files would look the same either way.
        std::fs::copy(built, &program).unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let mut command = Command::new(&program);
        command.uid(NOBODY);
        command
    } else {
        Command::new(built)
    };
    command.arg("emulate").env_clear().current_dir("/").stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // From its first byte on it runs.
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let owner = |process: &str, file: &str| {
        std::fs::metadata(format!("/proc/{process}/{file}")).unwrap().uid()
    };
    let id = child.id().to_string();
    let owners = ["environ", "mem", "maps"].map(|file| owner(&id, file));
    child.kill().unwrap();
    child.wait().unwrap();
    let own = if of_root { NOBODY } else { owner("self", "environ") };
    assert!(owners.iter().all(|owner| *owner != own), "{owners:?} among which is {own}");
}

#[test]
fn a_ca_bundle_is_trusted_in_place_of_every_other_authority() {
    let (one, two) = (Case::new(), Case::new());
    let server = Server::start(&one, &["--tls"]);
    let other = Server::start(&two, &["--tls"]);
    let mut client = Case::new();
    for (name, value) in &server.environment {
        client.env(name, value);
    }
    let trusted = client.run(&["assume", HUB], Sink::Stdout);
    client.env("AWS_CA_BUNDLE", other.value("AWS_CA_BUNDLE").unwrap());
    let of_another = client.run(&["assume", HUB], Sink::Stdout);
    client.unset("AWS_CA_BUNDLE");
    let of_the_machine = client.run(&["assume", HUB], Sink::Stdout);
    server.end("TERM");
    other.end("TERM");
    assert_eq!(trusted.status, 0, "{}", trusted.stderr);
    for refused in [of_another, of_the_machine] {
        assert_eq!((refused.status, refused.stdout.as_str()), (4, ""), "{}", refused.stderr);
        assert!(refused.stderr.contains("TLS failed ("));
    }
}
