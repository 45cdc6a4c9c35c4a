//! A session of MQTT with QoS 1 both ways, over TLS over PPP, on a line that damages bytes or cuts frames.
//!
//! The far end of the link is a stack of our own behind the scripted peer, with a name server and a broker, since slirp sends no
//! packet above 552 bytes.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use embassy_futures::join::join;
use embassy_futures::select::{Either, Either3, Either4, select, select3, select4};
use embassy_net::tcp::TcpSocket;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{ConfigV4, Ipv4Address, Ipv4Cidr, Stack, StackResources, StaticConfigV4};
use embassy_net_driver_channel as channel;
use embassy_net_driver_channel::driver::{HardwareAddress, LinkState};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{ErrorType, Read, Write};
use minimq::{ConfigBuilder, Publication, QoS, Session, SubscriptionOptions, TopicFilter};
use rand_core::OsRng;
use rcgen::KeyPair;
use rustls::{ServerConfig, ServerConnection};
use sectag::clock::DateTime;
use sectag::{Tag, TimeSource, TlsConfig};
use sectag_host_clock::with_own_waker;
use sectag_ppp::net;
use sectag_ppp::tls::{self, Buffers, Credentials, NoKey, Sockets, Time};
use sectag_ppp::{Deframed, Deframer, Login, Wire};
use sectag_simulator::time::block_on_virtual;
use sectag_simulator::{PppPeer, PppScript};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::broker::Broker;
use crate::identity::{self, NAME};
use crate::module::{Noise, Tally};
use crate::wire;

const LCP: u16 = 0xC021;
const IPV4: u16 = 0x0021;
const PORT: u16 = 8883;
/// The first name server that the scripted peer announces; here it is the broker, too.
const SERVER: Ipv4Address = Ipv4Address::new(8, 8, 8, 8);
const MESSAGES: usize = 80;
/// Bytes of a message: two full segments and the rest.
const LENGTH: usize = 4_000;
/// How long the broker may take for what was sent last, which is sent again with growing intervals while it is damaged.
const PATIENCE: Duration = Duration::from_secs(300);
const PASSWORD: &str = "password";
const TLS: TlsConfig = TlsConfig::new(Tag(7));

#[test]
fn with_a_quarter_of_the_packets_of_1500_bytes_damaged_every_message_arrives() {
    let tally = delivered::<1500>(5_000, usize::MAX, 1_500);
    assert!(tally.frames.get() >= 200, "{} frames", tally.frames.get());
    // 1 - (1 - 1/5000)^1506 is 26 %.
    assert!((0.17..0.36).contains(&share(&tally)), "{}", share(&tally));
}

#[test]
fn with_a_tenth_of_the_packets_of_540_bytes_damaged_every_message_arrives() {
    let tally = delivered::<540>(5_000, usize::MAX, 540);
    assert!(tally.longest.get() < 600, "{}", tally.longest.get());
    assert!(tally.frames.get() >= 1_000, "{} frames", tally.frames.get());
    assert!((0.06..0.15).contains(&share(&tally)), "{}", share(&tally));
}

#[test]
fn with_frames_cut_at_every_byte_every_message_arrives() {
    for piece in [1, 2, 3, 7] {
        delivered::<1500>(0, piece, 0);
    }
}

/// Returns the share of damaged frames among those that were counted.
fn share(tally: &Tally) -> f64 {
    let (damaged, frames) = (tally.damaged.get(), tally.frames.get());
    println!("{damaged} of {frames} frames damaged");
    f64::from(damaged) / f64::from(frames)
}

/// Plays a session and checks that every message of both sides arrived once and in order. One byte in `one_in` is damaged, a read
/// of the UART takes at most `piece` bytes, and frames of `least` bytes and more are counted.
///
/// The modem's end speaks first: its first request came in one read with the answer to the dial.
fn delivered<const MTU: usize>(one_in: u32, piece: usize, least: usize) -> Tally {
    let tally = Tally {
        least,
        ..Tally::default()
    };
    let (root, config) = identity::server(KeyPair::generate().unwrap());
    let broker = RefCell::new(Broker::new(
        PASSWORD,
        (0..MESSAGES)
            .map(|number| message("down", number))
            .collect(),
    ));
    block_on_virtual(async {
        let mut peer = PppPeer::new(PppScript::default());
        peer.restart(15, 0);
        let mut behind = b" 150000000\r\n".to_vec();
        while let Some((protocol, content)) = peer.next_out() {
            behind.extend(framed(protocol, &content));
        }
        let (host, line) = tokio::io::duplex(2048);
        let (rx, tx) = tokio::io::split(host);
        let rx = Pieces {
            inner: FromTokio::new(rx),
            most: piece,
        };
        let rx = Noise::new(rx, one_in, 1, &tally);
        let tx = Noise::new(FromTokio::new(tx), one_in, 2, &tally);
        let far = far_end::<MTU>(line, peer, config, &broker);
        let near = near_end(rx, tx, &behind, root, &broker);
        match select(far, near).await {
            Either::First(never) => match never {},
            Either::Second(()) => {}
        }
    });
    let broker = broker.into_inner();
    let sent: Vec<_> = (0..MESSAGES).map(|number| message("up", number)).collect();
    assert!(broker.published == sent, "{}", broker.published.len());
    assert_eq!(broker.acknowledged, MESSAGES);
    tally
}

/// A message that differs from every other.
fn message(way: &str, number: usize) -> Vec<u8> {
    let mut text = format!("{way} {number:03} ").into_bytes();
    let mut seed = number as u32;
    text.resize_with(LENGTH, || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    });
    text
}

/// The device: a link, TLS, and a client that publishes and subscribes.
async fn near_end(
    rx: impl Read,
    tx: impl Write,
    behind: &[u8],
    root: &'static [u8],
    broker: &RefCell<Broker>,
) {
    let mut state = net::State::<4, 4>::new();
    let (device, mut link) = net::new(&mut state);
    let mut resources = StackResources::<6>::new();
    let config = embassy_net::Config::default();
    let (stack, mut stack_runner) = embassy_net::new(device, config, &mut resources, 7);
    let roots: &'static [&'static [u8]] = Box::leak(Box::new([root]));
    let credentials = [Credentials {
        tag: Tag(7),
        roots,
        certificate: None,
    }];
    let now = || {
        Some(Time {
            now: DateTime::new(2026, 12, 1, 0, 0, 0)?,
            source: TimeSource::Host,
        })
    };
    let mut state = tls::State::<1024, 1024>::new();
    let mut buffers = Box::new(Buffers::<16_640, 2048>::new());
    let (sockets, mut runner) = tls::new(
        &mut state,
        &mut buffers,
        stack,
        &credentials,
        now,
        NoKey,
        OsRng,
    );
    let (is_done, done) = (Cell::new(false), Signal::<NoopRawMutex, ()>::new());
    let application = async {
        exchange(sockets, broker).await;
        is_done.set(true);
        done.signal(());
        core::future::pending::<Infallible>().await
    };
    let link = link.run(rx, tx, behind, Login::NONE, stack, done.wait());
    let ended = select4(
        link,
        stack_runner.run(),
        with_own_waker(runner.run()),
        with_own_waker(application),
    );
    match ended.await {
        // The last frames may be damaged like any other, so that it does not matter in what order the link ended.
        Either4::First(ended) => assert!(is_done.get(), "{ended}"),
        Either4::Second(never) => never,
        Either4::Third(never) => never,
        Either4::Fourth(never) => match never {},
    }
}

/// Publishes and receives every message, then takes leave of the broker.
async fn exchange(sockets: Sockets<'_>, broker: &RefCell<Broker>) {
    let socket = sockets.connect(NAME, PORT, &TLS).await.unwrap();
    let (mut rx, mut tx) = (vec![0; 2 * LENGTH], vec![0; 2 * LENGTH]);
    let config = ConfigBuilder::new(minimq::Buffers::new(&mut rx, &mut tx))
        .client_id("device-1")
        .unwrap()
        .auth("unused", PASSWORD.as_bytes())
        .unwrap();
    let mut session = Session::new(config);
    let mut mqtt = session.connect(socket).await.unwrap();
    let options = SubscriptionOptions::default().maximum_qos(QoS::AtLeastOnce);
    let filter = [TopicFilter::new("down").options(options)];
    mqtt.subscribe(&filter, &[]).await.unwrap();
    let mut received = 0;
    for number in 0..MESSAGES {
        let text = message("up", number);
        let publication = Publication::bytes("up", &text).qos(QoS::AtLeastOnce);
        let sent = mqtt.publish(publication).await.unwrap();
        while sent.as_ref().is_some_and(|op| mqtt.is_pending(op)) {
            if let Some(came) = mqtt.poll().await.unwrap() {
                assert!(came.payload() == message("down", received), "{received}");
                received += 1;
            }
        }
    }
    while received < MESSAGES {
        if let Some(came) = mqtt.poll().await.unwrap() {
            assert!(came.payload() == message("down", received), "{received}");
            received += 1;
        }
    }
    mqtt.disconnect().await.unwrap();
    // The last acknowledgement may be damaged like any other, and a socket that is dropped does not send it again.
    let heard = async {
        while broker.borrow().acknowledged < MESSAGES {
            Timer::after_secs(1).await;
        }
    };
    // The check behind the session says what is missing.
    let _ = with_timeout(PATIENCE, heard).await;
}

/// The far end: the scripted peer, and behind it a stack with a name server and a broker.
async fn far_end<const MTU: usize>(
    line: DuplexStream,
    peer: PppPeer,
    config: Arc<ServerConfig>,
    broker: &RefCell<Broker>,
) -> Infallible {
    let mut state = channel::State::<MTU, 4, 4>::new();
    let (channel, device) = channel::new(&mut state, HardwareAddress::Ip);
    let mut resources = StackResources::<6>::new();
    let address = embassy_net::Config::default();
    let (stack, mut stack_runner) = embassy_net::new(device, address, &mut resources, 11);
    stack.set_config_v4(ConfigV4::Static(StaticConfigV4 {
        address: Ipv4Cidr::new(SERVER, 0),
        gateway: None,
        dns_servers: Default::default(),
    }));
    let services = with_own_waker(join(names(stack), brokers(stack, config, broker)));
    let carried = carry(line, peer, channel);
    match select3(carried, stack_runner.run(), services).await {
        Either3::First(never) => match never {},
        Either3::Second(never) => never,
        Either3::Third((never, _)) => match never {},
    }
}

/// Carries frames between the line, the scripted peer and the stack behind it, each direction on its own.
async fn carry<const MTU: usize>(
    line: DuplexStream,
    peer: PppPeer,
    channel: channel::Runner<'_, MTU>,
) -> Infallible {
    let (state, mut to_stack, mut from_stack) = channel.split();
    state.set_link_state(LinkState::Up);
    let (mut rx, mut tx) = tokio::io::split(line);
    let peer = RefCell::new(peer);
    let work = Signal::<NoopRawMutex, ()>::new();
    let now = || Instant::now().as_millis() as u32;
    let up = async {
        let mut frames = Box::new(Deframer::<1600>::new());
        let mut bytes = [0; 512];
        loop {
            let count = rx.read(&mut bytes).await.unwrap();
            let mut rest = &bytes[..count];
            while !rest.is_empty() {
                let (taken, found) = frames.feed(rest);
                rest = &rest[taken..];
                let Some(Deframed::Frame(frame)) = found else {
                    continue;
                };
                let (protocol, content) = wire::taken_apart(frame);
                if protocol != IPV4 {
                    peer.borrow_mut().hear(protocol, content, now());
                    work.signal(());
                } else if content.len() <= MTU {
                    let room = to_stack.rx_buf().await;
                    room[..content.len()].copy_from_slice(content);
                    to_stack.rx_done(content.len());
                }
            }
        }
    };
    let down = async {
        let mut sent = Sent::default();
        loop {
            peer.borrow_mut().tick(now());
            loop {
                let said = peer.borrow_mut().next_out();
                let Some((protocol, content)) = said else {
                    break;
                };
                tx.write_all(&framed(protocol, &content)).await.unwrap();
            }
            let timer = Timer::after(Duration::from_millis(50));
            if let Either3::Second(packet) = select3(work.wait(), from_stack.tx_buf(), timer).await
            {
                sent.correct(packet);
                let frame = framed(IPV4, packet);
                tx.write_all(&frame).await.unwrap();
                from_stack.tx_done();
            }
        }
    };
    let (never, _): (Infallible, Infallible) = join(up, down).await;
    never
}

/// The end of what the far end has sent in its TCP connection, by which its acknowledgements are corrected.
///
/// smoltcp 0.13 acknowledges with the number of the byte that it sends again next, and not with that of the next new one (RFC 9293,
/// 3.10.7.4). Two such stacks whose acknowledgements were both lost drop each other's as too old, until the connection is given up.
#[derive(Default)]
struct Sent(u32);

impl Sent {
    fn correct(&mut self, packet: &mut [u8]) {
        const TCP: u8 = 6;
        const FLAGS: usize = 13;
        const CHECKSUM: usize = 16;
        let (header, protocol) = (usize::from(packet[0] & 0xF) * 4, packet[9]);
        if protocol != TCP {
            return;
        }
        let tcp = &mut packet[header..];
        let number = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
        let content = tcp.len() - usize::from(tcp[12] >> 4) * 4;
        let (fin, syn) = (tcp[FLAGS] & 1, tcp[FLAGS] >> 1 & 1);
        let end = number.wrapping_add(content as u32 + u32::from(fin + syn));
        if syn == 1 || end.wrapping_sub(self.0) as i32 > 0 {
            self.0 = end;
        }
        let is_acknowledgement = end == number && tcp[FLAGS] == 0x10;
        if !is_acknowledgement || number == self.0 {
            return;
        }
        tcp[4..8].copy_from_slice(&self.0.to_be_bytes());
        // RFC 1624, equation 3.
        let halves = |number: u32| (number >> 16) + (number & 0xFFFF);
        let old = u16::from_be_bytes([tcp[CHECKSUM], tcp[CHECKSUM + 1]]);
        let mut sum = u32::from(!old) + halves(!number) + halves(self.0);
        while sum > 0xFFFF {
            sum = halves(sum);
        }
        tcp[CHECKSUM..CHECKSUM + 2].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    }
}

/// Returns a frame as the peer sends it once the client's empty map of control characters was agreed on.
fn framed(protocol: u16, content: &[u8]) -> Vec<u8> {
    let wire = if protocol == LCP {
        Wire::DEFAULT
    } else {
        Wire::PLAIN
    };
    wire::framed(wire, protocol, content)
}

/// Answers every query of a name with the address of this stack (RFC 1035, 4).
async fn names(stack: Stack<'_>) -> Infallible {
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 4]);
    let (mut rx, mut tx) = ([0; 1024], [0; 1024]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    socket.bind(53).unwrap();
    let mut query = [0; 512];
    loop {
        let (count, from) = socket.recv_from(&mut query).await.unwrap();
        let mut answer = query[..2].to_vec();
        answer.extend(b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00");
        answer.extend(&query[12..count]);
        answer.extend(b"\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x04");
        answer.extend(SERVER.octets());
        socket.send_to(&answer, from).await.unwrap();
    }
}

/// Serves one connection after another by rustls.
async fn brokers(
    stack: Stack<'_>,
    config: Arc<ServerConfig>,
    broker: &RefCell<Broker>,
) -> Infallible {
    let (mut rx, mut tx) = (vec![0; 8192], vec![0; 8192]);
    loop {
        let mut socket = TcpSocket::new(stack, &mut rx, &mut tx);
        socket.accept(PORT).await.unwrap();
        let mut tls = ServerConnection::new(config.clone()).unwrap();
        let mut bytes = [0; 2048];
        while let Ok(count @ 1..) = socket.read(&mut bytes).await {
            let mut rest = &bytes[..count];
            while !rest.is_empty() {
                tls.read_tls(&mut rest).unwrap();
                tls.process_new_packets().unwrap();
            }
            let mut plain = Vec::new();
            // There is no more for now: that is an error of its kind.
            let _ = tls.reader().read_to_end(&mut plain);
            if !plain.is_empty() {
                assert_eq!(tls.server_name(), Some(NAME.as_str()), "SNI");
            }
            let answer = broker.borrow_mut().hear(&plain);
            tls.writer().write_all(&answer).unwrap();
            let mut out = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut out).unwrap();
            }
            if socket.write_all(&out).await.is_err() || socket.flush().await.is_err() {
                break;
            }
        }
        // What is left of the connection has to go before the next.
        socket.abort();
        let _ = socket.flush().await;
    }
}

/// A UART that hands over at most so many bytes at a time.
struct Pieces<T> {
    inner: T,
    most: usize,
}

impl<T: ErrorType> ErrorType for Pieces<T> {
    type Error = T::Error;
}

impl<T: Read> Read for Pieces<T> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, T::Error> {
        let most = buf.len().min(self.most);
        self.inner.read(&mut buf[..most]).await
    }
}
