//! What all boards run: connect, say hello, and again after a pause. It names neither board nor modem.
#![no_std]

use embassy_time::{Duration, Timer};
use embedded_io_async::{Read, Write};
use sectag::{Backoff, CaScope, SecureConnect, SecureSocket, ServerName, Tag, TlsConfig};

/// The server, whose CA signs nothing but servers of ours.
const SERVER: ServerName<'static> = ServerName::from_static("server.example.com");
const TLS: TlsConfig = TlsConfig::new(Tag(7))
    .client_certificate()
    .ca_scope(CaScope::Private);

/// Why a session ended.
#[derive(defmt::Format)]
enum Ended<C, S> {
    Connect(C),
    Socket(S),
    Closed,
}

/// Says hello for ever. `serial_number` makes devices differ in how long they wait.
pub async fn run<C>(modem: C, serial_number: u32) -> !
where
    C: SecureConnect<Error: defmt::Format, SocketError: defmt::Format>,
{
    let mut backoff = Backoff::new(
        Duration::from_secs(1),
        Duration::from_secs(300),
        serial_number,
    );
    loop {
        match hello(&modem).await {
            Ok(()) => backoff.reset(),
            Err(reason) => defmt::warn!("{}", reason),
        }
        Timer::after(backoff.next()).await;
    }
}

async fn hello<C: SecureConnect>(modem: &C) -> Result<(), Ended<C::Error, C::SocketError>> {
    let connected = modem.connect(SERVER, 8883, &TLS).await;
    let mut socket = connected.map_err(Ended::Connect)?;
    socket.write_all(b"hello\n").await.map_err(Ended::Socket)?;
    socket.flush().await.map_err(Ended::Socket)?;
    match socket.read(&mut [0; 64]).await.map_err(Ended::Socket)? {
        0 => return Err(Ended::Closed),
        count => defmt::info!("{} bytes of answer", count),
    }
    socket.finish().await.map_err(Ended::Socket)
}
