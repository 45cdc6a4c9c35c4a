//! The state of the unit, in the order of its lifetime.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::credentials::{ModemStore, Settings};
use super::options::Nrf9160Options;
use super::sockets::Socket;
use crate::clock::EmulatedClock;

pub(super) type SharedSocket = Rc<RefCell<Socket>>;

/// The state that survives a reset.
pub(super) struct NonVolatile {
    pub(super) store: ModemStore,
    pub(super) settings: Settings,
    /// The rate of `#XSLMUART`. TRAP, sheet 1.1: it is applied again after every reboot.
    pub(super) rate: Option<(u32, bool)>,
    /// `%XSYSTEMMODE`.
    pub(super) system_mode: [u8; 4],
    /// The number of keys and nonces that were made.
    pub(super) random_count: u64,
}

/// The state of the modem core, which is lost with it.
#[derive(Clone, Debug, Default)]
pub(super) struct ModemCore {
    pub(super) functionality: u8,
    pub(super) registered: bool,
    pub(super) pin_entered: bool,
    pub(super) cmee: u8,
    pub(super) cereg: u8,
    pub(super) cscon: u8,
    pub(super) cgerep: u8,
    pub(super) signal_notices: bool,
    pub(super) time_notices: bool,
    pub(super) event_notices: bool,
    pub(super) clock: Option<EmulatedClock>,
    pub(super) zone: i8,
    /// Type and APN of PDP context 0.
    pub(super) pdn: Option<(String, String)>,
    pub(super) psm: String,
    /// The requested technology and cycle of eDRX.
    pub(super) edrx: Option<(i64, String)>,
}

/// The settings of automatic reception (sheet 5).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Automatic {
    /// A bit for each mode: 1 is command mode, 2 is data mode.
    pub(super) flags: u8,
    pub(super) hex: bool,
}

pub(super) struct State {
    pub(super) nv: NonVolatile,
    pub(super) modem: ModemCore,
    pub(super) echo: bool,
    /// The inactivity limit of data mode in milliseconds, if it was set.
    pub(super) data_limit: Option<u64>,
    pub(super) sockets: BTreeMap<u8, SharedSocket>,
    /// The handles in the order of opening.
    pub(super) opened: Vec<u8>,
    pub(super) current: Option<u8>,
    /// `#XAPOLL`: the events for future sockets, and whether it is active (dialect A).
    pub(super) poll_all: Option<u8>,
    pub(super) automatic: Automatic,
    /// URCs that are held back (SM), or wait for the end of idle (SLM).
    pub(super) held: VecDeque<u8>,
    /// The heap of a native build is damaged, and a crash is due.
    pub(super) heap_corrupt: bool,
}

impl State {
    pub(super) fn new(options: &Nrf9160Options) -> Self {
        Self {
            nv: NonVolatile {
                store: ModemStore::new(options),
                settings: Settings::default(),
                rate: None,
                system_mode: [1, 0, 0, 0],
                random_count: 0,
            },
            modem: ModemCore::default(),
            echo: false,
            data_limit: None,
            sockets: BTreeMap::new(),
            opened: Vec::new(),
            current: None,
            poll_all: None,
            automatic: Automatic::default(),
            held: VecDeque::new(),
            heap_corrupt: false,
        }
    }

    /// Resets everything but the flash.
    pub(super) fn forget(&mut self) {
        self.forget_sockets();
        self.modem = ModemCore::default();
        self.echo = false;
        self.data_limit = None;
        self.poll_all = None;
        self.automatic = Automatic::default();
        self.held.clear();
        self.heap_corrupt = false;
    }

    pub(super) fn forget_sockets(&mut self) {
        for socket in self.sockets.values() {
            socket.borrow_mut().cancelled = true;
        }
        self.sockets.clear();
        self.opened.clear();
        self.current = None;
    }

    /// Returns whether `+CFUN` allows LTE. Credentials cannot be written then (sheet 2).
    pub(super) fn active(&self) -> bool {
        matches!(self.modem.functionality, 1 | 2 | 21)
    }

    pub(super) fn next_random(&mut self) -> u64 {
        self.nv.random_count += 1;
        self.nv.random_count
    }
}
