//! An HTTP client that wants to connect to an address: reqwless, with the modem's TLS below it.
//!
//! Such libraries resolve a name themselves and connect to the number. A modem's TLS needs the name, to send it as SNI
//! and to compare the certificate with it; an address would connect to any host that has it. `Connector::to` is a network in
//! which every address is one server, by name. The library's own TLS stays off (`http://`), since the modem makes it,
//! and the port is the one of TLS.

use std::error::Error;

use embedded_io_async::Read;
use reqwless::client::HttpClient;
use reqwless::request::Method;
use sectag::nal::Connector;
use sectag_ideas_example::{Bench, Connection, SERVER, TLS, credentials, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

sectag_simulator::virtual_clock!();

fn main() {
    run(serve, get);
}

async fn get(bench: Bench) -> Result<(), Box<dyn Error>> {
    bench.control.ensure_set(TLS.tag(), credentials()).await?;

    let network = Connector::to(bench.control, TLS, SERVER);
    // It looks names up as well: here each is the server's.
    let mut http = HttpClient::new(&network, &network);
    let request = http.request(Method::GET, "http://server.sectag.test:443/time");
    let mut request = request.await.map_err(|error| format!("{error:?}"))?;
    let mut buffer = [0; 512];
    let response = request.send(&mut buffer).await;
    let response = response.map_err(|error| format!("{error:?}"))?;
    let status = response.status.0;
    let mut body = [0; 64];
    let mut reader = response.body().reader();
    let count = reader.read(&mut body).await;
    let count = count.map_err(|error| format!("{error:?}"))?;
    println!("{status}: {}", body[..count].escape_ascii());
    if status == 200 {
        Ok(())
    } else {
        Err(format!("status {status}").into())
    }
}

async fn serve(mut client: Connection) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12:00";
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}
