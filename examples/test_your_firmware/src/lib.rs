//! The application that is tested: a sensor that reports a reading as a line, and repeats it until the server has
//! answered `ok`. It is `no_std` and names no modem, so that the firmware links it, and tests run it on a computer:
//! see `tests/modem.rs`.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

use embassy_time::{Duration, Timer};
use embedded_io_async::{Read, Write};
use sectag::{Backoff, CaScope, SecureConnect, SecureSocket, ServerName, Tag, TlsConfig};

/// The server of this product.
pub const SERVER: ServerName<'static> = ServerName::from_static("server.sectag.test");
/// Its port.
pub const PORT: u16 = 443;
/// Mutual TLS with the set that the factory stored.
pub const TLS: TlsConfig = TlsConfig::new(Tag(7))
    .client_certificate()
    .ca_scope(CaScope::Private);

/// Why a reading was not reported.
#[derive(Debug)]
pub enum ReportError<C, S> {
    /// There was no connection.
    Connect(C),
    /// The connection ended.
    Socket(S),
    /// The server closed without `ok`.
    NotTaken,
}

/// Reports one reading; returns when the server has taken it.
pub async fn report<C: SecureConnect>(
    modem: &C,
    reading: u8,
) -> Result<(), ReportError<C::Error, C::SocketError>> {
    let connected = modem.connect(SERVER, PORT, &TLS).await;
    let mut socket = connected.map_err(ReportError::Connect)?;
    let digits = [
        b'0' + reading / 100,
        b'0' + reading / 10 % 10,
        b'0' + reading % 10,
        b'\n',
    ];
    socket
        .write_all(&digits)
        .await
        .map_err(ReportError::Socket)?;
    socket.flush().await.map_err(ReportError::Socket)?;
    let mut answer = [0; 2];
    let mut len = 0;
    while len < answer.len() {
        match socket.read(&mut answer[len..]).await {
            Ok(0) => return Err(ReportError::NotTaken),
            Ok(count) => len += count,
            Err(error) => return Err(ReportError::Socket(error)),
        }
    }
    if &answer != b"ok" {
        return Err(ReportError::NotTaken);
    }
    // It is taken, whatever becomes of the good-bye.
    let _ = socket.finish().await;
    Ok(())
}

/// Reports one reading, as often as it takes.
pub async fn report_for_sure<C: SecureConnect>(modem: &C, reading: u8, serial_number: u32) {
    let mut backoff = Backoff::new(
        Duration::from_secs(5),
        Duration::from_secs(300),
        serial_number,
    );
    while report(modem, reading).await.is_err() {
        Timer::after(backoff.next()).await;
    }
}
