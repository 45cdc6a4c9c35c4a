//! A small web server with mutual TLS.

use std::io;

use sectag_integration_tests::simulated::{HOST, World};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// More than a ring, than a TLS record of a small buffer, and than what one fetch brings.
pub(crate) fn body() -> Vec<u8> {
    (0..10_000).map(|at| (at * 31 % 251) as u8).collect()
}

/// `/length`, `/chunked`, and `/until-close`, all with [`body`]; several requests on one connection.
pub(crate) fn serve(world: &World) {
    world.serve(answer);
}

async fn answer(mut client: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    loop {
        let Some(request) = request(&mut client).await? else {
            return client.shutdown().await;
        };
        assert!(
            request
                .to_ascii_lowercase()
                .contains(&format!("host: {}", HOST.as_str()))
        );
        let path = request.split(' ').nth(1).expect("a path");
        let body = body();
        let mut response = b"HTTP/1.1 200 OK\r\n".to_vec();
        match path {
            "/length" => {
                response.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
                response.extend(&body);
            }
            "/chunked" => {
                response.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                let mut rest = &body[..];
                for size in [1, 700, 1500, 4097].into_iter().cycle() {
                    let (chunk, behind) = rest.split_at(size.min(rest.len()));
                    response.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    response.extend(chunk);
                    response.extend(b"\r\n");
                    if chunk.is_empty() {
                        break;
                    }
                    rest = behind;
                }
            }
            "/until-close" => {
                response.extend(b"Connection: close\r\n\r\n");
                response.extend(&body);
            }
            other => panic!("no such page: {other}"),
        }
        client.write_all(&response).await?;
        client.flush().await?;
        if path == "/until-close" {
            return client.shutdown().await;
        }
    }
}

async fn request(client: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) if head.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let head = String::from_utf8(head).expect("a head is ASCII");
    // edge-http gives a GET an empty body.
    if head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        let mut end = [0; 5];
        client.read_exact(&mut end).await?;
        assert_eq!(&end, b"0\r\n\r\n");
    }
    Ok(Some(head))
}
