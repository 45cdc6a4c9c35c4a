//! The API for authors of backends: the trait [`Modem`], the roles beside it, and the types of which scripts are made.
//!
//! A firmware only names the backend's type. A backend is plain data and functions. It never sends and never
//! waits: the engine conducts each flow, which is a *script*, a table of steps in the order in which they go
//! over the wire. A [`Step`] is the text of a command with [arguments](Modem::argument), a time limit, and a
//! *judge*: a function that looks at the answer and says what follows ([`Then`]). The [`World`] tells a judge about the
//! connection, the clock and the pins.
//!
//! A backend that brings its modem up, and asks it for signs of life:
//!
//! ```
//! use sectag::Code;
//! use sectag::modem::{BRING_UP, Final, LIVENESS, Limits, Line, Modem, Plain, Step, ask};
//!
//! struct Tiny;
//!
//! impl Modem for Tiny {
//!     const NAME: &'static str = "tiny";
//!     const LIMITS: Limits = Limits { ids: 1, max_receive: 1024, max_send: 1024, sockets: 1 };
//!     type Framing = Plain;
//!
//!     fn line(&mut self, line: &[u8], _asked: &[u8]) -> Line {
//!         match line {
//!             b"OK" => Line::Final(Final::Ok),
//!             b"ERROR" => Line::Final(Final::Error(Code::Plain)),
//!             _ => Line::Info,
//!         }
//!     }
//!
//!     fn script(script: u8) -> &'static [Step<Self>] {
//!         match script {
//!             BRING_UP => const { &[ask("ATE0"), ask("AT+CMEE=1")] },
//!             LIVENESS => const { &[ask("AT")] },
//!             _ => &[],
//!         }
//!     }
//! }
//! ```

mod full;
mod roles;

pub use self::full::{ClockPart, Full, LinesPart, NotThere, SimPart, There};
pub use self::roles::{Cellular, HasClock, LastData, ReleasesRadio, Reports, SavesPower, Sleeps};
pub use crate::at::framing::{Echo, Echoed, Framing, Plain, Unit};
pub use crate::at::{Decoder, Out};
pub use crate::credentials::Credentials;
pub use crate::engine::backend::{
    Abort, BRING_UP, CLEANUP, CLOSE, Each, FETCH, Final, InLine, Judge, LIVENESS, LOOK, Limits,
    Line, Modem, OPEN, OWN, POWER_OFF, Polling, SEND, SLEEP, Step, Sync, Terminator, Then, Timing,
    Urc, Verdict, Waits, accepted, ask, decide, either_way, took,
};
pub use crate::engine::{After, Backend, Guest, Job, NOT_YET, Open, PinState, Protocol, World};
pub use crate::standard::{clock, set_clock};

/// Whether the feature `sleep` is on. A backend tests it, so that its code for light sleep is not linked otherwise.
pub const SLEEPS: bool = cfg!(feature = "sleep");
