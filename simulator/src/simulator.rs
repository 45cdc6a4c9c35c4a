//! The handle to a simulated modem, for tests and tools.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;

use embassy_futures::select::{Either3, select3};
use embassy_time::Instant;
use embedded_io_async::{Read, Write};
use sectag_host_clock::FromTokio;
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::bg96::Bg96;
use crate::cc3200::{Cc32xx, Cc32xxOptions, Nwp, NwpOptions, NwpSpi, Spi};
use crate::core::{Core, Script, Task};
use crate::network::{LocalBoxFuture, Network};
use crate::notice_pin::NoticePin;
use crate::nrf9160::{Nrf9160, Nrf9160Options};
use crate::options::Options;
use crate::port::{self, Cut};
use crate::reset_line::ResetLine;
use crate::status_pin::StatusPin;
use crate::ublox::{Ublox, UbloxOptions};
use crate::ublox_short_range::{ShortRange, ShortRangeOptions};
use crate::{After, Failure};

/// The reaction to one command, chosen by a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The modem executes the command.
    Normal,
    /// The command is swallowed: no effect, no answer.
    Silent,
    /// These bytes are the answer; the command has no effect.
    Reply(Vec<u8>),
    /// The modem resets instead of answering.
    Reset,
}

/// The interface between the handle and a modem.
pub(crate) trait Modem {
    /// Runs the modem, from creation on. Never ends.
    fn run(self: Rc<Self>) -> LocalBoxFuture<'static, ()>;
    fn files(&self) -> BTreeMap<String, Vec<u8>>;
    /// Whether a file can have the name `name`.
    fn has_name_for(&self, _name: &str) -> bool {
        true
    }
    fn put_file(&self, name: &str, contents: &[u8]);
    /// Emits an unsolicited line. Does nothing on a modem whose protocol has no lines.
    fn inject_urc(&self, _text: &str) {}
    fn reset(&self);
    fn fail(&self, failure: Failure);
    fn failed_at(&self) -> Option<Instant>;
    /// Raises DTR. Does nothing on a modem that ignores DTR.
    fn dtr_rises(&self) {}
    /// Crashes the modem core alone. On a modem without a separate core, this is a reset.
    fn crash(&self) {
        self.reset();
    }
    /// Moves the power key. Does nothing on a modem without one.
    fn power_key(&self, _pressed: bool) {}
    fn reset_pin(&self, asserted: bool);
    fn status_pin(&self) -> bool;
    /// Sets the sleep pin. Does nothing on a modem without one.
    fn sleep_pin(&self, _high: bool) {}
    /// Enters power saving mode. Does nothing on a modem without it.
    fn save_power(&self) {}
    fn open_sockets(&self) -> Vec<u8>;
    fn set_registered(&self, registered: bool);
    fn drop_pdp(&self, context: u8, announced: bool);
    fn clock(&self) -> OffsetDateTime;
    fn set_clock(&self, utc: OffsetDateTime);
    /// The number of security alerts, on a modem that counts them.
    fn alerts(&self) -> u32 {
        0
    }
    /// On a modem that has an SPI.
    fn spi(&self) -> Option<Rc<Spi>> {
        None
    }
}

struct Inner {
    core: Rc<Core>,
    modem: Rc<dyn Modem>,
    cut: Cut,
    /// The tasks of the modem. They are owned here and not by the core, because they refer to the core:
    /// dropping the handle has to drop them.
    tasks: RefCell<Vec<Task>>,
    attached: Cell<bool>,
}

impl Inner {
    /// Takes the port of the modem for a host; fails when another host has it.
    fn attach(&self) -> io::Result<Detach<'_>> {
        if self.attached.replace(true) {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another host is attached to this modem",
            ));
        }
        Ok(Detach(self))
    }

    /// Runs the tasks of the modem for ever.
    async fn run(&self) -> Infallible {
        poll_fn(|cx| {
            self.core.poll_tasks(&self.tasks, cx);
            Poll::Pending
        })
        .await
    }
}

/// A simulated modem. Clones are handles to one unit, which is dropped with the last of them.
#[derive(Clone)]
pub struct Simulator {
    inner: Rc<Inner>,
}

impl Simulator {
    /// Returns a Quectel BG96 whose connections go through `network`.
    pub fn bg96(options: Options, network: Rc<dyn Network>) -> Self {
        let cut = Cut {
            chunk: options.chunk,
            seed: options.seed,
        };
        Self::new(options.baud, cut, |core| Bg96::new(core, options, network))
    }

    /// Returns an nRF9160 (or nRF9151) with Nordic's Serial LTE Modem or Serial Modem firmware.
    pub fn nrf9160(options: Nrf9160Options, network: Rc<dyn Network>) -> Self {
        let cut = Cut {
            chunk: options.chunk,
            seed: options.seed,
        };
        Self::new(options.baud, cut, |core| {
            Nrf9160::new(core, options, network)
        })
    }

    /// Returns a u-blox cellular module: SARA, LARA, LENA or LEXI.
    pub fn ublox(options: UbloxOptions, network: Rc<dyn Network>) -> Self {
        let cut = Cut {
            chunk: options.chunk,
            seed: options.seed,
        };
        Self::new(options.baud, cut, |core| Ublox::new(core, options, network))
    }

    /// Returns a u-blox Wi-Fi module with u-connectXpress of the first generation.
    pub fn short_range(options: ShortRangeOptions, network: Rc<dyn Network>) -> Self {
        let cut = Cut {
            chunk: options.chunk,
            seed: options.seed,
        };
        Self::new(options.baud, cut, |core| {
            ShortRange::new(core, options, network)
        })
    }

    /// Returns a CC3220 or CC3235 with TI's AT application.
    pub fn cc32xx(options: Cc32xxOptions, network: Rc<dyn Network>) -> Self {
        let cut = Cut {
            chunk: options.chunk,
            seed: options.seed,
        };
        Self::new(options.baud, cut, |core| {
            Cc32xx::new(core, options, network)
        })
    }

    /// A network processor of TI's (CC3120, CC3130, CC3135; CC3100) on a UART, or on [`spi`](Self::spi). Its nHIB is
    /// [`reset_pin`](Self::reset_pin).
    pub fn nwp(options: NwpOptions, network: Rc<dyn Network>) -> Self {
        let cut = Cut {
            chunk: options.chunk,
            seed: options.seed,
        };
        Self::new(options.baud, cut, |core| Nwp::new(core, options, network))
    }

    fn new<M: Modem + 'static>(
        baud: Option<u32>,
        cut: Cut,
        modem: impl FnOnce(Rc<Core>) -> Rc<M>,
    ) -> Self {
        let core = Rc::new(Core::default());
        core.baud.set(baud);
        let modem: Rc<dyn Modem> = modem(core.clone());
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
    /// All state stays, including half-finished exchanges. So serving another port afterwards is, to
    /// the modem, a reset of the MCU alone. Between two calls the unit stands still; the bytes that it
    /// has received are executed first.
    pub async fn serve(&self, port: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let inner = &*self.inner;
        let _detach = inner.attach()?;
        inner.core.discard_output();
        let (reader, writer) = tokio::io::split(port);
        let end = select3(
            port::receive(&inner.core, reader),
            port::transmit(&inner.core, inner.cut, writer),
            inner.run(),
        )
        .await;
        // The host has sent the last bytes before the end, so the modem handles them.
        poll_fn(|cx| {
            inner.core.poll_tasks(&inner.tasks, cx);
            Poll::Ready(())
        })
        .await;
        match end {
            Either3::First(end) => end,
            Either3::Second(()) => Ok(()),
            Either3::Third(never) => match never {},
        }
    }

    /// Returns a UART between a driver and this modem: the reader and the writer of the driver, and the
    /// future [`serve`](Self::serve) of the modem's side, which has to be polled beside the driver. A
    /// second UART, after the first was dropped, is to the modem a reset of the MCU alone.
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

    /// Returns the SPI of a network processor of TI's, for a driver that is polled beside [`serve_spi`](Self::serve_spi).
    ///
    /// # Panics
    /// When this modem has no SPI.
    pub fn spi(&self) -> NwpSpi {
        let spi = self.inner.modem.spi();
        NwpSpi(spi.expect("a network processor of TI's"))
    }

    /// Serves a host on [`spi`](Self::spi), for ever; fails when there is another host.
    pub async fn serve_spi(&self) -> io::Result<Infallible> {
        let _detach = self.inner.attach()?;
        Ok(self.inner.run().await)
    }

    /// Returns every complete command line that was received, in order, without terminators and
    /// payload.
    pub fn commands(&self) -> Vec<Vec<u8>> {
        self.inner.core.commands.borrow().clone()
    }

    /// Returns the [`commands`](Self::commands), and starts a new list.
    pub fn take_commands(&self) -> Vec<Vec<u8>> {
        self.inner.core.commands.take()
    }

    /// Returns the number of bytes received from the host.
    pub fn bytes_in(&self) -> u64 {
        self.inner.core.bytes_in.get()
    }

    /// Returns the number of bytes sent to the host.
    pub fn bytes_out(&self) -> u64 {
        self.inner.core.bytes_out.get()
    }

    /// Returns the number of commands that were started.
    pub fn exchanges(&self) -> u64 {
        self.inner.core.exchanges.get()
    }

    /// Returns the files of the file system. On nRF9160 these are the credentials in flash:
    /// `modem/<tag>/<type>` of `%CMNG`, `settings/<tag>/<type>` of `#XCMNG` from 2.6 on; on u-blox they
    /// are `<type>/<name>` of `+USECMNG`.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.inner.modem.files()
    }

    /// Returns whether a file of this modem can have that name. The names in [`files`](Self::files)
    /// can.
    pub fn has_name_for(&self, name: &str) -> bool {
        self.inner.modem.has_name_for(name)
    }

    /// Stores a file without the host's knowledge.
    ///
    /// # Panics
    /// If no file of this modem can have that name.
    pub fn put_file(&self, name: &str, contents: &[u8]) {
        self.inner.modem.put_file(name, contents);
    }

    /// Emits an unsolicited line (given without its CR LF), on the port to which URCs are routed.
    pub fn inject_urc(&self, text: &str) {
        self.inner.modem.inject_urc(text);
    }

    /// Resets the modem: it loses sockets and volatile settings, and its banner comes after the usual
    /// time.
    pub fn reset(&self) {
        self.inner.modem.reset();
    }

    /// Makes the modem fail now.
    pub fn fail(&self, failure: Failure) {
        self.inner.modem.fail(failure);
    }

    /// Makes the modem fail once this many more bytes have passed. Replaces an earlier plan.
    pub fn fail_after(&self, after: After, failure: Failure) {
        let modem = self.inner.modem.clone();
        self.inner
            .core
            .set_trap(after, Box::new(move || modem.fail(failure)));
    }

    /// Returns the time of the last failure.
    pub fn failed_at(&self) -> Option<Instant> {
        self.inner.modem.failed_at()
    }

    /// Raises DTR from low to high, which has a meaning under `AT&D1` and `AT&D2`.
    pub fn dtr_rises(&self) {
        self.inner.modem.dtr_rises();
    }

    /// Crashes the modem core; its application goes on and restarts it (nRF9160). On other modems this
    /// is a reset.
    pub fn crash(&self) {
        self.inner.modem.crash();
    }

    /// Presses (PWRKEY low) or releases the power key; the effect is decided at the release. On nRF9160
    /// this is the wake pin, which acts when pressed.
    pub fn power_key(&self, pressed: bool) {
        self.inner.modem.power_key(pressed);
    }

    /// Asserts (RESET_N low) or releases the reset pin. A pulse of the right length resets the modem.
    pub fn reset_pin(&self, asserted: bool) {
        self.inner.modem.reset_pin(asserted);
    }

    /// Returns the MCU's output at the modem's reset, which is active low. It is [`reset_pin`](Self::reset_pin) for a driver.
    pub fn reset_line(&self) -> ResetLine {
        ResetLine(self.clone())
    }

    /// Sets the pin that lets the modem sleep (DTR), if sleep is enabled: high to sleep.
    pub fn sleep_pin(&self, high: bool) {
        self.inner.modem.sleep_pin(high);
    }

    /// Lets the modem enter power saving mode: it reports that, and is off until its power key is
    /// pressed.
    pub fn save_power(&self) {
        self.inner.modem.save_power();
    }

    /// Returns the level of the STATUS pin: high while the modem runs.
    pub fn status_pin(&self) -> bool {
        self.inner.modem.status_pin()
    }

    /// Returns the STATUS pin as an input of the MCU.
    pub fn status_input(&self) -> StatusPin {
        let modem = self.inner.modem.clone();
        StatusPin(Rc::new(move || modem.status_pin()))
    }

    /// Returns the pin by which the modem announces unsolicited lines: RI (BG96), which pulses with
    /// every such line; the indicate pin (nRF9160 with Serial LTE Modem), for a host that let the modem
    /// idle.
    pub fn notice_pin(&self) -> NoticePin {
        NoticePin(self.inner.core.clone())
    }

    /// Returns whether that pin is asserted.
    pub fn indicate_pin(&self) -> bool {
        self.inner.core.notice.is_active()
    }

    /// Returns the ids of occupied sockets, in any state.
    pub fn open_sockets(&self) -> Vec<u8> {
        self.inner.modem.open_sockets()
    }

    /// Switches the network on, or off together with the PDP contexts.
    pub fn set_registered(&self, registered: bool) {
        self.inner.modem.set_registered(registered);
    }

    /// Lets the network deactivate one PDP context.
    pub fn drop_pdp(&self, context: u8) {
        self.inner.modem.drop_pdp(context, true);
    }

    /// Lets the network deactivate one PDP context, and loses the URC that reports it.
    pub fn drop_pdp_silently(&self, context: u8) {
        self.inner.modem.drop_pdp(context, false);
    }

    /// Returns the modem's own time, in UTC.
    pub fn clock(&self) -> OffsetDateTime {
        self.inner.modem.clock()
    }

    /// Sets the modem's clock without the host's knowledge.
    pub fn set_clock(&self, utc: OffsetDateTime) {
        self.inner.modem.set_clock(utc);
    }

    /// Returns the number of security alerts, on a modem that counts them (TI's network processors).
    pub fn security_alerts(&self) -> u32 {
        self.inner.modem.alerts()
    }

    /// Sends raw bytes to the host, behind those that wait already.
    pub fn inject_bytes(&self, bytes: &[u8]) {
        self.inner.core.send(bytes);
    }

    /// Sets the rate of the host's UART from now on. At a rate other than the modem's, everything is
    /// noise (nRF9160). Until this is called, both rates are equal.
    pub fn set_host_rate(&self, rate: u32) {
        self.inner.core.host_rate.set(Some(rate));
    }

    /// Sets a script that chooses the reaction to every command line before it is executed.
    pub fn set_script(&self, script: Script) {
        self.inner.core.set_script(script);
    }

    /// Sets a script that chooses the reaction to the data of every frame from the host, on a module with extended data
    /// mode. Other modems are told by a command to send, see [`set_script`](Self::set_script).
    pub fn set_data_script(&self, script: Script) {
        self.inner.core.set_data_script(script);
    }
}

/// Frees the port, also when `serve` is dropped midway.
struct Detach<'a>(&'a Inner);

impl Drop for Detach<'_> {
    fn drop(&mut self) {
        self.0.core.discard_output();
        self.0.attached.set(false);
    }
}
