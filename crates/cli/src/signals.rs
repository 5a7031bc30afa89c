//! Signals to this process while an emulator runs in it.

use tokio::process::Child;

/// The signals that would end this process.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hang_up: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

/// One signal that came.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    /// From the terminal, which has sent it to the command as well.
    Interrupt,
    /// To this process alone.
    #[cfg(unix)]
    Other(rustix::process::Signal),
}

impl Signals {
    /// Listens from now on.
    #[cfg(unix)]
    pub(crate) fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Listens from now on.
    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "it can fail on Unix")]
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next one.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.hang_up.recv() => Signal::Other(rustix::process::Signal::HUP),
            _ = self.terminate.recv() => Signal::Other(rustix::process::Signal::TERM),
        }
    }

    /// Waits for the next one.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::signal::ctrl_c().await.ok();
        Signal::Interrupt
    }
}

impl Signal {
    /// Passes it on, unless the command has it already.
    pub(crate) fn send_to(self, child: &Child) {
        match self {
            Self::Interrupt => {}
            #[cfg(unix)]
            Self::Other(signal) => {
                let id = child.id().and_then(|id| i32::try_from(id).ok());
                if let Some(pid) = id.and_then(rustix::process::Pid::from_raw) {
                    // It may have ended in this moment.
                    rustix::process::kill_process(pid, signal).ok();
                }
            }
        }
    }
}
