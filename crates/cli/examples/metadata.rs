//! The metadata API of the tests as a server of its own, for programs that are not ours.
//!
//! `metadata RUN.yaml TOKEN` serves what the file describes until standard input ends, and prints
//! the URL as Relay gives it to a step.

#[path = "../tests/it/relay/server.rs"]
#[expect(dead_code, reason = "what only the tests look at")]
#[expect(clippy::unwrap_used, reason = "a helper of judges fails like a test")]
mod server;

/// What the server takes from the tests.
mod harness {
    use std::sync::LazyLock;

    use tokio::runtime::Runtime;

    #[expect(clippy::unwrap_used, reason = "a helper of judges fails like a test")]
    pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

    pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
        RUNTIME.block_on(future)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (file, token) = (words.next().ok_or("no file")?, words.next().ok_or("no token")?);
    let run: server::Run = serde_saphyr::from_str(&std::fs::read_to_string(file)?)?;
    let server = server::Server::start("127.0.0.1:0", run, Some(&token));
    #[expect(clippy::print_stdout, reason = "the URL is this program's data")]
    {
        println!("http://:{token}@{}", server.address);
    }
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}
