//! The runner of a PPP link: it moves frames between the UART and the network stack.

use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use core::fmt;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::{ConfigV4, Ipv4Cidr, Stack, StaticConfigV4};
use embassy_net_driver_channel as channel;
use embassy_net_driver_channel::driver::LinkState;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, Timer};
use embedded_io_async::{Error as _, ErrorKind, Read, Write};

use crate::client::{Client, Ended, Network, Phase};
use crate::hdlc::{Deframed, Deframer, Framer};
use crate::login::Login;

/// The longest IP packet, in bytes.
pub const MTU: usize = 1500;
/// The longest frame in bytes: a packet with an uncompressed header and its checksum.
const FRAME: usize = MTU + 6;
/// The size of a read and of a write, in bytes.
const PIECE: usize = 64;
/// IP version 4, as a protocol of PPP.
const IPV4: u16 = 0x0021;
/// The time limit for the end of a link, its acknowledgement included.
const PARTING: Duration = Duration::from_secs(7);

/// The reason why [`Runner::run`] returned. The caller has the UART again; to go on, it dials again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RunError {
    /// The link ended.
    Ended(Ended),
    /// The reader of the UART reported the end of its input.
    Eof,
    /// The UART could not be read.
    Read(ErrorKind),
    /// The UART could not be written.
    Write(ErrorKind),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(ended) => ended.fmt(f),
            Self::Eof => f.write_str("the port to the modem was closed: open it again"),
            Self::Read(kind) => write!(f, "reading from the modem's port: {kind:?}"),
            Self::Write(kind) => write!(f, "writing to the modem's port: {kind:?}"),
        }
    }
}

impl core::error::Error for RunError {}

/// The runner of links. It lives as long as the device, and runs any number of links one after another.
pub struct Runner<'d> {
    channel: channel::Runner<'d, MTU>,
    frame: Deframer<FRAME>,
}

impl<'d> Runner<'d> {
    pub(super) fn new(mut channel: channel::Runner<'d, MTU>) -> Self {
        channel.set_link_state(LinkState::Down);
        Self {
            channel,
            frame: Deframer::new(),
        }
    }

    /// Runs one link, from the modem's answer to the dial to its end, and sets the address and name
    /// servers of `stack` meanwhile. `behind` are the bytes that followed the answer in the same read.
    ///
    /// Dropping the future ends the link without notice to the modem, which then has to be reset, or to
    /// find out by itself. To end the link in order, let `until` return; the result is then
    /// [`Ended::Closed`].
    pub async fn run(
        &mut self,
        mut rx: impl Read,
        mut tx: impl Write,
        behind: &[u8],
        login: Login,
        stack: Stack<'_>,
        until: impl Future<Output = ()>,
    ) -> RunError {
        self.frame = Deframer::new();
        let mut client = Client::new(login);
        client.open(Instant::now().as_ticks() as u32, now());
        let (state, packets_in, packets_out) = self.channel.borrow_split();
        let line = Line {
            client: RefCell::new(client),
            state,
            stack,
            network: Cell::new(None),
            work: Signal::new(),
            taken: Signal::new(),
        };
        let reading = line.read(&mut rx, &mut self.frame, packets_in, behind);
        let writing = line.write(&mut tx, packets_out, until);
        match select(reading, writing).await {
            Either::First(Err(error)) | Either::Second(error) => error,
        }
    }
}

/// One link while it lasts. Its drop, at any time, takes the stack's address away.
struct Line<'s> {
    client: RefCell<Client>,
    state: channel::StateRunner<'s>,
    stack: Stack<'s>,
    /// The network that the stack has been given.
    network: Cell<Option<Network>>,
    /// Signals that there may be something to send.
    work: Signal<NoopRawMutex, ()>,
    /// Signals that everything there was to send has been sent.
    taken: Signal<NoopRawMutex, ()>,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.down();
    }
}

impl Line<'_> {
    async fn read(
        &self,
        rx: &mut impl Read,
        reader: &mut Deframer<FRAME>,
        mut packets: channel::RxRunner<'_, MTU>,
        behind: &[u8],
    ) -> Result<Infallible, RunError> {
        self.take(behind, reader, &mut packets).await;
        let mut piece = [0; PIECE];
        loop {
            let count = rx
                .read(&mut piece)
                .await
                .map_err(|error| RunError::Read(error.kind()))?;
            if count == 0 {
                return Err(RunError::Eof);
            }
            self.take(&piece[..count], reader, &mut packets).await;
        }
    }

    async fn take(
        &self,
        mut bytes: &[u8],
        reader: &mut Deframer<FRAME>,
        packets: &mut channel::RxRunner<'_, MTU>,
    ) {
        while !bytes.is_empty() {
            let (count, found) = reader.feed(bytes);
            bytes = &bytes[count..];
            match found {
                None => {}
                Some(Deframed::NoCarrier) => {
                    self.client.borrow_mut().lost();
                    self.work.signal(());
                }
                Some(Deframed::Frame(frame)) => {
                    let packet = self.client.borrow_mut().receive(frame, now());
                    let Some(packet) = packet else {
                        // An answer goes out before the next frame is parsed, since there is room for
                        // only one.
                        self.taken.reset();
                        self.work.signal(());
                        self.taken.wait().await;
                        continue;
                    };
                    if packet.len() <= MTU {
                        let room = packets.rx_buf().await;
                        room[..packet.len()].copy_from_slice(packet);
                        packets.rx_done(packet.len());
                    }
                }
            }
        }
    }

    async fn write(
        &self,
        tx: &mut impl Write,
        mut packets: channel::TxRunner<'_, MTU>,
        until: impl Future<Output = ()>,
    ) -> RunError {
        let mut until = core::pin::pin!(until);
        let mut parting: Option<Instant> = None;
        loop {
            let deadline = self.client.borrow_mut().tick(now());
            if let Err(error) = self.talk(tx).await {
                return RunError::Write(error);
            }
            self.taken.signal(());
            self.tell_stack();
            let (phase, ended) = {
                let client = self.client.borrow();
                (client.phase(), client.ended())
            };
            if let Some(ended) = ended
                && (phase == Phase::Dead || parting.is_some_and(|at| at <= Instant::now()))
            {
                return RunError::Ended(ended);
            }
            if ended.is_some() && parting.is_none() {
                parting = Some(Instant::now() + PARTING);
            }
            let wait = deadline.map_or(1_000, |at| (at.wrapping_sub(now()) as i32).max(1) as u64);
            let timer = Timer::after_millis(wait);
            let packet = async {
                if phase == Phase::Open {
                    packets.tx_buf().await.len()
                } else {
                    core::future::pending().await
                }
            };
            let leave = async {
                if parting.is_none() {
                    until.as_mut().await;
                } else {
                    core::future::pending::<()>().await;
                }
            };
            match select3(select(self.work.wait(), timer), packet, leave).await {
                Either3::First(_) => {}
                Either3::Second(_) => {
                    let wire = self.client.borrow().wire(IPV4);
                    let packet = packets.tx_buf().await;
                    if let Err(error) = send(tx, Framer::new(wire, IPV4, packet)).await {
                        return RunError::Write(error);
                    }
                    packets.tx_done();
                }
                Either3::Third(()) => {
                    self.client.borrow_mut().close(now());
                    parting = Some(Instant::now() + PARTING);
                }
            }
        }
    }

    /// Sends all pending packets of the client.
    async fn talk(&self, tx: &mut impl Write) -> Result<(), ErrorKind> {
        loop {
            let (packet, wire) = {
                let mut client = self.client.borrow_mut();
                let Some(packet) = client.next_out() else {
                    return Ok(());
                };
                let wire = client.wire(packet.protocol());
                (packet, wire)
            };
            let framer = Framer::new(wire, packet.protocol(), packet.content());
            send(tx, framer).await?;
        }
    }

    /// Gives the stack a changed address, or takes it away.
    fn tell_stack(&self) {
        let network = self.client.borrow().network();
        if self.network.replace(network) == network {
            return;
        }
        let Some(network) = network else {
            return self.down();
        };
        let mut config = StaticConfigV4 {
            // All addresses are behind the one peer, so all are on the link.
            address: Ipv4Cidr::new(network.address, 0),
            gateway: None,
            dns_servers: Default::default(),
        };
        for server in network.dns.into_iter().flatten() {
            let _ = config.dns_servers.push(server);
        }
        self.stack.set_config_v4(ConfigV4::Static(config));
        self.state.set_link_state(LinkState::Up);
    }

    fn down(&self) {
        self.state.set_link_state(LinkState::Down);
        self.stack.set_config_v4(ConfigV4::None);
    }
}

async fn send(tx: &mut impl Write, mut framer: Framer<'_>) -> Result<(), ErrorKind> {
    let mut piece = [0; PIECE];
    loop {
        let count = framer.fill(&mut piece);
        if count == 0 {
            return tx.flush().await.map_err(|error| error.kind());
        }
        tx.write_all(&piece[..count])
            .await
            .map_err(|error| error.kind())?;
    }
}

/// Returns the time of the client: milliseconds, wrapping.
fn now() -> u32 {
    Instant::now().as_millis() as u32
}
