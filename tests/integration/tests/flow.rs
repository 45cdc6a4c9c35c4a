//! Without flow control: an MCU that is busy now and then, and a UART buffer that loses what it has no
//! room for.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use embassy_futures::join::join;
use embassy_futures::select::{Either4, select4};
use embassy_time::{Duration, Timer};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use sectag::{NoPins, State};
use sectag_bg96::{Bg96, Config};
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_integration_tests::{Bench, Rings};
use sectag_simulator::Options;
use sectag_test_support::tls_server::echo;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The ring of [`Rings`].
const RX: usize = 1024;
/// Header, line ends and final result of a fetch, and a notice of each socket.
const AROUND: usize = 128;
/// How long the executor is away each time that bytes wait.
const BUSY: Duration = Duration::from_millis(25);

/// The receive buffer of an interrupt-driven UART.
#[derive(Default)]
struct Buffer {
    capacity: usize,
    bytes: RefCell<VecDeque<u8>>,
    lost: Cell<usize>,
    reader: Cell<Option<Waker>>,
}

impl Buffer {
    /// The interrupt handler.
    async fn fill(&self, mut line: impl AsyncRead + Unpin) {
        let mut piece = [0; 32];
        while let Ok(count @ 1..) = line.read(&mut piece).await {
            let mut bytes = self.bytes.borrow_mut();
            let room = self.capacity - bytes.len();
            bytes.extend(&piece[..count.min(room)]);
            self.lost.set(self.lost.get() + count.saturating_sub(room));
            if let Some(waker) = self.reader.take() {
                waker.wake();
            }
        }
    }
}

struct BusyReader<'a>(&'a Buffer);

impl embedded_io_async::ErrorType for BusyReader<'_> {
    type Error = Infallible;
}

impl Read for BusyReader<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|cx| {
            if self.0.bytes.borrow().is_empty() {
                self.0.reader.set(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        Timer::after(BUSY).await;
        let mut bytes = self.0.bytes.borrow_mut();
        let count = buf.len().min(bytes.len());
        for (slot, byte) in buf.iter_mut().zip(bytes.drain(..count)) {
            *slot = byte;
        }
        Ok(count)
    }
}

/// Echoes `len` bytes through a UART buffer of `capacity`; returns what came back, and how many bytes
/// were lost on the UART.
fn echo_through(capacity: usize, sent: &[u8]) -> (Vec<u8>, usize) {
    virtually(async || {
        let world = World::new(Options {
            baud: Some(115_200),
            ..Options::default()
        });
        world.serve(echo);
        let (host, device) = tokio::io::duplex(64);
        let (line, tx) = tokio::io::split(host);
        let buffer = Buffer {
            capacity,
            ..Buffer::default()
        };
        // Leaked, as a firmware's static is.
        let state: &'static mut Rings = Box::leak(Box::new(State::new()));
        let (control, mut runner) = sectag::new(
            state,
            Bg96::new(Config::new()),
            BusyReader(&buffer),
            FromTokio::new(tx),
            NoPins,
        );
        let application = async {
            let bench = Bench { control };
            provision(bench).await;
            let mut socket = control.connect(HOST, PORT, &TLS).await.unwrap();
            let (mut reader, mut writer) = socket.split();
            let write = async {
                let _ = writer.write_all(sent).await;
                let _ = writer.flush().await;
            };
            let read = async {
                let mut back = Vec::new();
                let mut buf = [0; 256];
                while back.len() < sent.len() {
                    match reader.read(&mut buf).await {
                        Ok(count @ 1..) => back.extend(&buf[..count]),
                        _ => break,
                    }
                }
                back
            };
            join(read, write).await.0
        };
        let modem = async {
            let _ = world.modem.serve(device).await;
        };
        let running = runner.run();
        match select4(modem, buffer.fill(line), running, application).await {
            Either4::Fourth(back) => (back, buffer.lost.get()),
            _ => panic!("the application ends first"),
        }
    })
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 % 251) as u8).collect()
}

#[test]
fn one_fetch_is_all_that_a_busy_mcu_must_buffer() {
    let sent = pattern(20_000);
    let (back, lost) = echo_through(RX + AROUND, &sent);
    assert_eq!(lost, 0);
    assert_eq!(back, sent);
}

#[test]
fn smaller_buffer_loses_bytes_and_never_delivers_others() {
    let sent = pattern(20_000);
    let (back, lost) = echo_through(RX / 2, &sent);
    assert!(lost > 0, "it would have proven nothing");
    assert!(back.len() < sent.len());
    assert_eq!(back, sent[..back.len()]);
}
