//! The whole driver of TI's network processors, over the AT application and natively in both generations, beside the simulated chip,
//! on a UART that loses, doubles, alters and invents bytes in either direction: nothing panics or hangs, the chip counts no security
//! alert, what was stored and read is what was sent unless the UART failed meanwhile, and after the last fault the driver comes
//! back by itself.
//!
//! Input: the way in the first byte; then three bytes an order: what, how many bytes further, and with what. Orders to the
//! application are carried out one after the other, those to the UART at their byte.
#![no_main]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::pending;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use embassy_futures::join::join;
use embassy_futures::select::{Either, Either4, select, select4};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use libfuzzer_sys::fuzz_target;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sectag::clock::DateTime;
use sectag::modem::{Credentials, Full, HasClock};
use sectag::wifi::WifiConfig;
use sectag::{CaScope, Control, Kind, NoPin, Pins, ServerName, Socket, State, Tag, TlsConfig};
use sectag_cc3200::{at, nwp};
// The driver of virtual time is in there.
use sectag_fuzz as _;
use sectag_simulator::time::VirtualClock;
use sectag_simulator::{
    AtVersion, Cc32xxOptions, Failure, MemoryNetwork, NwpGeneration, NwpOptions, Simulator,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

const CA: &str = include_str!("../fixtures/ca.pem");
const HOST: ServerName<'static> = match ServerName::new("broker.example") {
    Ok(name) => name,
    Err(_) => panic!("not a name"),
};
const PORT: u16 = 8883;
const TAG: Tag = Tag(7);
const WIFI: WifiConfig = match WifiConfig::wpa2("lab", "S3cretKey") {
    Ok(wifi) => wifi,
    Err(_) => panic!("no network"),
};
/// Nothing that the application does takes longer.
const LIMIT: Duration = Duration::from_secs(1500);
/// After the last fault: time limits of commands that hang, a restart, the network, an upload, a handshake.
const COMES_BACK: Duration = Duration::from_secs(1500);

/// What a chip says now and then, and what belongs to nothing.
const INVENTED: [&[u8]; 16] = [
    b"\n\r+eventwlan:disconnect,lab,0x1:0x2:0x3:0x4:0x5:0x6,3\n\r",
    b"\r\n+eventnetapp:ipv4_lost,0\r\n",
    b"\n\r+eventsock:tx_failed,0,-1\n\r",
    b"\n\r+eventsock:async_event,0,wrong_root_ca,0\n\r",
    b"\n\r+eventfatalerror:device_abort,1,2\n\r",
    b"\n\rEnter AT Command:\n\r",
    b"\n\rOK\n\r",
    b"\n\rERROR: process command,-11\n\r",
    b"+connect:8883,198.51.100.0\n\rOK\n\r",
    b"\xba\xdc\xcd\xab\x63\x00\x08\x00\x0f\x01\xb8\x05\x00\x00\x00\x00",
    b"\xba\xdc\xcd\xab\x63\x00\x04\x00\x0a\x01\x00\x00",
    b"\xba\xdc\xcd\xab\x0e\x10\x0c\x00\x0f\x01\xb8\x05\x00\x00\x00\x00\xff\xff\x00\x00",
    b"\xba\xdc\xcd\xab\x06\x10\x0c\x00\x0f\x01\xb8\x05\x00\x00\x00\x00\x00\x00\x00\x00",
    b"\xba\xdc\xcd\xab\x0a\x10\xff\xff\x0f\x01\xb8\x05\x00\x00\x00\x00",
    b"\xba\xdc\xcd\xab\x0c\x00\x08\x00\x03\x00\x00\x00\x07\x00\x00\x00",
    b"\xba\xdc\xcd\xab",
];

static SERVER: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../fixtures/server.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../fixtures/server.key"));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.expect("a certificate")],
            key.expect("a key"),
        )
        .expect("the key is the certificate's");
    Arc::new(config)
});

fuzz_target!(|input: &[u8]| {
    VirtualClock::new()
        .poll_limit(1_000_000)
        .time_limit(Duration::from_secs(20 * 3600))
        .run(LocalSet::new().run_until(run(input)));
});

async fn run(input: &[u8]) {
    let Some((&way, orders)) = input.split_first() else {
        return;
    };
    let network = MemoryNetwork::new();
    network.register(HOST.as_str(), PORT, |stream| {
        tokio::task::spawn_local(echo(stream));
    });
    let network = Rc::new(network);
    let native = |generation| {
        let options = NwpOptions {
            generation,
            ..NwpOptions::default()
        };
        Simulator::nwp(options, network.clone())
    };
    let application = |version| {
        let options = Cc32xxOptions {
            version,
            ..Cc32xxOptions::default()
        };
        Simulator::cc32xx(options, network.clone())
    };
    let config = nwp::Config::new(WIFI);
    match way % 5 {
        0 => {
            let modem = native(NwpGeneration::Second);
            play(orders, modem, nwp::Nwp::<nwp::G2>::new(config), true).await;
        }
        // Its TLS is not there: no connection comes to stand.
        1 => {
            let modem = native(NwpGeneration::First);
            play(orders, modem, nwp::Nwp::<nwp::G1>::new(config), false).await;
        }
        version => {
            let versions = [AtVersion::First, AtVersion::Second, AtVersion::Port];
            let modem = application(versions[usize::from(version - 2)]);
            let driver = at::Cc32xx::new(at::Config::new(WIFI));
            play(orders, modem, driver, true).await;
        }
    }
}

async fn echo(stream: DuplexStream) {
    let Ok(mut stream) = TlsAcceptor::from(SERVER.clone()).accept(stream).await else {
        return;
    };
    let mut buf = [0; 2048];
    loop {
        match stream.read(&mut buf).await {
            Ok(count @ 1..) => {
                if stream.write_all(&buf[..count]).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}

/// A fault of the UART.
#[derive(Clone, Copy)]
struct Fault {
    what: u8,
    gap: usize,
    with: u8,
}

/// What both sides of the UART share.
struct Noise {
    to_host: RefCell<VecDeque<Fault>>,
    to_chip: RefCell<VecDeque<Fault>>,
    /// Faults so far.
    faults: Cell<usize>,
    over: Cell<bool>,
}

/// Moves bytes, and does to them what the faults say.
async fn carry(
    noise: &Noise,
    faults: &RefCell<VecDeque<Fault>>,
    mut from: ReadHalf<DuplexStream>,
    mut to: WriteHalf<DuplexStream>,
) {
    let mut passed = 0;
    let mut buf = [0; 256];
    loop {
        let Ok(count @ 1..) = from.read(&mut buf).await else {
            return pending().await;
        };
        let mut bytes = Vec::new();
        for &byte in &buf[..count] {
            passed += 1;
            let mut faults = faults.borrow_mut();
            let due = !noise.over.get() && faults.front().is_some_and(|fault| fault.gap < passed);
            let Some(fault) = due.then(|| faults.pop_front()).flatten() else {
                bytes.push(byte);
                continue;
            };
            passed = 0;
            noise.faults.set(noise.faults.get() + 1);
            match fault.what {
                0 => {}
                1 => bytes.extend([byte, byte]),
                2 => bytes.push(byte ^ fault.with),
                3 => bytes.extend([fault.with, byte]),
                _ => {
                    bytes.extend(INVENTED[usize::from(fault.with) % INVENTED.len()]);
                    bytes.push(byte);
                }
            }
        }
        if to.write_all(&bytes).await.is_err() {
            return pending().await;
        }
    }
}

/// What the application is to do.
#[derive(Clone, Copy)]
enum Do {
    Store,
    Connect(bool),
    Exchange(usize),
    Wait(u8),
    Fail(Failure),
    LoseNetwork,
    Remove,
    List,
}

async fn play<M: Full + Credentials + HasClock>(
    orders: &[u8],
    modem: Simulator,
    driver: M,
    connects: bool,
) {
    let noise = Noise {
        to_host: RefCell::default(),
        to_chip: RefCell::default(),
        faults: Cell::new(0),
        over: Cell::new(false),
    };
    let mut jobs = Vec::new();
    for order in orders.chunks_exact(3).take(60) {
        let &[what, gap, with] = order else { continue };
        let fault = Fault {
            what: what & 7,
            gap: usize::from(gap) * 4,
            with,
        };
        match what >> 3 & 15 {
            0..=3 => noise.to_host.borrow_mut().push_back(fault),
            4 | 5 => noise.to_chip.borrow_mut().push_back(fault),
            6 => jobs.push(Do::Store),
            7 | 8 => jobs.push(Do::Connect(with & 1 == 0)),
            9 | 10 => jobs.push(Do::Exchange(usize::from(gap) * 8 + 1)),
            11 => jobs.push(Do::Wait(gap)),
            12 => jobs.push(Do::Fail(Failure::Reset)),
            13 => jobs.push(if with & 1 == 0 {
                Do::Fail(Failure::Hang)
            } else {
                Do::Fail(Failure::BrownOut)
            }),
            14 => jobs.push(Do::LoseNetwork),
            _ => jobs.push(if with & 1 == 0 { Do::Remove } else { Do::List }),
        }
    }
    let mut state = Box::new(State::<M, 2, 1024, 256>::new());
    let (host, near) = tokio::io::duplex(4096);
    let (far, device) = tokio::io::duplex(4096);
    let (rx, tx) = tokio::io::split(host);
    let pins = Pins::<NoPin, NoPin>::new()
        .with_reset(modem.reset_line())
        .active_low();
    let (control, mut runner) = sectag::new(
        &mut state,
        driver,
        FromTokio::new(rx),
        FromTokio::new(tx),
        pins,
    );
    let (near_rx, near_tx) = tokio::io::split(near);
    let (far_rx, far_tx) = tokio::io::split(far);
    let line = join(
        carry(&noise, &noise.to_chip, near_rx, far_tx),
        carry(&noise, &noise.to_host, far_rx, near_tx),
    );
    let mut app = App {
        control,
        modem: &modem,
        noise: &noise,
        connects,
        socket: None,
        stands_since: 0,
    };
    let work = async {
        for job in jobs {
            let done = with_timeout(LIMIT, app.does(job)).await;
            assert!(done.is_ok(), "it hangs");
        }
        noise.over.set(true);
        app.comes_back().await;
    };
    match select4(modem.serve(device), line, runner.run(), work).await {
        Either4::Fourth(()) => {}
        Either4::First(end) => panic!("the chip is not served: {end:?}"),
        Either4::Second(_) => unreachable!("the UART is for ever"),
        Either4::Third(error) => panic!("the runner ended: {error}"),
    }
    assert_eq!(modem.security_alerts(), 0);
}

struct App<'a, M: Full> {
    control: Control<'a, M>,
    modem: &'a Simulator,
    noise: &'a Noise,
    connects: bool,
    socket: Option<Socket<'a>>,
    /// The faults before its connect.
    stands_since: usize,
}

fn date() -> DateTime {
    DateTime::new(2030, 1, 2, 3, 4, 5).expect("a date")
}

fn tls() -> TlsConfig {
    TlsConfig::new(TAG).ca_scope(CaScope::Private)
}

impl<M: Full + Credentials + HasClock> App<'_, M> {
    async fn does(&mut self, job: Do) {
        match job {
            Do::Store => {
                self.store().await;
            }
            Do::Connect(drops_before) => {
                if drops_before {
                    self.socket = None;
                }
                if self.socket.is_none() {
                    self.stands_since = self.noise.faults.get();
                    self.socket = self.control.connect(HOST, PORT, &tls()).await.ok();
                }
            }
            Do::Exchange(count) => self.exchange(count).await,
            Do::Wait(seconds) => Timer::after_secs(seconds.into()).await,
            Do::Fail(failure) => {
                self.noise.faults.set(self.noise.faults.get() + 1);
                self.modem.fail(failure);
            }
            Do::LoseNetwork => {
                self.noise.faults.set(self.noise.faults.get() + 1);
                self.modem.drop_pdp(0);
            }
            Do::Remove => {
                let _ = self.control.remove(TAG, Kind::Ca).await;
            }
            Do::List => {
                let _ = self.control.list_tag(TAG, &mut |_| {}).await;
            }
        }
    }

    /// Whether both the CA and the date are in the chip.
    async fn store(&mut self) -> bool {
        let before = self.noise.faults.get();
        let stored = self.control.ensure(TAG, Kind::Ca, CA.as_bytes()).await;
        if stored.is_ok() && self.noise.faults.get() == before {
            let files = self.modem.files();
            let ca = CertificateDer::from_pem_slice(CA.as_bytes()).expect("a certificate");
            let kept = files.get("/cert/7_ca.der").map(Vec::as_slice);
            assert_eq!(kept, Some(&*ca), "it is not what was stored");
        }
        stored.is_ok() && self.control.set_clock(date()).await.is_ok()
    }

    async fn exchange(&mut self, count: usize) {
        let Some(socket) = &mut self.socket else {
            return;
        };
        let bytes: Vec<u8> = (0..count).map(|at| (at * 7 >> 3) as u8).collect();
        let (mut rx, mut tx) = socket.split();
        let mut back = Vec::new();
        let write = async {
            let written = tx.write_all(&bytes).await.is_ok() && tx.flush().await.is_ok();
            if written {
                // What the UART has lost never comes back.
                Timer::after_secs(300).await;
            }
        };
        let read = async {
            let mut buf = [0; 100];
            while back.len() < count {
                match rx.read(&mut buf).await {
                    Ok(read @ 1..) => back.extend(&buf[..read]),
                    _ => return,
                }
            }
        };
        let whole = matches!(select(read, write).await, Either::First(()));
        let clean = self.noise.faults.get() == self.stands_since;
        if clean {
            assert!(bytes.starts_with(&back), "not what was written came back");
            assert!(
                whole && back.len() == count,
                "a connection that had no fault was lost"
            );
        } else if back.len() < count {
            self.socket = None;
        }
    }

    /// Without faults it comes back by itself.
    async fn comes_back(&mut self) {
        self.socket = None;
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < COMES_BACK, "it does not come back");
            let work = async {
                if !self.store().await {
                    return false;
                }
                if !self.connects {
                    return true;
                }
                self.stands_since = self.noise.faults.get();
                self.socket = self.control.connect(HOST, PORT, &tls()).await.ok();
                self.socket.is_some()
            };
            match with_timeout(LIMIT, work).await {
                Ok(true) => break,
                Ok(false) => Timer::after_secs(1).await,
                Err(_) => panic!("it hangs"),
            }
        }
        self.exchange(600).await;
    }
}
