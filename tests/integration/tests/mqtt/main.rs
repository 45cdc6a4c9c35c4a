//! MQTT clients as they are, over sectag and the simulated BG96, against mosquitto with mutual TLS.
//! mqttrust's MQTT 3.1.1 is in `tests/mqtt311`, because its features exclude each other.

mod broker;
mod minimq;
mod mqttrust;
mod rust_mqtt;

use ::mqttrust::DomainBroker;
use sectag::nal::{Connector, Names};
use sectag_integration_tests::Bench;
use sectag_integration_tests::simulated::{HOST, PORT, TLS};

/// What mqttrust connects through here: it looks the broker's name up, and connects to the placeholder.
fn network(
    bench: Bench,
) -> (
    &'static mqttrust::Network,
    DomainBroker<'static, Names<1, 32>>,
) {
    let names: &'static Names<1, 32> = Box::leak(Box::new(Names::new()));
    let network = Box::leak(Box::new(Connector::by_name(bench.sockets, TLS, names)));
    let broker = DomainBroker::new_with_port(HOST.as_str(), PORT, names);
    (network, broker.expect("the name is short"))
}

/// See `Device::KEEPS_FIRST_SESSION`.
const KEEPS_FIRST_SESSION: bool = true;
