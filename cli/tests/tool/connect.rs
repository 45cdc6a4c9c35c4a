use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::{self, TlsListener, TlsStream, server_config};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::process::Modem;

/// A TLS server that demands a client certificate.
pub(crate) struct Server {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// One that sends back what it gets.
    pub(crate) fn echo() -> Self {
        Self::start(tls_server::echo)
    }

    /// Serves every connection with `handler`.
    pub(crate) fn start<H, Fut, T>(handler: H) -> Self
    where
        H: Fn(TlsStream<TcpStream>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = io::Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let (report, reported) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let pki = Pki::shared();
                let config = server_config(pki.server(), Some(&pki.ca_pem()));
                let listener = TlsListener::start(config, handler).await.unwrap();
                report.send(listener.port()).unwrap();
                let _ = stopped.await;
            });
        });
        Self {
            port: reported.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

pub(crate) fn input_comes_back_through_the_modem() {
    let echo = Server::echo();
    let map = format!("echo.sectag.test:443=127.0.0.1:{}", echo.port());
    // The server's certificate is for another name than that one, and this firmware notices.
    let localhost = format!("localhost:{}", echo.port());
    let modem = Modem::start(&[
        "--profile",
        "checks-name",
        "--map",
        &map,
        "--turnaround-ms",
        "5",
        "--chunk",
        "100",
        "--seed",
        "1",
    ]);
    modem.provision("3");

    let mut input = String::new();
    for number in 0..400 {
        input.push_str(&format!("line {number}: OK\r\n"));
    }
    let options = ["--tag", "3", "--private-ca", &localhost];
    let ended = modem
        .start_tool(&["connect"], &options, &[], input.as_bytes())
        .end()
        .expect(0);
    let received: Vec<&str> = ended.stdout.lines().collect();
    let sent: Vec<&str> = input.lines().collect();
    assert_eq!(received, sent);

    let wrong_name = ["--tag", "3", "--private-ca", "echo.sectag.test:443"];
    modem
        .run(&["connect"], &wrong_name)
        .expect_hint("certificate is not for this name");

    // The default does not notice, as is known of a BG96.
    let careless = Modem::start(&["--map", &map, "--turnaround-ms", "5"]);
    careless.provision("3");
    let ended = careless
        .start_tool(&["connect"], &wrong_name, &[], b"line\r\n")
        .end()
        .expect(0);
    assert_eq!(ended.stdout, "line\n");
    assert!(
        ended.stderr.contains("not known to be checked: name"),
        "{}",
        ended.stderr
    );
}
