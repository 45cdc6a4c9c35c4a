//! Plays transcripts: through a backend's driver, where the host's bytes must be exactly these and the
//! modem's come in whatever pieces; and against the simulator, whose answers must be the real modem's.
//!
//! The transcripts of a modem are in a folder of their own, `tests/transcripts/<modem>/*.at`; what is
//! particular to the modem is one [`Backend`]. A new modem needs that, its folder, and two lines in
//! `tests/transcripts.rs`.
//!
//! # What a file says besides its events
//! Comments behind the first line. Before the first event:
//!
//! - `# setup: off`: the driver starts with the first event. `up`: the modem is up. `open`: and a socket
//!   is connected; `open N`: it is the one behind N others, of which the first is still open (on a BG96
//!   it has client id N and TLS context 1). `none`: the driver takes no part, the file is for the
//!   simulator alone.
//! - `# config: WORDS`: how the driver is configured, see the backend.
//! - `# usual: LINE = ANSWER`: what the modem answers to this line outside the transcript, instead of
//!   what it usually does. A LINE that ends in `...` stands for all that begin so.
//! - `# application: STEP`, and for each `# expect: RESULT`: what the application does, one step after
//!   the other, and what must come of it; a RESULT that ends in `...` is a beginning. Steps are in
//!   [`application`].
//! - `# simulator: WORDS`: play it against the simulator, which is set up as the backend understands
//!   WORDS. A file whose source says `verbatim` must have one.
//! - `# peer: HOST PORT tls|plain: DOES; DOES`: a server in the simulator's network, see [`peer`].
//! - `# before: BYTES`: what the host says to the simulator before the transcript; the answers do not
//!   matter. Bytes are written as in events.
//! - `# variable: TEXT {BOARD'S OWN} TEXT`: where the modem says TEXT, what stands in braces is the
//!   board's, the network's or the moment's own: anything without quote, comma and line end will do.
//!
//! The simulator must be quiet for nine tenths of each `~`.
//!
//! Between events:
//!
//! - `# gap`: here the driver says other things, up to the next `>` line, which the modem answers as
//!   usual. Before the first event and behind the last it is always so, and behind `! reset` too, once
//!   the modem's banner was said: before that it hears nothing.
//! - `# happens: pdp N`: the simulated network takes data connection N away; `unregistered`: or all.

pub mod application;
mod bg96;
mod compare;
mod nrf9160;
pub mod peer;
mod player;
mod script;
mod ublox;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use sectag::TlsConfig;
use sectag::modem::Full;
use sectag_simulator::{MemoryNetwork, Simulator};

pub use bg96::Bg96Transcripts;
pub use nrf9160::Nrf9160Transcripts;
pub use script::Script;
pub use ublox::UbloxTranscripts;

/// What is particular to the transcripts of one modem.
pub trait Backend: Sync {
    /// The driver's backend.
    type Modem: Full + 'static;
    /// Below `tests/transcripts`.
    const FOLDER: &'static str;
    /// What the application connects with. The usual answers know its credentials.
    const TLS: TlsConfig;

    /// The driver, configured by the words of the file's `# config:` lines.
    fn driver(&self, config: &[String]) -> Self::Modem;

    /// What ends a line of the driver, with the words of `# config:`.
    fn line_end(&self, config: &[String]) -> &'static [u8] {
        let _ = config;
        b"\r"
    }

    /// What a modem that is well answers to a line of the driver, here without its line end.
    fn usual(&self, config: &[String], line: &str) -> Answer;

    /// Whether these bytes say that the modem has restarted and listens.
    fn is_banner(&self, said: &[u8]) -> bool;

    /// A simulated modem, set up by the words of the file's `# simulator:` lines.
    fn simulator(&self, setup: &[String], network: MemoryNetwork) -> Simulator;
}

/// An answer outside the transcript.
#[derive(Clone, Debug)]
pub enum Answer {
    /// At once.
    Now(Vec<u8>),
    /// A prompt; then so many bytes are taken, and answered by what this makes of them.
    Payload(Vec<u8>, usize, fn(&[u8]) -> Vec<u8>),
}

impl From<&str> for Answer {
    fn from(text: &str) -> Self {
        Self::Now(text.into())
    }
}

/// Every transcript of a modem, in the order of their names.
///
/// # Panics
/// When the folder cannot be read, or one of them is none.
pub fn scripts<B: Backend>() -> Vec<(PathBuf, Script)> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../transcripts")).join(B::FOLDER);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "at"))
        .collect();
    paths.sort();
    let script = |path: PathBuf| {
        let script = Script::read(&path);
        (path, script)
    };
    paths.into_iter().map(script).collect()
}

/// Plays every transcript in which the driver takes part: all at once, byte by byte, cut at every
/// position (see [`Script::cuts`]), and at random places. Returns how many there are.
///
/// # Panics
/// When driver or application do something else than a transcript says, once all were played.
pub fn play_all<B: Backend>(backend: &B) -> usize {
    each(
        scripts::<B>()
            .into_iter()
            .filter(|(_, script)| script.has_driver()),
        |_, script| {
            player::play(backend, script, &|_| false);
            player::play(backend, script, &|_| true);
            for cut in script.cuts() {
                player::play(backend, script, &|at| at == cut);
            }
            for seed in 1..=8_usize {
                let cut = |at: usize| ((at + 1).wrapping_mul(seed * 2_654_435_761) >> 7) & 3 == 0;
                player::play(backend, script, &cut);
            }
        },
    )
}

/// Plays every transcript that says so, and must say so where it is verbatim, against the simulator.
/// Returns how many there are.
///
/// # Panics
/// When the simulator answers anything else than a transcript says, once all were played.
pub fn compare_all<B: Backend>(backend: &B) -> usize {
    let compared = scripts::<B>()
        .into_iter()
        .filter(|(_, script)| script.is_verbatim() || script.simulator().is_some());
    each(compared, |path, script| {
        let setup = script.simulator();
        let setup = setup.unwrap_or_else(|| panic!("{}: no # simulator:", path.display()));
        compare::compare(backend, script, setup);
    })
}

/// Does so with each, on as many threads as there are cores, and says at the end with which it failed.
fn each(
    scripts: impl Iterator<Item = (PathBuf, Script)>,
    play: impl Fn(&Path, &Script) + Sync,
) -> usize {
    let scripts: Vec<_> = scripts.collect();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        let work = || {
            while let Some((path, script)) = scripts.get(next.fetch_add(1, Ordering::Relaxed)) {
                // In a thread of its name, for the message of a panic.
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                let named = thread::Builder::new().name(name.into_owned());
                let played = named.spawn_scoped(scope, || play(path, script));
                if played.expect("a thread").join().is_err() {
                    failed.lock().expect("nobody panics with it").push(path);
                }
            }
        };
        thread::scope(|workers| {
            for _ in 0..thread::available_parallelism().map_or(1, |cores| cores.get()) {
                workers.spawn(work);
            }
        });
    });
    let failed = failed.into_inner().expect("nobody panics with it");
    assert!(failed.is_empty(), "{failed:#?}");
    scripts.len()
}
