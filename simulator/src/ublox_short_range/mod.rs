//! A Wi-Fi module with u-connectXpress of the first generation, after `modems/ublox/FACTS.md` ("sheet"; the
//! numbers in comments are those of its headings).

mod commands;
mod frames;
mod options;
mod peers;
mod ppp;
mod station;
mod store;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

use embassy_futures::select::{Either, select, select3};
use embassy_time::{Duration, Instant, Timer};
use time::OffsetDateTime;

pub use self::options::{AccessPoint, Mode, ShortRangeOptions, ShortRangeProfile};

use self::frames::Reader;
use self::peers::Peer;
use self::station::Station;
use self::store::Upload;
use crate::clock::EmulatedClock;
use crate::core::Core;
use crate::network::{LocalBoxFuture, Network};
use crate::options::Boot;
use crate::simulator::Modem;
use crate::{Failure, Reaction};

/// Silence around `+++` (sheet A.1.3).
const GUARD: Duration = Duration::from_millis(1000);
/// The longest command line, in bytes; a longer one is refused.
const LINE_LIMIT: usize = 1024;
/// The number of links that can be open unless `+UDCFG=2` allows more (sheet A.4.2).
const LINK_LIMIT: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    /// The module boots; `+STARTUP` comes at this instant.
    Booting(Instant),
    On,
    /// The module neither listens nor sends until a reset.
    Hung,
}

pub(crate) struct ShortRange {
    /// A reference for tasks that outlive the command that starts them.
    me: Weak<Self>,
    core: Rc<Core>,
    options: ShortRangeOptions,
    network: Rc<dyn Network>,
    /// Certificates and keys by type and name; they survive everything.
    store: RefCell<BTreeMap<(u8, String), Vec<u8>>>,
    power: Cell<Power>,
    /// The number of boots.
    boots: Cell<u32>,
    mode: Cell<Mode>,
    start_mode: Cell<Mode>,
    echo: Cell<bool>,
    line: RefCell<Vec<u8>>,
    upload: RefCell<Option<Upload>>,
    reader: RefCell<Reader>,
    station: RefCell<Station>,
    /// Whether the access point is in reach.
    coverage: Cell<bool>,
    links: Cell<usize>,
    next_handle: Cell<u32>,
    peers: RefCell<BTreeMap<u32, Rc<RefCell<Peer>>>>,
    /// The time that the network sends by SNTP.
    network_clock: Option<EmulatedClock>,
    /// The module's own address on a PPP link.
    own: Cell<[u8; 4]>,
    /// The datagrams that the module sends while its UART is used for PPP.
    datagrams: RefCell<VecDeque<Vec<u8>>>,
    reset_asserted: Cell<bool>,
    failed_at: Cell<Option<Instant>>,
}

impl ShortRange {
    pub(crate) fn new(
        core: Rc<Core>,
        options: ShortRangeOptions,
        network: Rc<dyn Network>,
    ) -> Rc<Self> {
        let power = match options.boot {
            Boot::AlreadyOn => Power::On,
            // There is no power key: off means without supply.
            Boot::Off | Boot::Booting => Power::Booting(Instant::now() + options.boot_time),
        };
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            core,
            store: RefCell::default(),
            power: Cell::new(power),
            boots: Cell::new(0),
            mode: Cell::new(options.mode),
            start_mode: Cell::new(options.start_mode),
            echo: Cell::new(true),
            line: RefCell::default(),
            upload: RefCell::default(),
            reader: RefCell::default(),
            station: RefCell::default(),
            coverage: Cell::new(true),
            links: Cell::new(LINK_LIMIT),
            next_handle: Cell::new(options.first_handle),
            peers: RefCell::default(),
            network_clock: options.network_time.map(EmulatedClock::starting_at),
            own: Cell::new(ppp::FACTORY),
            datagrams: RefCell::default(),
            reset_asserted: Cell::new(false),
            failed_at: Cell::new(None),
            options,
            network,
        })
    }

    async fn life(self: Rc<Self>) {
        loop {
            let power = self.power.get();
            let changed = self.core.until(|| self.power.get() != power);
            match power {
                Power::Hung => {
                    select(changed, self.deaf()).await;
                }
                Power::Booting(at) => {
                    select3(changed, self.deaf(), Timer::at(at)).await;
                    if self.power.get() == power {
                        self.started();
                    }
                }
                Power::On => {
                    select(changed, self.listen()).await;
                }
            }
        }
    }

    fn started(&self) {
        self.power.set(Power::On);
        self.mode.set(self.start_mode.get());
        self.core.discard_input();
        // Sent as plain text in every start mode (sheet A.1.2).
        self.core.send(b"\r\n+STARTUP\r\n");
        if self.mode.get() == Mode::Frames {
            self.core.send(&frames::frame(frames::STARTED, b""));
        }
    }

    /// Drops the host's bytes while the module boots or hangs.
    async fn deaf(&self) {
        loop {
            self.core.read().await;
        }
    }

    fn reboot(&self) {
        self.echo.set(true);
        self.line.borrow_mut().clear();
        *self.upload.borrow_mut() = None;
        *self.reader.borrow_mut() = Reader::default();
        *self.station.borrow_mut() = Station::default();
        self.links.set(LINK_LIMIT);
        self.own.set(ppp::FACTORY);
        self.datagrams.borrow_mut().clear();
        for peer in std::mem::take(&mut *self.peers.borrow_mut()).into_values() {
            peer.borrow_mut().cancelled = true;
        }
        self.boots.set(self.boots.get() + 1);
        self.power
            .set(Power::Booting(Instant::now() + self.options.boot_time));
        self.core.touch();
    }

    // Input from the host.

    async fn listen(self: &Rc<Self>) {
        loop {
            match self.mode.get() {
                Mode::Command => {
                    let byte = self.core.read().await;
                    self.at_byte(byte).await;
                }
                Mode::Frames => {
                    let byte = self.core.read().await;
                    let frame = self.reader.borrow_mut().push(byte);
                    if let Some((kind, body)) = frame {
                        self.frame(kind, &body).await;
                    }
                }
                Mode::Data => self.data_mode().await,
                Mode::Ppp => self.ppp().await,
            }
        }
    }

    async fn frame(self: &Rc<Self>, kind: u16, body: &[u8]) {
        match (kind, body) {
            (frames::AT_REQUEST, text) => {
                for &byte in text {
                    self.at_byte(byte).await;
                }
            }
            (frames::DATA_COMMAND, [channel, data @ ..]) => {
                match self.core.reaction_to_data(data) {
                    Reaction::Normal => self.data_for(*channel, data).await,
                    Reaction::Silent => {}
                    Reaction::Reply(bytes) => self.text(&bytes, false),
                    Reaction::Reset => self.reboot(),
                }
            }
            (frames::RESEND, _) => self.tell_channels(),
            // An unknown frame is skipped.
            _ => {}
        }
    }

    /// Handles a byte of the AT channel, plain or from a frame.
    async fn at_byte(self: &Rc<Self>, byte: u8) {
        if self.upload.borrow().is_some() {
            return self.upload_byte(byte);
        }
        if self.echo.get() {
            self.text(&[byte], false);
        }
        match byte {
            b'\r' => {
                let line = std::mem::take(&mut *self.line.borrow_mut());
                self.core.drained().await;
                self.execute_line(line).await;
            }
            b'\n' if self.line.borrow().is_empty() => {}
            8 => drop(self.line.borrow_mut().pop()),
            byte if self.line.borrow().len() < LINE_LIMIT => self.line.borrow_mut().push(byte),
            _ => {}
        }
    }

    async fn execute_line(self: &Rc<Self>, line: Vec<u8>) {
        if line.is_empty() {
            return;
        }
        let turnaround = self.options.turnaround;
        let reaction = self.core.record_after(turnaround, &line).await;
        match reaction {
            Reaction::Normal => self.execute(&line),
            Reaction::Silent => {}
            Reaction::Reply(bytes) => self.text(&bytes, false),
            Reaction::Reset => self.reboot(),
        }
    }

    /// Runs data mode until `+++` between two silences (sheet A.1.3).
    async fn data_mode(self: &Rc<Self>) {
        let mut held = Vec::new();
        let mut quiet = true;
        loop {
            match select(self.core.read(), Timer::after(GUARD)).await {
                Either::First(b'+') if quiet && held.len() < 3 => held.push(b'+'),
                Either::First(byte) => {
                    held.push(byte);
                    quiet = false;
                    self.data_for_all(&held).await;
                    held.clear();
                }
                Either::Second(()) if held == b"+++" => {
                    self.mode.set(Mode::Command);
                    return self.ok();
                }
                Either::Second(()) => {
                    if !held.is_empty() {
                        self.data_for_all(&held).await;
                        held.clear();
                    }
                    quiet = true;
                }
            }
        }
    }

    // Output to the host.

    /// Sends text in the form of the mode: part of an answer, or a URC.
    fn text(&self, text: &[u8], unsolicited: bool) {
        match self.mode.get() {
            _ if self.power.get() != Power::On => {}
            Mode::Command => self.core.send(text),
            Mode::Frames if unsolicited => self.core.send(&frames::frame(frames::AT_EVENT, text)),
            Mode::Frames => {
                for part in text.chunks(self.options.answer_cut.clamp(1, 2000)) {
                    self.core
                        .send(&frames::frame(frames::AT_CONFIRMATION, part));
                }
            }
            Mode::Ppp => {
                self.datagrams.borrow_mut().push_back(text.to_vec());
                self.core.touch();
            }
            Mode::Data => {}
        }
    }

    fn ok(&self) {
        self.text(b"\r\nOK\r\n", false);
    }

    fn error(&self) {
        self.text(b"\r\nERROR\r\n", false);
    }

    fn answer(&self, text: &str) {
        self.text(format!("\r\n{text}\r\n").as_bytes(), false);
    }

    fn urc(&self, text: &str) {
        self.text(format!("\r\n{text}\r\n").as_bytes(), true);
    }

    fn event(&self, kind: u16, body: &[u8]) {
        if self.mode.get() == Mode::Frames && self.power.get() == Power::On {
            self.core.send(&frames::frame(kind, body));
        }
    }

    /// Runs an action later, unless the module has restarted by then.
    fn later(&self, delay: Duration, action: impl FnOnce(&Rc<Self>) + 'static) {
        let Some(module) = self.me.upgrade() else {
            return;
        };
        let boots = self.boots.get();
        self.core.spawn(async move {
            Timer::after(delay).await;
            if module.boots.get() == boots {
                action(&module);
            }
        });
    }
}

impl Modem for ShortRange {
    fn run(self: Rc<Self>) -> LocalBoxFuture<'static, ()> {
        Box::pin(self.life())
    }

    /// Returns certificates and keys in DER, as `<type>/<name>`.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let store = self.store.borrow();
        store
            .iter()
            .map(|((kind, name), content)| (format!("{kind}/{name}"), content.clone()))
            .collect()
    }

    fn has_name_for(&self, name: &str) -> bool {
        let kind = name.split_once('/').map(|(kind, _)| kind.parse::<u8>());
        matches!(kind, Some(Ok(_)))
    }

    fn put_file(&self, name: &str, contents: &[u8]) {
        let (kind, name) = name.split_once('/').expect("<type>/<name>");
        let kind = kind.parse().expect("a type");
        let content = store::der(kind, contents);
        self.store
            .borrow_mut()
            .insert((kind, name.to_owned()), content);
    }

    fn inject_urc(&self, text: &str) {
        self.urc(text);
    }

    fn reset(&self) {
        self.reboot();
    }

    fn fail(&self, failure: Failure) {
        match failure {
            Failure::Reset | Failure::BrownOut | Failure::PoweredDown => self.reboot(),
            Failure::Hang => {
                self.power.set(Power::Hung);
                self.core.touch();
            }
            // The module has no power saving that the host would notice.
            Failure::PowerSaving => {}
        }
        self.failed_at.set(Some(Instant::now()));
    }

    fn failed_at(&self) -> Option<Instant> {
        self.failed_at.get()
    }

    fn reset_pin(&self, asserted: bool) {
        if self.reset_asserted.replace(asserted) && !asserted {
            self.reboot();
        }
    }

    fn status_pin(&self) -> bool {
        !matches!(self.power.get(), Power::Booting(_))
    }

    /// Returns the channels.
    fn open_sockets(&self) -> Vec<u8> {
        let peers = self.peers.borrow();
        peers
            .values()
            .filter_map(|peer| peer.borrow().channel)
            .collect()
    }

    /// Switches the access point on or off.
    fn set_registered(&self, registered: bool) {
        self.coverage.set(registered);
        if registered {
            self.find_network();
        } else {
            self.lose_network(2);
        }
    }

    fn drop_pdp(&self, _context: u8, _announced: bool) {
        self.lose_network(1);
        self.find_network();
    }

    /// The module has no clock.
    fn clock(&self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH
    }

    fn set_clock(&self, _utc: OffsetDateTime) {}
}
