//! Which addresses lead where.

use std::io;
use std::net::{IpAddr, SocketAddr};

use embedded_io_async::{Error, ErrorKind, Read, Write};
use embedded_nal_async::{AddrType, Dns, TcpConnect};
use sectag::nal::{Connector, ConnectorError, NameError, Names};
use sectag::{CaScope, Support, Tag, TlsConfig};
use sectag_integration_tests::Bench;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_simulator::Options;
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::{TlsStream, serve_tls, server_config};
use tokio::io::{AsyncWriteExt, DuplexStream};

/// Servers that say their name, and close.
fn serve(world: &World, names: &[&'static str]) {
    let pki = Pki::shared();
    let config = server_config(
        &pki.issue_server(names.iter().copied()),
        Some(&pki.ca_pem()),
    );
    for &name in names {
        let config = config.clone();
        world.network.register(name, PORT, move |stream| {
            let config = config.clone();
            tokio::task::spawn_local(async move {
                let speak = async |mut client: TlsStream<DuplexStream>| -> io::Result<()> {
                    client.write_all(name.as_bytes()).await?;
                    client.shutdown().await
                };
                let _ = serve_tls(stream, config, speak).await;
            });
        });
    }
}

async fn who_is_there(network: &impl TcpConnect, address: IpAddr) -> Result<String, ErrorKind> {
    let mut connection = network
        .connect(SocketAddr::new(address, PORT))
        .await
        .map_err(|error| error.kind())?;
    connection.flush().await.map_err(|error| error.kind())?;
    let mut said = Vec::new();
    let mut buf = [0; 16];
    loop {
        match connection
            .read(&mut buf)
            .await
            .map_err(|error| error.kind())?
        {
            0 => return Ok(String::from_utf8(said).unwrap()),
            count => said.extend(&buf[..count]),
        }
    }
}

async fn resolve(names: &impl Dns<Error = NameError>, host: &str) -> IpAddr {
    names
        .get_host_by_name(host, AddrType::Either)
        .await
        .unwrap()
}

fn with_world(names: &[&'static str], test: impl AsyncFnOnce(&World, Bench)) {
    virtually(async || {
        let world = World::new(Options::default());
        serve(&world, names);
        world
            .attach(async |bench| {
                provision(bench).await;
                test(&world, bench).await;
            })
            .await;
    });
}

#[test]
fn a_placeholder_leads_to_its_name_only_and_an_evicted_one_nowhere() {
    with_world(
        &["one.test", "two.test", "three.test"],
        async |world, bench| {
            let names = Names::<2, 16>::new();
            let network = Connector::by_name(bench.control, TLS, &names);
            let one = resolve(&names, "one.test").await;
            let two = resolve(&network, "two.test").await;
            for _ in 0..2 {
                assert_eq!(who_is_there(&network, two).await.unwrap(), "two.test");
                assert_eq!(who_is_there(&network, one).await.unwrap(), "one.test");
            }
            // `two` was used longest ago.
            let three = resolve(&names, "three.test").await;
            assert_eq!(who_is_there(&network, three).await.unwrap(), "three.test");
            assert_eq!(who_is_there(&network, one).await.unwrap(), "one.test");
            let opens = world.count("AT+QSSLOPEN");
            let evicted = network.connect(SocketAddr::new(two, PORT)).await.err();
            assert_eq!(evicted, Some(ConnectorError::Forgotten));
            assert_eq!(
                who_is_there(&network, two).await,
                Err(ErrorKind::InvalidInput)
            );
            // Of another table.
            let others = Names::<2>::new();
            let other = resolve(&others, "one.test").await;
            assert_eq!(
                who_is_there(&network, other).await,
                Err(ErrorKind::InvalidInput)
            );
            for address in [
                "192.0.2.1",
                "0.0.0.0",
                "127.0.0.1",
                "255.255.255.255",
                "::1",
            ] {
                let refused = network
                    .connect(SocketAddr::new(address.parse().unwrap(), PORT))
                    .await
                    .err();
                assert_eq!(refused, Some(ConnectorError::NotAPlaceholder));
            }
            assert_eq!(world.count("AT+QSSLOPEN"), opens, "nothing was sent");
            // Looked up again it is there again.
            let two = resolve(&names, "two.test").await;
            assert_eq!(who_is_there(&network, two).await.unwrap(), "two.test");
            let mut buf = [0; 16];
            let length = names.get_host_by_address(two, &mut buf).await.unwrap();
            assert_eq!(&buf[..length], b"two.test");
        },
    );
}

#[test]
fn a_connector_for_one_server_takes_any_address() {
    with_world(&[HOST.as_str(), "two.test"], async |_, bench| {
        let names = Names::<1>::new();
        let two = resolve(&names, "two.test").await;
        let network = Connector::to(bench.control, TLS, HOST);
        for address in ["0.0.0.0", "192.0.2.1", "2001:db8::1"] {
            let address = address.parse().unwrap();
            assert_eq!(
                who_is_there(&network, address).await.unwrap(),
                HOST.as_str()
            );
        }
        assert_eq!(who_is_there(&network, two).await.unwrap(), HOST.as_str());
        let own = resolve(&network, HOST.as_str()).await;
        assert_eq!(who_is_there(&network, own).await.unwrap(), HOST.as_str());
        let other = network.get_host_by_name("two.test", AddrType::IPv4).await;
        assert_eq!(other, Err(NameError::OtherServer));
        // Its own placeholder is nobody's in a table.
        let by_name = Connector::by_name(bench.control, TLS, &names);
        assert_eq!(
            who_is_there(&by_name, own).await,
            Err(ErrorKind::InvalidInput)
        );
        let ipv6 = network
            .get_host_by_name(HOST.as_str(), AddrType::IPv6)
            .await;
        assert_eq!(ipv6, Err(NameError::NotIpv6));
    });
}

#[test]
fn policy_and_refusals_come_through() {
    with_world(&[HOST.as_str()], async |_, bench| {
        let network = Connector::to(bench.control, TLS, HOST);
        let address = "0.0.0.0:8883".parse().unwrap();
        let connection = TcpConnect::connect(&network, address).await.unwrap();
        assert_eq!(connection.get_ref().verified().chain, Support::Yes);
        connection.into_inner().close().await.unwrap();
        // Nobody listens on that port.
        let nobody = TcpConnect::connect(&network, "0.0.0.0:1".parse().unwrap())
            .await
            .err();
        assert_eq!(
            nobody.map(|error| error.kind()),
            Some(ErrorKind::ConnectionRefused)
        );
        // Nothing is stored under this tag.
        let config = TlsConfig::new(Tag(8)).ca_scope(CaScope::Private);
        let untrusting = Connector::to(bench.control, config, HOST);
        let missing = TcpConnect::connect(&untrusting, address).await.err();
        assert_eq!(missing.map(|error| error.kind()), Some(ErrorKind::NotFound));
        // A public CA is not enough for a modem that does not check the name.
        let public = TlsConfig::new(TLS.tag());
        let unchecked = Connector::to(bench.control, public, HOST);
        let refused = TcpConnect::connect(&unchecked, address).await.err();
        assert_eq!(
            refused.map(|error| error.kind()),
            Some(ErrorKind::PermissionDenied)
        );
    });
}

#[test]
fn a_name_in_use_by_a_connect_under_way_keeps_its_place() {
    with_world(&["one.test"], async |world, bench| {
        let names = Names::<1>::new();
        let network = Connector::by_name(bench.control, TLS, &names);
        let one = resolve(&names, "one.test").await;
        {
            let mut connect = std::pin::pin!(network.connect(SocketAddr::new(one, PORT)));
            assert!(embassy_futures::poll_once(connect.as_mut()).is_pending());
            let two = names.get_host_by_name("two.test", AddrType::IPv4).await;
            assert_eq!(two, Err(NameError::AllConnecting));
            assert_eq!(resolve(&names, "one.test").await, one);
        }
        // It was dropped under way: the place is free, and the runner has closed what was begun.
        let two = resolve(&names, "two.test").await;
        assert_ne!(one, two);
        let one = resolve(&names, "one.test").await;
        assert_eq!(who_is_there(&network, one).await.unwrap(), "one.test");
        embassy_time::Timer::after_secs(5).await;
        assert!(world.modem.open_sockets().is_empty());
    });
}
