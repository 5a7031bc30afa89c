//! Signals that would end this process while a command runs in a group of its own.
//!
//! The signals are caught only while such a command runs, so that it can be ended first. At all
//! other times they do what they do by default, which tokio's own handlers would forbid for good.

#[cfg(unix)]
pub use unix::keep;
#[cfg(unix)]
pub(super) use unix::{Watch, next, pass_on};

#[cfg(not(unix))]
pub use other::keep;
#[cfg(not(unix))]
pub(super) use other::{Watch, next, pass_on};

#[cfg(unix)]
mod unix {
    use std::io;
    use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
    use std::sync::{Arc, LazyLock, Mutex, PoisonError};
    use std::task::Poll;

    use rustix::process::{Signal as Number, getpid, kill_process};
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// What a terminal, a service manager or a person ends a process by.
    const ENDING: [Number; 4] = [Number::INT, Number::TERM, Number::HUP, Number::QUIT];

    /// Whether signals end this process at once; nothing where that cannot be arranged.
    static ENDS_AT_ONCE: LazyLock<Option<Arc<AtomicBool>>> = LazyLock::new(|| default_if().ok());

    /// How many there are who want the signals.
    static WATCHES: Mutex<usize> = Mutex::new(0);

    /// The signal that came last.
    static CAME: AtomicI32 = AtomicI32::new(0);

    fn default_if() -> io::Result<Arc<AtomicBool>> {
        let flag = Arc::new(AtomicBool::new(true));
        for signal in ENDING {
            let number = signal.as_raw();
            signal_hook::flag::register_conditional_default(number, Arc::clone(&flag))?;
        }
        Ok(flag)
    }

    fn count(change: impl FnOnce(&mut usize)) {
        let mut watches = WATCHES.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut watches);
        if let Some(flag) = ENDS_AT_ONCE.as_ref() {
            flag.store(*watches == 0, Ordering::SeqCst);
        }
    }

    /// Leaves those signals to the caller's own handlers from now on.
    ///
    /// For a caller that listens itself and is not to end by them. Without this they end the
    /// process at all times but while a command runs, once one has run.
    pub fn keep() {
        count(|watches| *watches += 1);
    }

    /// Catches the signals until it is dropped.
    #[derive(Debug)]
    pub(in super::super) struct Watch {
        /// One for each of those that end a process, in their order.
        signals: Vec<Signal>,
    }

    impl Watch {
        /// Nothing where the signals cannot be caught: they end this process alone then.
        pub(in super::super) fn begin() -> Option<Self> {
            ENDS_AT_ONCE.as_ref()?;
            let listen = |number: Number| signal(SignalKind::from_raw(number.as_raw())).ok();
            let signals = ENDING.into_iter().map(listen).collect::<Option<_>>()?;
            count(|watches| *watches += 1);
            Some(Self { signals })
        }
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            count(|watches| *watches = watches.saturating_sub(1));
        }
    }

    /// Waits for a signal; without a watch for ever.
    pub(in super::super) async fn next(watch: Option<&mut Watch>) {
        let Some(watch) = watch else { return std::future::pending().await };
        let came = std::future::poll_fn(|context| {
            let came = watch.signals.iter_mut().position(|it| it.poll_recv(context).is_ready());
            came.and_then(|index| ENDING.get(index)).map_or(Poll::Pending, |it| Poll::Ready(*it))
        });
        CAME.store(came.await.as_raw(), Ordering::SeqCst);
    }

    /// Lets the signal that came end this process, as if no command had run; while another command
    /// still has to be ended nothing happens, and it is that one's turn.
    pub(in super::super) fn pass_on() {
        let number = CAME.load(Ordering::SeqCst);
        let came = ENDING.into_iter().find(|signal| signal.as_raw() == number);
        let number = came.unwrap_or(Number::TERM);
        // A process may always send itself a signal.
        kill_process(getpid(), number).ok();
    }
}

#[cfg(not(unix))]
mod other {
    /// Does nothing: here the system ends the commands of a terminal itself.
    pub fn keep() {}

    /// Never there.
    #[derive(Debug)]
    pub(in super::super) struct Watch;

    impl Watch {
        pub(in super::super) fn begin() -> Option<Self> {
            None
        }
    }

    /// Waits for ever.
    pub(in super::super) async fn next(_: Option<&mut Watch>) {
        std::future::pending().await
    }

    /// Nothing came.
    pub(in super::super) fn pass_on() {}
}
