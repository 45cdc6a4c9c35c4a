//! `sectag demo`: the whole way from a modem that is off to a message through a broker with mutual TLS, on this
//! computer alone. What it prints was measured, and nothing is printed before it happened.

use std::rc::Rc;
use std::time::{Duration, Instant};

use embassy_futures::select::{Either, select};
use embassy_time::with_timeout;
use embedded_io_adapters::tokio_1::FromTokio;
use minimq::QoS;
use sectag::clock::{DateTime, MIN_DATE};
use sectag::modem::Modem;
use sectag::{
    CaScope, Control, Counters, CredentialStore, Kind, Power, ServerName, Sockets, State, Tag,
    TlsConfig,
};
use sectag_bg96::{Bg96, Config};
use sectag_simulator::{Boot, LoopbackNetwork, Options, Simulator};
use sectag_test_support::broker::Broker;
use sectag_test_support::pki::Pki;

use crate::args::{Demo, ModemName};
use crate::hints::{self, Failure, Target};
use crate::json::Object;
use crate::mqtt::{self, Login, Memory};
use crate::report::{Report, Step};
use crate::session::beside;
use crate::tls;

const HOST: &str = "broker.sectag.test";
const PORT: u16 = 8883;
const TAG: Tag = Tag(1);
const TOPIC: &str = "sectag/demo";
const MESSAGE: &[u8] = b"hello from inside the modem";
const BAUD: u32 = 115_200;
const TURNAROUND_MS: u64 = 20;
const RING: usize = 1024;
const LIMIT_SECS: u64 = 60;

/// As on a small MCU: one socket with 1 KiB rings.
type DemoState = State<Bg96, 1, RING, RING>;

pub(crate) async fn run(args: &Demo, report: &Report) -> Result<(), Failure> {
    if args.modem != ModemName::Bg96 {
        return Err(Failure::not_implemented(args.modem));
    }
    let limit = embassy_time::Duration::from_secs(LIMIT_SECS);
    match with_timeout(limit, show(report)).await {
        Ok(result) => result,
        Err(_) => Err(
            Failure::new(format!("the demo did not end within {LIMIT_SECS} s"))
                .hint("this computer may be too busy; sectag demo -v shows every exchange"),
        ),
    }
}

async fn show(report: &Report) -> Result<(), Failure> {
    let begin = Instant::now();
    let mut steps = Steps::new(report)?;

    let step = steps.begin("making a CA, a server and a client certificate");
    let pki = tokio::task::spawn_blocking(|| {
        let pki = Pki::new();
        // Their keys are made when first asked for, which would count as the broker's time.
        let _ = (pki.server(), pki.client());
        pki
    })
    .await
    .map_err(|error| Failure::new(format!("making certificates: {error}")))?;
    steps.done(
        step,
        "make a throw-away PKI",
        None,
        "CA, server, client: RSA 2048",
    )?;

    let step = steps.begin("starting the broker");
    let broker = Broker::start(&pki)
        .map_err(|error| Failure::new(format!("starting the broker: {error:#}")))?;
    let port = broker.tls_port();
    let detail = format!("MQTT 5 on 127.0.0.1:{port}, demands client certificates");
    steps.done(step, "start a broker", None, &detail)?;

    let modem = simulator(port)?;
    let (host_end, modem_end) = tokio::io::duplex(256);
    let (reader, writer) = tokio::io::split(host_end);
    let mut state = Box::new(DemoState::new(Bg96::new(Config::new())));
    let (control, sockets, runner) = sectag::new(
        &mut state,
        FromTokio::new(reader),
        FromTokio::new(writer),
        PowerKey(modem.clone()),
    );
    let work = beside(runner, scenario(control, sockets, &pki, &mut steps));
    match select(modem.serve(modem_end), work).await {
        Either::First(end) => {
            return Err(Failure::new(format!("the simulated modem ended: {end:?}")));
        }
        Either::Second(result) => result?,
    }
    summary(begin.elapsed(), control.counters(), report)
}

/// A modem that is off and has never known the time, on a line as slow as a real one.
fn simulator(broker_port: u16) -> Result<Simulator, Failure> {
    let mut network = LoopbackNetwork::new();
    network
        .map(HOST, PORT, ([127, 0, 0, 1], broker_port).into())
        .map_err(|error| Failure::new(error.to_string()))?;
    let options = Options {
        baud: Some(BAUD),
        turnaround: embassy_time::Duration::from_millis(TURNAROUND_MS),
        boot: Boot::Off,
        clock: None,
        ..Options::default()
    };
    Ok(Simulator::bg96(options, Rc::new(network)))
}

async fn scenario<M: Modem>(
    control: Control<'_, M>,
    sockets: Sockets<'_, M>,
    pki: &Pki,
    steps: &mut Steps<'_>,
) -> Result<(), Failure> {
    let counters = || Some(control.counters());

    let step = steps.begin("powering up");
    control
        .wait_up()
        .await
        .map_err(|error| hints::bring_up(&error, BAUD))?;
    steps.done(
        step,
        "power up and register",
        counters(),
        &format!(
            "simulated {}, {BAUD} baud, {TURNAROUND_MS} ms turnaround",
            M::NAME
        ),
    )?;

    let step = steps.begin("reading the clock");
    let now = control
        .clock()
        .await
        .map_err(|error| hints::at("the modem's clock", &error))?;
    steps.done(step, "clock", counters(), &describe_clock(now))?;

    for (kind, pem) in [
        (Kind::Ca, pki.ca_pem()),
        (Kind::ClientCertificate, pki.client().cert_pem.clone()),
        (Kind::PrivateKey, pki.client().key_pem.clone()),
    ] {
        let step = steps.begin(&format!("storing the {kind}"));
        control
            .store(TAG, kind, pem.as_bytes())
            .await
            .map_err(|error| hints::credential(&format!("storing the {kind}"), &error))?;
        let detail = format!("{} bytes under tag {TAG}, checksum confirmed", pem.len());
        steps.done(step, &format!("store the {kind}"), counters(), &detail)?;
    }

    let config = TlsConfig::new(TAG)
        .client_certificate()
        .ca_scope(CaScope::Private);
    let target = Target {
        host: HOST,
        port: PORT,
        tag: TAG,
        mutual: true,
        modem: None,
    };
    let step = steps.begin("connecting");
    let name = ServerName::new(HOST).map_err(|error| Failure::new(error.to_string()))?;
    let socket = sockets
        .connect(name, PORT, &config)
        .await
        .map_err(|error| hints::connect(&error, &target))?;
    let verified = tls::describe(socket.verified());
    steps.done(step, "connect with mutual TLS", counters(), &verified)?;

    mqtt_part(control, socket, steps).await
}

async fn mqtt_part<M: Modem>(
    control: Control<'_, M>,
    socket: sectag::Socket<'_>,
    steps: &mut Steps<'_>,
) -> Result<(), Failure> {
    let counters = || Some(control.counters());
    let login = Login {
        client_id: "sectag-demo".into(),
        user: None,
    };
    let mut memory = Memory::new();
    let mut session = memory.session(&login)?;

    let step = steps.begin("logging in");
    let mut client = mqtt::connect(&mut session, socket).await?;
    let detail = format!("the broker accepted client {}", login.client_id);
    steps.done(step, "MQTT CONNECT", counters(), &detail)?;

    let step = steps.begin("subscribing");
    mqtt::subscribe(&mut client, TOPIC, |_| Ok(())).await?;
    steps.done(step, "subscribe", counters(), TOPIC)?;

    // The broker may send the message back before it acknowledges the publish.
    let mut early = None;
    let step = steps.begin("publishing");
    mqtt::publish(&mut client, TOPIC, MESSAGE, QoS::AtLeastOnce, |message| {
        early = Some(message.payload().to_vec());
        Ok(())
    })
    .await?;
    let detail = format!("{} bytes at QoS 1, acknowledged", MESSAGE.len());
    steps.done(step, "publish", counters(), &detail)?;

    let step = steps.begin("receiving");
    let came_early = early.is_some();
    let exchanges = control.counters().exchanges;
    let received = match early {
        Some(payload) => payload,
        None => mqtt::receive(&mut client).await?.payload().to_vec(),
    };
    if received != MESSAGE {
        return Err(Failure::new(format!(
            "another message came back: {}",
            received.escape_ascii()
        )));
    }
    let how = if came_early {
        ": came before the acknowledgement"
    } else if control.counters().exchanges == exchanges {
        ": had come together with the acknowledgement"
    } else {
        ""
    };
    let detail = format!("\"{}\"{how}", received.escape_ascii());
    steps.done(step, "receive the own message", counters(), &detail)?;

    let step = steps.begin("closing");
    mqtt::close(client).await?;
    steps.done(step, "close", counters(), "confirmed by the modem")
}

fn describe_clock(now: Option<DateTime>) -> String {
    match now {
        Some(now) if now >= MIN_DATE => {
            format!("{now}: it was not set, the driver took it from the network at bring-up")
        }
        Some(now) => format!("{now}: not set"),
        None => "not set".into(),
    }
}

/// The power key and status pin of the simulated modem.
struct PowerKey(Simulator);

impl Power for PowerKey {
    fn has_power_key(&self) -> bool {
        true
    }
    fn has_reset(&self) -> bool {
        false
    }
    fn power_key(&mut self, pressed: bool) {
        self.0.power_key(pressed);
    }
    fn reset(&mut self, _asserted: bool) {}
    fn status(&mut self) -> Option<bool> {
        Some(self.0.status_pin())
    }
}

/// One line per step, with what it cost on the wire.
struct Steps<'r> {
    report: &'r Report,
    before: Counters,
}

impl<'r> Steps<'r> {
    fn new(report: &'r Report) -> Result<Self, Failure> {
        if !report.json() {
            let head = line("step", "time", ["exch", "out", "in"], "");
            report.output(head.trim_end().as_bytes())?;
        }
        Ok(Self {
            report,
            before: Counters::default(),
        })
    }

    fn begin(&self, doing: &str) -> Step {
        self.report.spin(doing)
    }

    /// `now` is absent for a step that the modem has no part in.
    fn done(
        &mut self,
        step: Step,
        name: &str,
        now: Option<Counters>,
        detail: &str,
    ) -> Result<(), Failure> {
        let took = step.elapsed();
        // Takes the bar away before the line is printed.
        drop(step);
        let cost = now.map(|now| {
            let before = std::mem::replace(&mut self.before, now);
            [
                now.exchanges.wrapping_sub(before.exchanges),
                now.sent.wrapping_sub(before.sent),
                now.received.wrapping_sub(before.received),
            ]
        });
        let shown = match cost {
            Some(cost) => cost.map(|count| count.to_string()),
            None => ["-"; 3].map(String::from),
        };
        let [exchanges, sent, received] = &shown;
        let text = line(name, &seconds(took), [exchanges, sent, received], detail);
        self.report.result(&text, |object| {
            let object = object
                .text("step", name)
                .number("ms", took.as_millis() as u64);
            match cost {
                Some([exchanges, sent, received]) => wire(object, exchanges, sent, received),
                None => object,
            }
            .text("detail", detail)
        })
    }
}

fn line(name: &str, time: &str, [exchanges, sent, received]: [&str; 3], detail: &str) -> String {
    format!("{name:<28}{time:>8}{exchanges:>6}{sent:>7}{received:>7}  {detail}")
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn wire(object: Object, exchanges: u32, sent: u32, received: u32) -> Object {
    object
        .number("exchanges", exchanges.into())
        .number("bytes_out", sent.into())
        .number("bytes_in", received.into())
}

fn summary(took: Duration, total: Counters, report: &Report) -> Result<(), Failure> {
    let state = size_of::<DemoState>();
    let (exchanges, sent, received) = (total.exchanges, total.sent, total.received);
    let text = format!(
        "{}\n\
         sectag's memory: {state} bytes for one socket, of which {} are its rings (on this computer; pointers are half as long on a Cortex-M).\n\
         The modem is not known to check the server's name. The demo's CA is its own and signs this one server, so it is declared\n\
         private (--private-ca); with a public CA the connection would have been refused.",
        line(
            "total",
            &seconds(took),
            [
                &exchanges.to_string(),
                &sent.to_string(),
                &received.to_string()
            ],
            "AT exchanges, bytes out and in"
        ),
        2 * RING
    );
    report.result(&text, |object| {
        let object = object
            .text("step", "total")
            .number("ms", took.as_millis() as u64);
        wire(object, exchanges, sent, received)
            .number("state_bytes", state as u64)
            .number("ring_bytes", 2 * RING as u64)
    })
}
