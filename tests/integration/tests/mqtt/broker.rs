//! What needs no client.

use sectag::{CaScope, Code, ConnectError, TlsConfig};
use sectag_integration_tests::brokered::with_broker;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, provision};
use sectag_simulator::Options;

#[test]
fn refuses_a_device_without_certificate() {
    with_broker(Options::default(), async |site| {
        let control = site.bench.control;
        let anonymous = TlsConfig::new(TLS.tag()).ca_scope(CaScope::Private);
        let refused = control.connect(HOST, PORT, &anonymous).await.err();
        assert!(
            matches!(&refused, Some(ConnectError::Refused(refusal)) if matches!(refusal.code, Code::Vendor(566, _))),
            "{refused:?}"
        );
        // What the shared provisioning stores is of another CA: the same.
        provision(site.bench).await;
        let refused = control.connect(HOST, PORT, &TLS).await.err();
        assert!(
            matches!(refused, Some(ConnectError::Refused(_))),
            "{refused:?}"
        );
    });
}
