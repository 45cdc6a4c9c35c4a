//! The state of a BG96, in the order of its lifetime.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use time::{Date, Month, OffsetDateTime, Time};

use super::files::Files;
use super::sockets::Socket;
use crate::clock::EmulatedClock;
use crate::options::{LeftOn, Options, PdpLeft, Sim};

/// The settings that `AT&W` stores and `ATZ` restores.
#[derive(Clone, Debug)]
pub(super) struct UserProfile {
    pub(super) echo: bool,
    pub(super) quiet: bool,
    pub(super) verbose: bool,
    pub(super) cmee: u8,
    pub(super) creg: u8,
    pub(super) cgreg: u8,
    pub(super) cereg: u8,
    pub(super) dtr: u8,
    pub(super) dcd: u8,
    pub(super) flow: (u8, u8),
    pub(super) framing: (u8, u8),
    pub(super) rate: u32,
}

impl UserProfile {
    /// The factory settings (sheet section 0 [AT table 7]).
    pub(super) const FACTORY: Self = Self {
        echo: true,
        quiet: false,
        verbose: true,
        cmee: 1,
        creg: 0,
        cgreg: 0,
        cereg: 0,
        dtr: 1,
        dcd: 1,
        flow: (0, 0),
        framing: (3, 3),
        rate: 115_200,
    };
}

/// The state that survives a reset.
pub(super) struct NonVolatile {
    pub(super) user: UserProfile,
    pub(super) urc_port: String,
    pub(super) auto_zone: u8,
    pub(super) zone_reports: u8,
    pub(super) qcfg: BTreeMap<&'static str, String>,
    pub(super) urc_switches: BTreeMap<String, u8>,
    pub(super) sim_detect: (u8, u8),
    pub(super) psm: String,
    pub(super) edrx: String,
    pub(super) operator_fixed: bool,
    /// `AT+QSCLK`. That it outlives a restart is UNCONFIRMED (sheet 1.8).
    pub(super) sleep_mode: u8,
}

/// A TLS context of `AT+QSSLCFG`; it is volatile (sheet section 4).
#[derive(Clone, Debug)]
pub(super) struct SslContext {
    pub(super) version: u8,
    pub(super) suite: u16,
    pub(super) ca: String,
    pub(super) cert: String,
    pub(super) key: String,
    pub(super) level: u8,
    pub(super) ignore_time: bool,
    /// `ignorecertitem`, `ignoreinvalidcertsign` and `ignoremulticertchainverify` (sheet 4.11).
    pub(super) ignored: [u64; 3],
    pub(super) negotiate_time: u64,
    pub(super) sni: bool,
    pub(super) session_cache: bool,
    pub(super) alpn: String,
    /// The identity and the key of a pre-shared key.
    pub(super) psk: (String, String),
}

impl SslContext {
    /// INSECURE, as on the modem: no verification, no dates, no SNI (sheet sections 2 and 4.1).
    const FACTORY: Self = Self {
        version: 4,
        suite: 0xffff,
        ca: String::new(),
        cert: String::new(),
        key: String::new(),
        level: 0,
        ignore_time: true,
        ignored: [0; 3],
        negotiate_time: 300,
        sni: false,
        session_cache: false,
        alpn: String::new(),
        psk: (String::new(), String::new()),
    };
}

/// The settings of a PDP context (`AT+QICSGP`).
#[derive(Clone, Debug, Default)]
pub(super) struct PdpSettings {
    pub(super) family: u8,
    pub(super) apn: String,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) auth: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pdp {
    Active,
    /// The network has deactivated it. The host must deactivate it, too, before it can be activated
    /// again (sheet 1.6).
    Lost,
    /// The context is active, but not listed.
    Hidden,
    /// The network has deactivated it, and `AT+QIDEACT` fails.
    Stuck,
}

pub(super) struct State {
    pub(super) nv: NonVolatile,
    pub(super) files: Files,
    pub(super) clock: EmulatedClock,
    pub(super) zone: i8,
    pub(super) network_clock: Option<EmulatedClock>,
    pub(super) synchronised: bool,

    // Volatile from here on.
    pub(super) user: UserProfile,
    pub(super) functionality: u8,
    pub(super) pin_tries: u8,
    pub(super) pin_entered: bool,
    pub(super) sim_ready: bool,
    pub(super) sim_reports: u8,
    pub(super) registered: bool,
    pub(super) operator_off: bool,
    pub(super) operator_format: u8,
    pub(super) ssl: [SslContext; 6],
    /// The files of `cacertex`: one set for all contexts, used in the place of each one's CA (sheet
    /// 4.11).
    pub(super) other_cas: [String; 6],
    pub(super) pdp_settings: BTreeMap<u8, PdpSettings>,
    pub(super) pdp: BTreeMap<u8, Pdp>,
    pub(super) dns: BTreeMap<u8, (String, String)>,
    pub(super) sockets: BTreeMap<u8, Rc<RefCell<Socket>>>,
    pub(super) last_error: u16,
    pub(super) echo_data: bool,
    pub(super) tcp_settings: BTreeMap<&'static str, String>,
    /// The multiplexer is on, so that only frames are understood.
    pub(super) multiplexes: bool,
    pub(super) ntp: Option<(String, u64)>,
    /// The socket to which the UART is connected in data mode.
    pub(super) online: Option<u8>,
    /// The socket to which `ATO` returns.
    pub(super) suspended: Option<u8>,
    pub(super) urcs: VecDeque<Vec<u8>>,
}

impl State {
    pub(super) fn new(options: &Options) -> Self {
        let nv = NonVolatile {
            user: UserProfile::FACTORY,
            // TRAP, sheet section 0 [HW 3.14]: URCs go to the USB port, so the UART sees none.
            urc_port: "usbat".into(),
            auto_zone: 0,
            zone_reports: 0,
            qcfg: BTreeMap::new(),
            urc_switches: BTreeMap::new(),
            sim_detect: (0, 0),
            psm: "0".into(),
            edrx: "0".into(),
            operator_fixed: false,
            sleep_mode: 0,
        };
        let mut state = Self {
            nv,
            files: Files::new(options.flash),
            clock: EmulatedClock::starting_at(options.clock.unwrap_or_else(unset_clock)),
            zone: 0,
            network_clock: options.network_time.map(EmulatedClock::starting_at),
            synchronised: false,
            user: UserProfile::FACTORY,
            functionality: 1,
            pin_tries: 3,
            pin_entered: false,
            sim_ready: false,
            sim_reports: 0,
            registered: false,
            operator_off: false,
            operator_format: 0,
            ssl: std::array::from_fn(|_| SslContext::FACTORY),
            other_cas: Default::default(),
            pdp_settings: BTreeMap::new(),
            pdp: BTreeMap::new(),
            dns: BTreeMap::new(),
            sockets: BTreeMap::new(),
            last_error: 0,
            echo_data: true,
            tcp_settings: BTreeMap::new(),
            multiplexes: false,
            ntp: None,
            online: None,
            suspended: None,
            urcs: VecDeque::new(),
        };
        // The port's rate is the modem's own until a host sets another.
        if let Some(rate) = options.baud {
            state.nv.user.rate = rate;
        }
        state.leave_on(options.left_on);
        if options.pdp_active {
            state.pdp.insert(1, Pdp::Active);
        }
        match options.pdp_left {
            None => {}
            Some(PdpLeft::Lost) => drop(state.pdp.insert(1, Pdp::Lost)),
            Some(PdpLeft::Hidden) => drop(state.pdp.insert(1, Pdp::Hidden)),
            Some(PdpLeft::Stuck) => drop(state.pdp.insert(1, Pdp::Stuck)),
            Some(PdpLeft::Others) => state
                .pdp
                .extend([2, 3, 4].map(|other| (other, Pdp::Active))),
        }
        state
    }

    /// Puts the modem into the mode that an earlier host has left on.
    fn leave_on(&mut self, mode: LeftOn) {
        let profile = &mut self.nv.user;
        match mode {
            LeftOn::Nothing => {}
            LeftOn::SlowClock => self.nv.sleep_mode = 1,
            // 10 s of active time (sheet 1.7).
            LeftOn::PowerSaving => self.nv.psm = "1,,,\"00000100\",\"00000101\"".into(),
            LeftOn::Multiplexer { .. } => self.multiplexes = true,
            LeftOn::NumericResults => profile.verbose = false,
            LeftOn::NoResults => profile.quiet = true,
            LeftOn::Speed(rate) => profile.rate = rate,
        }
        self.user = self.nv.user.clone();
    }

    /// Resets the volatile state: sockets, TLS settings and all the rest.
    pub(super) fn forget(&mut self) {
        for socket in self.sockets.values() {
            socket.borrow_mut().cancelled = true;
        }
        self.sockets.clear();
        self.files.close_all();
        self.user = self.nv.user.clone();
        self.functionality = 1;
        self.pin_entered = false;
        self.sim_ready = false;
        self.sim_reports = 0;
        self.registered = false;
        self.operator_off = false;
        self.operator_format = 0;
        self.ssl = std::array::from_fn(|_| SslContext::FACTORY);
        self.pdp_settings.clear();
        self.pdp.clear();
        self.dns.clear();
        self.last_error = 0;
        self.echo_data = true;
        self.tcp_settings.clear();
        self.multiplexes = false;
        self.ntp = None;
        self.online = None;
        self.suspended = None;
        self.urcs.clear();
    }

    pub(super) fn active(&self, context: u8) -> bool {
        self.pdp.get(&context) == Some(&Pdp::Active)
    }

    /// Returns what keeps the SIM from being used, as `AT+CPIN?` says it; `None` if nothing does.
    pub(super) fn sim_obstacle(&self, sim: &Sim) -> Option<SimObstacle> {
        match sim {
            Sim::Missing => Some(SimObstacle::Missing),
            _ if !self.sim_ready => Some(SimObstacle::Busy),
            Sim::PukRequired => Some(SimObstacle::Puk),
            Sim::Foreign => Some(SimObstacle::Foreign),
            Sim::PinRequired(_) if self.pin_tries == 0 => Some(SimObstacle::Puk),
            Sim::PinRequired(_) if !self.pin_entered => Some(SimObstacle::Pin),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SimObstacle {
    Missing,
    Busy,
    Foreign,
    Pin,
    Puk,
}

/// Returns the time that an unset clock shows (sheet section 2 [AT 11.2]). UNCONFIRMED for all
/// firmware.
fn unset_clock() -> OffsetDateTime {
    let date = Date::from_calendar_date(2008, Month::January, 4).expect("a real day");
    OffsetDateTime::new_utc(date, Time::from_hms(0, 19, 43).expect("a real time"))
}
