//! The state of the unit, in the order of its lifetime.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::options::UbloxOptions;
use super::sockets::Socket;
use crate::clock::EmulatedClock;

pub(super) type SharedSocket = Rc<RefCell<Socket>>;

/// Survives a reset.
#[derive(Default)]
pub(super) struct NonVolatile {
    /// Credentials by type and name, in the form in which they were imported.
    pub(super) store: BTreeMap<(u8, String), Vec<u8>>,
    pub(super) hex: bool,
    pub(super) apn: String,
}

/// A security profile, factory settings by default.
#[derive(Clone, Debug, Default)]
pub(super) struct Profile {
    pub(super) level: u8,
    pub(super) version: u8,
    /// A legacy number.
    pub(super) number: u8,
    pub(super) suites: Vec<u16>,
    pub(super) ca: String,
    pub(super) host: String,
    pub(super) cert: String,
    pub(super) key: String,
    pub(super) sni: String,
}

/// The state that a reset loses.
#[derive(Clone)]
pub(super) struct Volatile {
    pub(super) echo: bool,
    pub(super) cmee: u8,
    pub(super) cgerep: bool,
    pub(super) creg: [u8; 3],
    pub(super) ctzu: bool,
    pub(super) functionality: u8,
    pub(super) registered: bool,
    /// The module is detached (`+CGATT=0`).
    pub(super) detached: bool,
    /// Contexts that were defined besides the first.
    pub(super) contexts: BTreeSet<u8>,
    pub(super) pin_entered: bool,
    /// Context 1 is active.
    pub(super) context: bool,
    /// Profile 0 is bound to context 1.
    pub(super) bound: bool,
    /// Profile 0 is active.
    pub(super) profile: bool,
    pub(super) clock: Option<EmulatedClock>,
    pub(super) error: u16,
    pub(super) profiles: [Profile; 5],
}

impl Default for Volatile {
    fn default() -> Self {
        Self {
            echo: true,
            cmee: 0,
            cgerep: false,
            creg: [0; 3],
            ctzu: false,
            functionality: 1,
            registered: false,
            detached: false,
            contexts: BTreeSet::new(),
            pin_entered: false,
            context: false,
            bound: false,
            profile: false,
            clock: None,
            error: 0,
            profiles: Default::default(),
        }
    }
}

pub(super) struct State {
    pub(super) nv: NonVolatile,
    pub(super) now: Volatile,
    pub(super) sockets: BTreeMap<u8, SharedSocket>,
    /// Sockets whose asynchronous close is under way.
    pub(super) closing: BTreeSet<u8>,
}

impl State {
    pub(super) fn new(options: &UbloxOptions) -> Self {
        Self {
            nv: NonVolatile {
                hex: options.hex_mode,
                ..NonVolatile::default()
            },
            now: Volatile::default(),
            sockets: BTreeMap::new(),
            closing: BTreeSet::new(),
        }
    }

    /// Resets everything but the flash.
    pub(super) fn forget(&mut self) {
        self.forget_sockets();
        self.now = Volatile::default();
    }

    pub(super) fn forget_sockets(&mut self) {
        for socket in self.sockets.values() {
            socket.borrow_mut().cancelled = true;
        }
        self.sockets.clear();
        self.closing.clear();
    }
}
