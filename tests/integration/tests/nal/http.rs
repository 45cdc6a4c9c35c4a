//! An HTTPS GET by an HTTP client as it is, whose TLS is the modem's.

use std::net::SocketAddr;

use edge_http::Method;
use edge_http::io::client::Connection;
use edge_nal::{AddrType, Dns};
use embedded_io_async::Read;
use reqwless::client::HttpClient;
use sectag::nal::{Connector, Names};
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_simulator::{Chunk, Options};

use crate::web::{self, body};

fn options() -> [Options; 2] {
    let pieces = Options {
        chunk: Chunk::Random { max: 40 },
        urc_inside_responses: true,
        ..Options::default()
    };
    [Options::default(), pieces]
}

#[test]
fn edge_http_gets_pages() {
    for options in options() {
        virtually(async || {
            let world = World::new(options);
            web::serve(&world);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let names: Names = Names::new();
                    let network = Connector::by_name(bench.control, TLS, &names);
                    let host = HOST.as_str();
                    let address = names.get_host_by_name(host, AddrType::IPv4).await.unwrap();
                    let mut buf = [0; 2048];
                    let address = SocketAddr::new(address, PORT);
                    let mut http: Connection<'_, _, 32> =
                        Connection::new(&mut buf, &network, address);
                    // Its sizes: with a length, chunked, and both once more on the same connection.
                    for path in ["/length", "/chunked", "/chunked", "/length", "/until-close"] {
                        let headers = [("Host", host)];
                        http.initiate_request(true, Method::Get, path, &headers)
                            .await
                            .unwrap();
                        http.initiate_response().await.unwrap();
                        assert_eq!(http.headers().unwrap().code, 200);
                        let mut page = Vec::<u8>::new();
                        let mut part = [0; 700];
                        loop {
                            match http.read(&mut part).await.unwrap() {
                                0 => break,
                                count => page.extend(&part[..count]),
                            }
                        }
                        assert!(page == body(), "{path}: {} bytes", page.len());
                    }
                    assert_eq!(world.count("AT+QSSLOPEN"), 1);
                    http.close().await.unwrap();
                    assert!(world.modem.open_sockets().is_empty());
                })
                .await;
        });
    }
}

#[test]
fn reqwless_gets_pages() {
    for options in options() {
        virtually(async || {
            let world = World::new(options);
            web::serve(&world);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let names: Names = Names::new();
                    let network = Connector::by_name(bench.control, TLS, &names);
                    let mut http = HttpClient::new(&network, &names);
                    for path in ["/length", "/chunked", "/until-close"] {
                        // `http`: the library is to add no TLS of its own.
                        let url = format!("http://{}:{PORT}{path}", HOST.as_str());
                        let mut buf = vec![0; 24 * 1024];
                        let mut request = http
                            .request(reqwless::request::Method::GET, &url)
                            .await
                            .unwrap();
                        let response = request.send(&mut buf).await.unwrap();
                        assert_eq!(response.status.0, 200);
                        let page = response.body().read_to_end().await.unwrap();
                        assert!(page == body(), "{path}: {} bytes", page.len());
                    }
                    let url = format!("https://{}:{PORT}/length", HOST.as_str());
                    let refused = http.request(reqwless::request::Method::GET, &url).await;
                    assert!(refused.is_err(), "without its own TLS it knows no https");
                })
                .await;
        });
    }
}

#[test]
fn reqwless_with_a_connector_for_one_server() {
    virtually(async || {
        let world = World::new(Options::default());
        web::serve(&world);
        world
            .attach(async |bench| {
                provision(bench).await;
                // It resolves its one name itself, so no table is needed.
                let network = Connector::to(bench.control, TLS, HOST);
                let mut http = HttpClient::new(&network, &network);
                let url = format!("http://{}:{PORT}/length", HOST.as_str());
                let mut buf = vec![0; 24 * 1024];
                let mut request = http
                    .request(reqwless::request::Method::GET, &url)
                    .await
                    .unwrap();
                let response = request.send(&mut buf).await.unwrap();
                assert!(response.body().read_to_end().await.unwrap() == body());
                drop(request);
                let other = http
                    .request(reqwless::request::Method::GET, "http://other.test/")
                    .await;
                assert!(matches!(other.err(), Some(reqwless::Error::Dns)));
            })
            .await;
    });
}
