//! mqttrust with MQTT 3.1.1, over sectag and the simulated modems, against mosquitto with mutual TLS.

#[path = "../../integration/tests/mqtt/mqttrust.rs"]
mod mqttrust;

use std::net::Ipv4Addr;

use ::mqttrust::IpBroker;
use sectag::modem::Full;
use sectag::nal::Connector;
use sectag_integration_tests::Bench;
use sectag_integration_tests::recovery::tls;
use sectag_integration_tests::simulated::{HOST, PORT};

/// What mqttrust connects through here: a connector for one server, which takes any address.
fn network<M: Full>(bench: Bench<M>) -> (&'static mqttrust::Network<M>, IpBroker) {
    let network = Box::leak(Box::new(Connector::to(bench.control, tls::<M>(), HOST)));
    (network, IpBroker::new(Ipv4Addr::UNSPECIFIED, PORT))
}

/// mqttrust logs in with a clean session the first time, and in MQTT 3.1.1 such a session ends with its
/// connection.
const KEEPS_FIRST_SESSION: bool = false;
