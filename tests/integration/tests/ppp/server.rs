//! A TLS 1.3 server on 127.0.0.1 under a root of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};

use rcgen::KeyPair;
use rustls::{ServerConnection, Stream};

pub(crate) use crate::identity::NAME;

pub(crate) struct Server {
    pub(crate) root: &'static [u8],
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Serves one client after another until the test ends; the root has this key, the server one on P-256.
    pub(crate) fn start(
        root_key: KeyPair,
        serve: impl Fn(&mut Stream<'_, ServerConnection, TcpStream>) + Send + 'static,
    ) -> Self {
        let (root, config) = crate::identity::server(root_key);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut connection = ServerConnection::new(config.clone()).unwrap();
                // A client that does not send the name (SNI) is not served.
                if connection.complete_io(&mut stream).is_err()
                    || connection.server_name() != Some(NAME.as_str())
                {
                    continue;
                }
                serve(&mut Stream::new(&mut connection, &mut stream));
            }
        });
        Self { root, address }
    }
}
