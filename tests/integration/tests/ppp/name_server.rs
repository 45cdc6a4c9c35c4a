//! A name server on 127.0.0.1 that knows one thing: every name that ends in `.test` is where slirp reaches this machine.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::net::UdpSocket;

/// The one port that a resolver asks at; another test may have it for a moment.
pub(crate) async fn bind() -> UdpSocket {
    let mut tries = 0;
    loop {
        match UdpSocket::bind("127.0.0.1:53").await {
            Ok(socket) => return socket,
            Err(error) if error.kind() == ErrorKind::AddrInUse && tries < 200 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => panic!(
                "the name server's port: {error} (hint: run the tests as root, or lower net.ipv4.ip_unprivileged_port_start)"
            ),
        }
    }
}

/// Answers for ever.
pub(crate) async fn serve(socket: UdpSocket) {
    let mut query = [0; 512];
    loop {
        let (count, from) = socket.recv_from(&mut query).await.unwrap();
        if let Some(answer) = answer(&query[..count]) {
            socket.send_to(&answer, from).await.unwrap();
        }
    }
}

/// The answer to a query for an address (RFC 1035, 4).
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let question = query.get(12..)?;
    let name_end = question.iter().position(|byte| *byte == 0)?;
    let question = question.get(..name_end + 5)?;
    let known = question[..name_end].ends_with(b"\x04test");
    let mut answer = query[..2].to_vec();
    // A response, recursion available; and whether the name is known.
    answer.extend([0x81, if known { 0x80 } else { 0x83 }]);
    answer.extend([0, 1, 0, u8::from(known), 0, 0, 0, 0]);
    answer.extend(question);
    if known {
        answer.extend(b"\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x04\x0A\x00\x02\x02");
    }
    Some(answer)
}
