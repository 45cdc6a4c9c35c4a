//! AT commands to ODIN-W2 while its UART is used for PPP: text in UDP datagrams (sheet A.3.3).

use core::net::Ipv4Addr;

use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpEndpoint, Stack};
use embassy_time::{Duration, with_timeout};
use sectag::{AtError, BringUpError, Status};

use super::dialogue::{Said, said};
use super::failure::at;
use super::status::{self, Ask};

/// The address of the module in factory settings.
pub const FACTORY: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 251);
const PORT: u16 = 23;
/// The time limit of each answer. A datagram may be lost, so a query is sent twice.
const PATIENCE: Duration = Duration::from_secs(3);
const TRIES: usize = 2;
const DATAGRAM: usize = 512;

/// Asks the module for its status while the link is up. `module` is its address on the link: the peer's
/// address from IPCP ([`Network::peer`](crate::Network::peer)), the configured one, or [`FACTORY`].
///
/// UNCONFIRMED: the module's AT port may have to be switched on first. If it does not answer, that is
/// an error, and the link goes on.
///
/// # Errors
/// [`BringUpError::At`] if the module does not answer.
pub async fn status(stack: Stack<'_>, module: Ipv4Addr) -> Result<Status, BringUpError> {
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 1]);
    let (mut rx, mut tx) = ([0; 2 * DATAGRAM], [0; 64]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    let bound = socket.bind(PORT);
    bound.map_err(|_| at("UDP port 23")(AtError::LinkDown))?;
    let mut beside = Beside {
        socket,
        module: IpEndpoint::new(module.into(), PORT),
    };
    status::short_range(&mut beside).await
}

struct Beside<'s> {
    socket: UdpSocket<'s>,
    module: IpEndpoint,
}

impl Ask for Beside<'_> {
    async fn ask(
        &mut self,
        command: &'static str,
        each: &mut dyn FnMut(&str),
    ) -> Result<(), AtError> {
        let mut line = heapless::Vec::<u8, 32>::new();
        let fits = line.extend_from_slice(command.as_bytes()).is_ok() && line.push(b'\r').is_ok();
        if !fits {
            return Err(AtError::Unsupported);
        }
        for _ in 0..TRIES {
            // Drops lines that came unasked or too late.
            while with_timeout(Duration::from_ticks(0), self.line(&mut |_| Said::Text))
                .await
                .is_ok()
            {}
            let sent = self.socket.send_to(&line, self.module).await;
            sent.map_err(|_| AtError::LinkDown)?;
            match with_timeout(PATIENCE, self.answer(each)).await {
                Ok(answered) => return answered,
                Err(_) => continue,
            }
        }
        Err(AtError::Timeout)
    }
}

impl Beside<'_> {
    /// Passes the lines of an answer on, however they are cut into datagrams.
    async fn answer(&mut self, each: &mut dyn FnMut(&str)) -> Result<(), AtError> {
        loop {
            let mut end = None;
            self.line(&mut |text| {
                let said = said(text);
                match said {
                    Said::Text => each(text),
                    _ => end = end.or(Some(said)),
                }
                said
            })
            .await;
            match end {
                None => {}
                Some(Said::Ok) => return Ok(()),
                Some(Said::Failed(code)) => return Err(AtError::Refused(code)),
                Some(_) => return Err(AtError::Garbled),
            }
        }
    }

    /// Passes the lines of the module's next datagram on.
    async fn line(&mut self, each: &mut dyn FnMut(&str) -> Said) {
        let mut datagram = [0; DATAGRAM];
        loop {
            let Ok((count, from)) = self.socket.recv_from(&mut datagram).await else {
                continue;
            };
            if from.endpoint.addr != self.module.addr {
                continue;
            }
            let text = core::str::from_utf8(&datagram[..count]).unwrap_or_default();
            for line in text.split(['\r', '\n']) {
                if !line.is_empty() {
                    each(line);
                }
            }
            return;
        }
    }
}
