//! MQTT clients as they are, over sectag and the simulated modems, against mosquitto with mutual TLS.
//! mqttrust's MQTT 3.1.1 is in `tests/mqtt311`, because its features exclude each other.

mod broker;
mod minimq;
mod mqttrust;
mod rust_mqtt;

use ::mqttrust::DomainBroker;
use sectag::modem::Full;
use sectag::nal::{Connector, Names};
use sectag_integration_tests::Bench;
use sectag_integration_tests::recovery::tls;
use sectag_integration_tests::simulated::{HOST, PORT};

/// What mqttrust connects through here: it looks the broker's name up, and connects to the placeholder.
fn network<M: Full>(
    bench: Bench<M>,
) -> (
    &'static mqttrust::Network<M>,
    DomainBroker<'static, Names<1, 32>>,
) {
    let names: &'static Names<1, 32> = Box::leak(Box::new(Names::new()));
    let network = Box::leak(Box::new(Connector::by_name(
        bench.control,
        tls::<M>(),
        names,
    )));
    let broker = DomainBroker::new_with_port(HOST.as_str(), PORT, names);
    (network, broker.expect("the name is short"))
}

/// See `Device::KEEPS_FIRST_SESSION`.
const KEEPS_FIRST_SESSION: bool = true;
