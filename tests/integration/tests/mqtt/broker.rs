//! What needs no client.

use sectag::{CaScope, Code, ConnectError, TlsConfig};
use sectag_integration_tests::brokered::with_broker;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, provision};
use sectag_simulator::Options;

#[test]
fn refuses_a_device_without_certificate() {
    with_broker(Options::default(), async |site| {
        let sockets = site.bench.sockets;
        let anonymous = TlsConfig::new(TLS.tag()).ca_scope(CaScope::Private);
        let refused = sockets.connect(HOST, PORT, &anonymous).await.err();
        assert!(
            matches!(&refused, Some(ConnectError::Refused(refusal)) if matches!(refusal.code, Code::Vendor(566, _))),
            "{refused:?}"
        );
        // What the shared provisioning stores is of another CA: the same.
        provision(site.bench).await;
        let refused = sockets.connect(HOST, PORT, &TLS).await.err();
        assert!(
            matches!(refused, Some(ConnectError::Refused(_))),
            "{refused:?}"
        );
    });
}
