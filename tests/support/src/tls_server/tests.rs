use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::*;
use crate::pki::Pki;
use crate::tls_client::{client_config, connect};

async fn ping<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    stream.write_all(b"ping").await?;
    stream.flush().await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"ping");
    Ok(())
}

/// What virtual time needs: nothing here waits for a socket or a clock.
#[tokio::test]
async fn echoes_over_a_duplex() {
    let pki = Pki::shared();
    let (near, far) = tokio::io::duplex(512);
    let server = serve_tls(far, server_config(pki.server(), Some(&pki.ca_pem())), echo);
    let client = async {
        let connector = TlsConnector::from(client_config(&pki.ca_pem(), Some(pki.client())));
        let mut tls = connector
            .connect(ServerName::try_from("localhost").unwrap(), near)
            .await?;
        ping(&mut tls).await?;
        tls.shutdown().await
    };
    let (client, served) = tokio::join!(client, server);
    client.unwrap();
    assert_eq!(served.unwrap(), 4);
}

#[tokio::test]
async fn a_listener_echoes_until_it_is_dropped() {
    let pki = Pki::shared();
    let listener = TlsListener::echo(server_config(pki.server(), Some(&pki.ca_pem())))
        .await
        .unwrap();
    let port = listener.port();
    let config = client_config(&pki.ca_pem(), Some(pki.client()));
    let mut one = connect(port, "localhost", Arc::clone(&config))
        .await
        .unwrap();
    let mut two = connect(port, "broker.sectag.test", Arc::clone(&config))
        .await
        .unwrap();
    ping(&mut one).await.unwrap();
    ping(&mut two).await.unwrap();
    ping(&mut one).await.unwrap();
    drop(listener);
    assert!(ping(&mut one).await.is_err());
    assert!(connect(port, "localhost", config).await.is_err());
}

#[tokio::test]
async fn a_client_without_certificate_is_refused() {
    let pki = Pki::shared();
    let listener = TlsListener::echo(server_config(pki.server(), Some(&pki.ca_pem())))
        .await
        .unwrap();
    let without = async {
        let mut tls = connect(
            listener.port(),
            "localhost",
            client_config(&pki.ca_pem(), None),
        )
        .await?;
        ping(&mut tls).await
    };
    assert!(
        without
            .await
            .unwrap_err()
            .to_string()
            .contains("CertificateRequired")
    );
}
