//! The handle that tests and tools hold.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;

use embassy_futures::select::{Either3, select3};
use embassy_time::Instant;
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::bg96::Bg96;
use crate::cc3200::{Cc32xx, Cc32xxOptions, Nwp, NwpOptions};
use crate::core::{Core, Script, Task};
use crate::network::{LocalBoxFuture, Network};
use crate::notice_pin::NoticePin;
use crate::nrf9160::{Nrf9160, Nrf9160Options};
use crate::options::Options;
use crate::port::{self, Cut};
use crate::ublox::{Ublox, UbloxOptions};
use crate::ublox_short_range::{ShortRange, ShortRangeOptions};
use crate::{After, Failure};

/// What a script lets happen to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The modem does its work.
    Normal,
    /// The command is swallowed: no effect, no answer.
    Silent,
    /// These bytes are the answer; the command has no effect.
    Reply(Vec<u8>),
    /// The modem resets instead of answering.
    Reset,
}

/// What the handle needs of a modem.
pub(crate) trait Modem {
    /// The modem's life, from creation on. Never ends.
    fn run(self: Rc<Self>) -> LocalBoxFuture<'static, ()>;
    fn files(&self) -> BTreeMap<String, Vec<u8>>;
    /// Whether `name` is one that a file may have.
    fn has_name_for(&self, _name: &str) -> bool {
        true
    }
    fn put_file(&self, name: &str, contents: &[u8]);
    /// Nothing on a modem whose protocol has no lines.
    fn inject_urc(&self, _text: &str) {}
    fn reset(&self);
    fn fail(&self, failure: Failure);
    fn failed_at(&self) -> Option<Instant>;
    /// Nothing on a modem to which DTR means nothing.
    fn dtr_rises(&self) {}
    /// The modem core alone crashes. On a modem that has no such core apart, everything does.
    fn crash(&self) {
        self.reset();
    }
    /// Nothing on a modem without a power key.
    fn power_key(&self, _pressed: bool) {}
    fn reset_pin(&self, asserted: bool);
    fn status_pin(&self) -> bool;
    /// Nothing on a modem without such a pin.
    fn sleep_pin(&self, _high: bool) {}
    /// Nothing on a modem without such a mode.
    fn save_power(&self) {}
    fn open_sockets(&self) -> Vec<u8>;
    fn set_registered(&self, registered: bool);
    fn drop_pdp(&self, context: u8, announced: bool);
    fn clock(&self) -> OffsetDateTime;
    fn set_clock(&self, utc: OffsetDateTime);
    /// Security alerts so far, on a modem that counts them.
    fn alerts(&self) -> u32 {
        0
    }
}

struct Inner {
    core: Rc<Core>,
    modem: Rc<dyn Modem>,
    cut: Cut,
    /// Owned here and not by the core, so that dropping the handle drops them in spite of their references.
    tasks: RefCell<Vec<Task>>,
    attached: Cell<bool>,
}

/// A simulated modem. Clones are handles to the same unit; the unit goes with the last of them.
#[derive(Clone)]
pub struct Simulator {
    inner: Rc<Inner>,
}

impl Simulator {
    /// A Quectel BG96 whose connections go through `network`.
    pub fn bg96(options: Options, network: Rc<dyn Network>) -> Self {
        let core = Rc::new(Core::default());
        core.baud.set(options.baud);
        let cut = Cut {
            chunk: options.chunk,
            seed: options.seed,
        };
        let modem = Bg96::new(core.clone(), options, network);
        Self::new(core, modem, cut)
    }

    /// An nRF9160 (or nRF9151) with Nordic's Serial LTE Modem or Serial Modem firmware.
    pub fn nrf9160(options: Nrf9160Options, network: Rc<dyn Network>) -> Self {
        let core = Rc::new(Core::default());
        core.baud.set(options.baud);
        let cut = Cut {
            chunk: options.chunk,
            seed: options.seed,
        };
        let modem = Nrf9160::new(core.clone(), options, network);
        Self::new(core, modem, cut)
    }

    /// A u-blox cellular module: SARA, LARA, LENA or LEXI.
    pub fn ublox(options: UbloxOptions, network: Rc<dyn Network>) -> Self {
        let core = Rc::new(Core::default());
        core.baud.set(options.baud);
        let cut = Cut {
            chunk: options.chunk,
            seed: options.seed,
        };
        let modem = Ublox::new(core.clone(), options, network);
        Self::new(core, modem, cut)
    }

    /// A u-blox Wi-Fi module with u-connectXpress of the first generation.
    pub fn short_range(options: ShortRangeOptions, network: Rc<dyn Network>) -> Self {
        let core = Rc::new(Core::default());
        core.baud.set(options.baud);
        let cut = Cut {
            chunk: options.chunk,
            seed: options.seed,
        };
        let modem = ShortRange::new(core.clone(), options, network);
        Self::new(core, modem, cut)
    }

    /// A CC3220 or CC3235 with TI's AT application.
    pub fn cc32xx(options: Cc32xxOptions, network: Rc<dyn Network>) -> Self {
        let core = Rc::new(Core::default());
        core.baud.set(options.baud);
        let cut = Cut {
            chunk: options.chunk,
            seed: options.seed,
        };
        let modem = Cc32xx::new(core.clone(), options, network);
        Self::new(core, modem, cut)
    }

    /// A network processor of TI's second generation (CC3120, CC3130, CC3135) on a UART. Its nHIB is
    /// [`reset_pin`](Self::reset_pin).
    pub fn nwp(options: NwpOptions, network: Rc<dyn Network>) -> Self {
        let core = Rc::new(Core::default());
        core.baud.set(options.baud);
        let cut = Cut {
            chunk: options.chunk,
            seed: options.seed,
        };
        let modem = Nwp::new(core.clone(), options, network);
        Self::new(core, modem, cut)
    }

    fn new(core: Rc<Core>, modem: Rc<dyn Modem>, cut: Cut) -> Self {
        let tasks = RefCell::new(vec![modem.clone().run() as Task]);
        Self {
            inner: Rc::new(Inner {
                core,
                modem,
                cut,
                tasks,
                attached: Cell::new(false),
            }),
        }
    }

    /// Serves a host over `port`, until the port reports its end.
    ///
    /// All state stays, half-finished exchanges included: serving another port afterwards is what the modem sees of a
    /// reset of the MCU alone. Between two calls the unit stands still; what it received before is executed first.
    pub async fn serve(&self, port: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let inner = &*self.inner;
        if inner.attached.replace(true) {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another host is attached to this modem",
            ));
        }
        let _detach = Detach(inner);
        inner.core.discard_output();
        let (reader, writer) = tokio::io::split(port);
        let machine = poll_fn(|cx| {
            inner.core.poll_tasks(&inner.tasks, cx);
            Poll::<()>::Pending
        });
        let end = select3(
            port::receive(&inner.core, reader),
            port::transmit(&inner.core, inner.cut, writer),
            machine,
        )
        .await;
        // The last bytes before the end were sent, so the modem gets to see them.
        poll_fn(|cx| {
            inner.core.poll_tasks(&inner.tasks, cx);
            Poll::Ready(())
        })
        .await;
        match end {
            Either3::First(end) => end,
            Either3::Second(()) | Either3::Third(()) => Ok(()),
        }
    }

    /// A UART between a driver and this modem: what the driver reads, what it writes, and [`serve`](Self::serve) for
    /// the modem's side, which is to be polled beside the driver. A second UART, once the first is dropped, is what
    /// the modem sees of a reset of the MCU alone.
    pub fn uart(
        &self,
    ) -> (
        impl Read<Error = io::Error> + use<>,
        impl Write<Error = io::Error> + use<>,
        impl Future<Output = io::Result<()>> + use<>,
    ) {
        let (host, device) = tokio::io::duplex(4096);
        let (rx, tx) = tokio::io::split(host);
        let modem = self.clone();
        let serve = async move { modem.serve(device).await };
        (FromTokio::new(rx), FromTokio::new(tx), serve)
    }

    /// Every complete command line received, in order, without terminators and payload.
    pub fn commands(&self) -> Vec<Vec<u8>> {
        self.inner.core.commands.borrow().clone()
    }

    /// Like [`commands`](Self::commands), and starts a new list.
    pub fn take_commands(&self) -> Vec<Vec<u8>> {
        self.inner.core.commands.take()
    }

    /// Bytes received from the host so far.
    pub fn bytes_in(&self) -> u64 {
        self.inner.core.bytes_in.get()
    }

    /// Bytes sent to the host so far.
    pub fn bytes_out(&self) -> u64 {
        self.inner.core.bytes_out.get()
    }

    /// Commands taken up so far.
    pub fn exchanges(&self) -> u64 {
        self.inner.core.exchanges.get()
    }

    /// The contents of the file system. On nRF9160, the credentials in flash: `modem/<tag>/<type>` of `%CMNG`,
    /// `settings/<tag>/<type>` of `#XCMNG` from 2.6 on; on u-blox, `<type>/<name>` of `+USECMNG`.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.inner.modem.files()
    }

    /// Whether a file of this modem's can have that name: those of [`files`](Self::files) can.
    pub fn has_name_for(&self, name: &str) -> bool {
        self.inner.modem.has_name_for(name)
    }

    /// Stores a file behind the host's back.
    ///
    /// # Panics
    /// When no file of this modem's can have that name.
    pub fn put_file(&self, name: &str, contents: &[u8]) {
        self.inner.modem.put_file(name, contents);
    }

    /// Emits an unsolicited line (without its CR LF), wherever URCs are routed to.
    pub fn inject_urc(&self, text: &str) {
        self.inner.modem.inject_urc(text);
    }

    /// The modem resets by itself: sockets and volatile settings are gone, the banner comes after its time.
    pub fn reset(&self) {
        self.inner.modem.reset();
    }

    /// The modem fails by itself.
    pub fn fail(&self, failure: Failure) {
        self.inner.modem.fail(failure);
    }

    /// Lets it fail once so many more bytes have passed. Replaces what was planned before.
    pub fn fail_after(&self, after: After, failure: Failure) {
        let modem = self.inner.modem.clone();
        self.inner
            .core
            .set_trap(after, Box::new(move || modem.fail(failure)));
    }

    /// When it last failed so.
    pub fn failed_at(&self) -> Option<Instant> {
        self.inner.modem.failed_at()
    }

    /// DTR goes from low to high, which `AT&D1` and `AT&D2` give a meaning.
    pub fn dtr_rises(&self) {
        self.inner.modem.dtr_rises();
    }

    /// The modem core crashes and is started again by its application, which lives on (nRF9160); elsewhere a reset.
    pub fn crash(&self) {
        self.inner.modem.crash();
    }

    /// Presses (PWRKEY low) or releases the power key; what it does is decided at the release. On nRF9160, the wake
    /// pin, which acts when pressed.
    pub fn power_key(&self, pressed: bool) {
        self.inner.modem.power_key(pressed);
    }

    /// Asserts (RESET_N low) or releases the reset pin; a pulse of the right length resets.
    pub fn reset_pin(&self, asserted: bool) {
        self.inner.modem.reset_pin(asserted);
    }

    /// Sets the pin that lets the modem sleep (DTR) where it was told that it may: high to sleep.
    pub fn sleep_pin(&self, high: bool) {
        self.inner.modem.sleep_pin(high);
    }

    /// The modem enters power saving mode: it says so and is off, until its power key is pressed.
    pub fn save_power(&self) {
        self.inner.modem.save_power();
    }

    /// The STATUS pin: high while the modem runs.
    pub fn status_pin(&self) -> bool {
        self.inner.modem.status_pin()
    }

    /// The pin by which the modem tells that it has something to say: RI (BG96), which pulses with every unsolicited
    /// line; the indicate pin (nRF9160 with Serial LTE Modem), for a host that let the modem idle.
    pub fn notice_pin(&self) -> NoticePin {
        NoticePin(self.inner.core.clone())
    }

    /// Whether that pin is asserted.
    pub fn indicate_pin(&self) -> bool {
        self.inner.core.notice.is_active()
    }

    /// Ids of sockets that are occupied, in whatever state.
    pub fn open_sockets(&self) -> Vec<u8> {
        self.inner.modem.open_sockets()
    }

    /// The network appears, or goes away and takes the PDP contexts with it.
    pub fn set_registered(&self, registered: bool) {
        self.inner.modem.set_registered(registered);
    }

    /// The network takes one PDP context away.
    pub fn drop_pdp(&self, context: u8) {
        self.inner.modem.drop_pdp(context, true);
    }

    /// As [`drop_pdp`](Self::drop_pdp), and the notice of it is lost.
    pub fn drop_pdp_silently(&self, context: u8) {
        self.inner.modem.drop_pdp(context, false);
    }

    /// UTC, as far as the modem knows.
    pub fn clock(&self) -> OffsetDateTime {
        self.inner.modem.clock()
    }

    /// Sets the modem's clock behind the host's back.
    pub fn set_clock(&self, utc: OffsetDateTime) {
        self.inner.modem.set_clock(utc);
    }

    /// Security alerts so far, on a modem that counts them (TI's network processors).
    pub fn security_alerts(&self) -> u32 {
        self.inner.modem.alerts()
    }

    /// Puts bytes on the line towards the host as they are, behind what waits there already.
    pub fn inject_bytes(&self, bytes: &[u8]) {
        self.inner.core.send(bytes);
    }

    /// The rate of the host's UART from now on: at another one than the modem's, everything is noise (nRF9160). Until
    /// this is called, the host is taken to have the right one.
    pub fn set_host_rate(&self, rate: u32) {
        self.inner.core.host_rate.set(Some(rate));
    }

    /// Asks `script` about every command line before it is executed.
    pub fn set_script(&self, script: Script) {
        self.inner.core.set_script(script);
    }
}

/// Also when `serve` is dropped midway.
struct Detach<'a>(&'a Inner);

impl Drop for Detach<'_> {
    fn drop(&mut self) {
        self.0.core.discard_output();
        self.0.attached.set(false);
    }
}
