//! What an application does, whatever the world is like: power up, store, connect, publish and receive; once more
//! when the connection is lost before the end.

use embassy_futures::select::{Either, select};
use sectag::clock::{DateTime, MIN_DATE};
use sectag::modem::{ClockPart, Full, LinesPart};
use sectag::{
    CaScope, ConnectError, Control, Counters, Feature, Kind, Power, SecureSocket, ServerName,
    SocketError, State, Support, TlsConfig, TlsVersion,
};
use sectag_host_clock::FromTokio;
use sectag_simulator::Simulator;

use super::setting::{BAUD, HOST, PORT, TAG, TURNAROUND_MS};
use super::steps::Steps;
use super::total::{Memories, Total};
use super::world::World;
use crate::failure::Failure;
use crate::hints::{self, Target};
use crate::mqtt::{self, Login, Message};
use crate::probe::{Files, Prober};
use crate::report::Report;
use crate::session::{beside, host_clock};
use crate::tls;

/// Of what is sent; what is received has one as large as the modem demands.
const RING: usize = 1024;
const TOPIC: &str = "sectag/demo";
const MESSAGE: &[u8] = b"hello from inside the modem";

/// As on a small MCU: one socket with small rings.
pub(super) async fn run<M: Full, const RX: usize>(
    driver: M,
    world: &World,
    steps: &mut Steps<'_>,
) -> Result<Total, Failure> {
    let (host_end, modem_end) = tokio::io::duplex(256);
    let (reader, writer) = tokio::io::split(host_end);
    let mut state = Box::new(State::<M, 1, RX, RING>::new());
    let (control, runner) = sectag::new(
        &mut state,
        driver,
        FromTokio::new(reader),
        FromTokio::new(writer),
        Pins {
            modem: world.modem.clone(),
            is_reset: world.has_reset_pin,
        },
    );
    let prober = Prober {
        names: world.names.clone(),
        files: world.files.clone(),
        tag: TAG,
    };
    let application = Application {
        control,
        prober,
        world,
    };
    let work = beside(runner, application.run(steps));
    match select(world.modem.serve(modem_end), work).await {
        Either::First(end) => {
            let why = end.map_or_else(|error| error.to_string(), |()| "its line is closed".into());
            return Err(Failure::new(format!("the simulated modem ended: {why}")));
        }
        Either::Second(result) => result?,
    }
    Ok(Total {
        counters: control.counters(),
        memory: Some(Memories {
            state: size_of::<State<'static, M, 1, RX, RING>>(),
            rings: RX + RING,
        }),
        checks_name: checks_name(control),
        hides_suites: control.capabilities().verification.suites != Support::Yes,
        speaks_at: M::Lines::THERE,
    })
}

fn checks_name<M: Full>(control: Control<'_, M>) -> bool {
    control.capabilities().verification.name == Support::Yes
}

struct Application<'a, M: Full> {
    control: Control<'a, M>,
    prober: Prober,
    world: &'a World,
}

impl<M: Full> Application<'_, M> {
    async fn run(&self, steps: &mut Steps<'_>) -> Result<(), Failure> {
        self.power_up(steps).await?;
        self.store(steps).await?;
        match self.session(steps).await {
            Err(failure) if failure.is_lost() => {
                let observed = failure.observed();
                steps.report.warn(&format!("{observed}: connecting again"));
                self.come_back(steps).await?;
                self.session(steps).await
            }
            result => result,
        }
    }

    fn counters(&self) -> Option<Counters> {
        Some(self.control.counters())
    }

    async fn power_up(&self, steps: &mut Steps<'_>) -> Result<(), Failure> {
        let step = steps.begin("powering up");
        self.control
            .wait_up()
            .await
            .map_err(|error| hints::bring_up(&error, "the simulator has only one"))?;
        steps.done(
            step,
            "power up and register",
            self.counters(),
            &format!(
                "simulated {}, {BAUD} baud, {TURNAROUND_MS} ms turnaround",
                self.world.what
            ),
        )?;
        if !M::Clock::THERE {
            return Ok(());
        }
        let step = steps.begin("reading the clock");
        if self.world.tells_time
            && let Some(now) = host_clock()
        {
            self.control
                .set_clock_if_any(now)
                .await
                .map_err(|error| hints::at("the modem's clock", &error))?;
        }
        let now = self
            .control
            .clock_if_any()
            .await
            .map_err(|error| hints::at("the modem's clock", &error))?;
        let source = match self.world.tells_time {
            true => "the application set it from this computer",
            false => "the driver took it from the network at bring-up",
        };
        steps.done(step, "clock", self.counters(), &describe_clock(now, source))
    }

    async fn store(&self, steps: &mut Steps<'_>) -> Result<(), Failure> {
        let Files { ca, client } = &self.prober.files;
        let client = client.as_ref();
        for (kind, content) in [
            (Kind::Ca, ca.as_ref()),
            (Kind::ClientCertificate, client.map(|client| &client.0)),
            (Kind::PrivateKey, client.map(|client| &client.1)),
        ] {
            let Some(content) = content else { continue };
            let step = steps.begin(&format!("storing the {kind}"));
            self.control
                .store(TAG, kind, content.as_slice())
                .await
                .map_err(|error| hints::credential(&format!("storing the {kind}"), &error))?;
            let detail = format!(
                "{} bytes under tag {TAG}, {}",
                content.len(),
                self.world.proof
            );
            steps.done(step, &format!("store the {kind}"), self.counters(), &detail)?;
        }
        Ok(())
    }

    async fn come_back(&self, steps: &mut Steps<'_>) -> Result<(), Failure> {
        let step = steps.begin("waiting for the modem");
        self.control
            .wait_up()
            .await
            .map_err(|error| hints::bring_up(&error, "the simulator has only one"))?;
        let detail = "the driver brought the modem up again; what was stored is still there";
        steps.done(step, "recover", self.counters(), detail)
    }

    async fn session(&self, steps: &mut Steps<'_>) -> Result<(), Failure> {
        let mut config = TlsConfig::new(TAG);
        if !checks_name(self.control) {
            config = config.ca_scope(CaScope::Private);
        }
        let refuses = self.control.admit(&config);
        if refuses == Err(ConnectError::Lacks(Feature::VersionFloor)) {
            config = config.min_version(TlsVersion::Tls10);
        }
        let mut how = "connect with TLS";
        if self.prober.files.client.is_some() {
            config = config.client_certificate();
            how = "connect with mutual TLS";
        }
        let target = Target {
            host: HOST,
            port: PORT,
            tag: TAG,
            modem: None,
        };
        let step = steps.begin("connecting");
        let name = ServerName::new(HOST).map_err(|error| Failure::new(error.to_string()))?;
        let socket = match self.control.connect(name, PORT, &config).await {
            Ok(socket) => socket,
            Err(error) => {
                drop(step);
                let failure = hints::connect(&error, &target);
                return Err(self.explain(failure, None, steps).await);
            }
        };
        let verified = tls::describe(socket.verified());
        steps.done(step, how, self.counters(), &verified)?;
        let control = self.control;
        let explain = async |failure, login: &Login, report: &Report| {
            self.prober
                .explain(failure, control, (HOST, PORT), Some(login), report)
                .await
        };
        let ended = "confirmed by the modem";
        exchange(
            socket,
            MESSAGE,
            steps,
            || Some(control.counters()),
            explain,
            ended,
        )
        .await
    }

    async fn explain(&self, failure: Failure, login: Option<&Login>, steps: &Steps<'_>) -> Failure {
        self.prober
            .explain(failure, self.control, (HOST, PORT), login, steps.report)
            .await
    }
}

/// MQTT over a connection: login, subscription, a message there and back, the end. `explain` looks at a login that was refused, and `ended` says
/// who has confirmed the end.
pub(super) async fn exchange(
    socket: impl SecureSocket<Error = SocketError>,
    text: &[u8],
    steps: &mut Steps<'_>,
    counters: impl Fn() -> Option<Counters>,
    explain: impl AsyncFnOnce(Failure, &Login, &Report) -> Failure,
    ended: &str,
) -> Result<(), Failure> {
    let login = Login {
        client_id: "sectag-demo".into(),
        user: None,
        token: None,
    };
    let step = steps.begin("logging in");
    let mut client = match mqtt::connect(&login, socket, mqtt::PATIENCE).await {
        Ok(client) => client,
        Err(failure) => {
            drop(step);
            return Err(explain(failure, &login, steps.report).await);
        }
    };
    let detail = format!("the broker accepted client {}", login.client_id);
    steps.done(step, "MQTT CONNECT", counters(), &detail)?;

    let step = steps.begin("subscribing");
    client.subscribe(TOPIC, mqtt::qos(1), |_| Ok(())).await?;
    steps.done(step, "subscribe", counters(), TOPIC)?;

    // The broker may send the message back before it acknowledges the publish.
    let mut early = None;
    let step = steps.begin("publishing");
    let seen = |message: &Message| {
        early = Some(message.payload().to_vec());
        Ok(())
    };
    client
        .publish(TOPIC, text, (mqtt::qos(1), false), seen)
        .await?;
    let detail = format!("{} bytes at QoS 1, acknowledged", text.len());
    steps.done(step, "publish", counters(), &detail)?;

    let step = steps.begin("receiving");
    let came_early = early.is_some();
    let exchanges = || counters().map(|now| now.exchanges);
    let before = exchanges();
    let received = match early {
        Some(payload) => payload,
        None => client.receive().await?.payload().to_vec(),
    };
    if received != text {
        return Err(Failure::new(format!(
            "another message came back: {}",
            received.escape_ascii()
        )));
    }
    let how = if came_early {
        ": came before the acknowledgement"
    } else if before.is_some() && exchanges() == before {
        ": had come together with the acknowledgement"
    } else {
        ""
    };
    let detail = format!("\"{}\"{how}", received.escape_ascii());
    steps.done(step, "receive the own message", counters(), &detail)?;

    let step = steps.begin("closing");
    client.close().await?;
    steps.done(step, "close", counters(), ended)
}

fn describe_clock(now: Option<DateTime>, source: &str) -> String {
    match now {
        Some(now) if now >= MIN_DATE => {
            format!("{now}: it was not set, {source}")
        }
        Some(now) => format!("{now}: not set"),
        None => "not set".into(),
    }
}

/// The power key and status pin of the simulated modem, or the pin that holds it in reset where it has no others.
struct Pins {
    modem: Simulator,
    is_reset: bool,
}

impl Power for Pins {
    fn has_power_key(&self) -> bool {
        !self.is_reset
    }
    fn has_reset(&self) -> bool {
        self.is_reset
    }
    fn power_key(&mut self, pressed: bool) {
        self.modem.power_key(pressed);
    }
    fn reset(&mut self, asserted: bool) {
        self.modem.reset_pin(asserted);
    }
    fn status(&mut self) -> Option<bool> {
        (!self.is_reset).then(|| self.modem.status_pin())
    }
}
