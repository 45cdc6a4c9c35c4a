//! Both dial forms under the simulated modules, in virtual time: the far end is a peer that does as it is told.

#[path = "../ppp/broker.rs"]
mod broker;
mod cellular;
mod damage;
#[path = "../ppp/identity.rs"]
mod identity;
#[path = "../ppp/module.rs"]
mod module;
mod odin;
#[path = "../ppp/wire.rs"]
mod wire;

use std::rc::Rc;

use embassy_net::Stack;
use embassy_net::dns::DnsQueryType;
use sectag_integration_tests as _;
use sectag_simulator::LoopbackNetwork;

/// The broker's name leads somewhere, and no other.
fn network() -> Rc<LoopbackNetwork> {
    let mut network = LoopbackNetwork::new();
    let target = "127.0.0.1:8883".parse().unwrap();
    network.map("broker.sectag.test", 8883, target).unwrap();
    Rc::new(network)
}

/// IP goes both ways: a name is looked up.
async fn looks_up(stack: Stack<'_>) {
    stack.wait_config_up().await;
    let found = stack.dns_query("broker.sectag.test", DnsQueryType::A).await;
    assert_eq!(found.unwrap().len(), 1);
    let unknown = stack.dns_query("other.sectag.test", DnsQueryType::A).await;
    assert!(unknown.is_err());
}
