//! The simulated world: a modem that is off and has never known the time, a broker, and the certificates of both.

use std::rc::Rc;

use sectag_simulator::{LoopbackNetwork, Reaction, Sim, Simulator};
use sectag_test_support::broker::{Broker, BrokerOptions};
use sectag_test_support::pki::{Identity, Pki, Validity};

use super::modems::Shown;
use super::setting::{HOST, PORT};
use super::steps::Steps;
use crate::args::Scenario;
use crate::commands::surroundings::Surroundings;
use crate::failure::Failure;
use crate::probe::{Files, Names};

/// The simulated network's own.
pub(super) const TIME_SERVER: &str = "time.sectag.test";

/// What the flow gets, and what keeps it alive.
pub(super) struct World {
    pub(super) modem: Simulator,
    /// The modem, in words.
    pub(super) what: String,
    /// By what it is known that something is stored as it was sent.
    pub(super) proof: &'static str,
    /// The application tells it the time, or nobody does.
    pub(super) tells_time: bool,
    /// Its only pin is one that holds it in reset.
    pub(super) has_reset_pin: bool,
    pub(super) names: Names,
    /// What the device is given.
    pub(super) files: Files,
    _broker: Broker,
}

/// What goes into it.
struct Plan {
    broker: BrokerOptions,
    ca: String,
    client: Option<Identity>,
    /// The broker has its name.
    named: bool,
    surroundings: Surroundings,
    server: Identity,
    /// The modem restarts in place of its n-th send.
    restart_at_send: Option<usize>,
}

pub(super) async fn build(
    shown: &Shown,
    scenario: Option<Scenario>,
    steps: &mut Steps<'_>,
) -> Result<World, Failure> {
    let step = steps.begin("making a CA, a server and a client certificate");
    let on_host = shown.has_tls_on_host();
    let (pki, plan) = tokio::task::spawn_blocking(move || {
        // Of this process, which has no other use for it; tests build many worlds.
        let pki = Pki::shared();
        let plan = plan(scenario, pki, on_host);
        (pki, plan)
    })
    .await
    .map_err(|error| Failure::new(format!("making certificates: {error}")))?;
    steps.done(
        step,
        "make a throw-away PKI",
        None,
        "certificates of CA, server and client",
    )?;

    let step = steps.begin("starting the broker");
    let broker = Broker::start_with(&plan.server, &pki.ca_pem(), plan.broker)
        .map_err(|error| Failure::new(format!("starting the broker: {error:#}")))?;
    let port = broker.tls_port();
    let detail = format!("MQTT 5 on 127.0.0.1:{port}, demands client certificates");
    steps.done(step, "start a broker", None, &detail)?;

    let mut network = LoopbackNetwork::new();
    if plan.named {
        network
            .map(HOST, PORT, ([127, 0, 0, 1], port).into())
            .map_err(|error| Failure::new(error.to_string()))?;
    }
    if on_host {
        // Whom it asks for the time; what is sent there is answered by the simulated network.
        network
            .map(TIME_SERVER, 123, ([127, 0, 0, 1], 123).into())
            .map_err(|error| Failure::new(error.to_string()))?;
    }
    let tells_time = shown.is_told_the_time() && plan.surroundings.time;
    let modem = shown.simulator(plan.surroundings, Rc::new(network.clone()));
    if let Some(nth) = plan.restart_at_send {
        restart_at_send(&modem, shown.send(), nth);
    }
    let pem = |text: String| text.into_bytes();
    Ok(World {
        modem,
        what: shown.what(),
        proof: shown.proof(),
        tells_time,
        has_reset_pin: shown.has_reset_pin(),
        names: Names::Simulated(network),
        files: Files {
            ca: Some(pem(plan.ca)),
            client: plan
                .client
                .map(|client| (pem(client.cert_pem), pem(client.key_pem))),
        },
        _broker: broker,
    })
}

/// Everything in order, or what `scenario` has for it.
fn plan(scenario: Option<Scenario>, pki: &Pki, on_host: bool) -> Plan {
    let mut plan = Plan {
        broker: BrokerOptions::new(),
        ca: pki.ca_pem(),
        client: Some(if on_host {
            // What TLS on the host has a key for.
            pki.issue_client_ecdsa("sectag-client")
        } else {
            pki.client().clone()
        }),
        named: true,
        surroundings: Surroundings::default(),
        // Some modems look at the common name alone, which is the first.
        server: pki.issue_server([HOST]),
        restart_at_send: None,
    };
    match scenario {
        None => {}
        Some(Scenario::WrongCa) => plan.ca = Pki::new().ca_pem(),
        Some(Scenario::Expired) => {
            plan.server = pki.issue_server_valid([HOST], Validity::expired());
            plan.surroundings.checks_dates = true;
        }
        Some(Scenario::ClockUnset) => plan.surroundings.time = false,
        Some(Scenario::WrongHost) => plan.server = pki.issue_server(["another.sectag.test"]),
        Some(Scenario::NoClientCert) => plan.client = None,
        Some(Scenario::EcdsaServer) => plan.server = pki.issue_server_ecdsa([HOST]),
        Some(Scenario::RefusedLogin) => {
            plan.broker = plan.broker.user("another device", "with a password");
        }
        // CONNECT, SUBSCRIBE, PUBLISH.
        Some(Scenario::Reset) => plan.restart_at_send = Some(3),
        Some(Scenario::NoRegistration) => plan.surroundings.coverage = false,
        Some(Scenario::SimMissing) => plan.surroundings.sim = Sim::Missing,
        // What a network answers that does not know the APN.
        Some(Scenario::PdpRefused) => plan.surroundings.pdp_refusal = Some(561),
        Some(Scenario::Dns) => plan.named = false,
    }
    plan
}

/// `send` is how the command begins; without one, it is a frame of data.
fn restart_at_send(modem: &Simulator, send: Option<&'static [u8]>, nth: usize) {
    let mut sends = 0;
    let script = Box::new(move |said: &[u8]| {
        if send.is_none_or(|send| said.starts_with(send)) {
            sends += 1;
            if sends == nth {
                return Reaction::Reset;
            }
        }
        Reaction::Normal
    });
    match send {
        Some(_) => modem.set_script(script),
        None => modem.set_data_script(script),
    }
}
