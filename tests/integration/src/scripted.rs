//! A modem whose every answer the test writes, for what a well-behaved simulator would never say.

use std::cell::RefCell;
use std::rc::Rc;

use embassy_time::Timer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// The modem's end of the UART.
pub struct Modem {
    uart: DuplexStream,
    chunk: usize,
    /// Every command line seen, without its CR.
    pub log: Rc<RefCell<Vec<String>>>,
}

impl Modem {
    /// A modem that writes at most `chunk` bytes at a time.
    pub fn new(uart: DuplexStream, chunk: usize) -> Self {
        Self {
            uart,
            chunk,
            log: Rc::default(),
        }
    }

    /// Puts bytes on the UART as they are.
    pub async fn say(&mut self, text: impl AsRef<[u8]>) {
        for chunk in text.as_ref().chunks(self.chunk) {
            self.uart
                .write_all(chunk)
                .await
                .expect("the driver keeps its UART open");
            if self.chunk < 64 {
                // The driver sees each chunk by itself.
                Timer::after_micros(10).await;
            }
        }
    }

    /// The next command line, without its CR.
    pub async fn command(&mut self) -> String {
        let mut line = Vec::new();
        loop {
            match self
                .uart
                .read_u8()
                .await
                .expect("the driver keeps its UART open")
            {
                b'\r' => break,
                byte => line.push(byte),
            }
        }
        // A frame of a multiplexer is no text.
        let line = String::from_utf8_lossy(&line).into_owned();
        self.log.borrow_mut().push(line.clone());
        line
    }

    /// The next command must be this.
    pub async fn expect(&mut self, command: &str) {
        assert_eq!(self.command().await, command);
    }

    /// The next command must be this, and is answered so.
    pub async fn answer(&mut self, command: &str, answer: &str) {
        self.expect(command).await;
        self.say(answer).await;
    }

    /// The next command must be a fetch from socket `id`, of whatever length, and is answered so.
    pub async fn fetch(&mut self, id: u8, answer: impl AsRef<[u8]>) {
        let command = self.command().await;
        assert!(
            command.starts_with(&format!("AT+QSSLRECV={id},")),
            "{command}"
        );
        self.say(answer).await;
    }

    /// The next `count` raw bytes.
    pub async fn payload(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.uart
            .read_exact(&mut bytes)
            .await
            .expect("the driver keeps its UART open");
        bytes
    }

    /// Whether nothing comes from the driver for this long.
    pub async fn is_quiet(&mut self, millis: u64) -> bool {
        use embassy_futures::select::{Either, select};
        matches!(
            select(self.uart.read_u8(), Timer::after_millis(millis)).await,
            Either::Second(())
        )
    }

    /// Answers as a BG96 that is registered, has a data connection and a set clock, until a command
    /// comes for which `stop` holds; that one is returned unanswered.
    pub async fn obey_until(&mut self, stop: impl Fn(&str) -> bool) -> String {
        loop {
            let command = self.command().await;
            if stop(&command) {
                return command;
            }
            let answer = ordinary_answer(&command);
            self.say(answer).await;
        }
    }

    /// Through bring-up, whose last command is the clock.
    pub async fn bring_up(&mut self) {
        self.obey_until(|command| command == "AT+CCLK?").await;
        self.say(CLOCK).await;
    }

    /// Through an open up to and including `AT+QSSLOPEN`, which is returned unanswered.
    pub async fn until_open(&mut self) -> String {
        self.obey_until(|command| command.starts_with("AT+QSSLOPEN"))
            .await
    }

    /// Through an open that succeeds; returns its id.
    pub async fn open(&mut self) -> u8 {
        let command = self.until_open().await;
        let id: u8 = command
            .split(',')
            .nth(2)
            .expect("a client id")
            .parse()
            .expect("a number");
        self.say(format!("\r\nOK\r\n\r\n+QSSLOPEN: {id},0\r\n"))
            .await;
        self.opened(&command).await;
        id
    }

    /// Says, when it is asked, that it has opened what this command wanted.
    pub async fn opened(&mut self, open: &str) {
        let (_, arguments) = open.split_once('=').expect("arguments");
        let arguments: Vec<_> = arguments.split(',').collect();
        let [pdp, context, id, _, port, mode] = arguments[..] else {
            panic!("no open: {open}")
        };
        // Not where data is pushed.
        if mode == "0" {
            self.expect(&format!("AT+QSSLSTATE={id}")).await;
            self.say(format!(
                "\r\n+QSSLSTATE: {id},\"SSLClient\",\"10.0.0.2\",{port},0,2,{pdp},{id},{mode},\"uart1\",{context}\r\n\r\nOK\r\n"
            ))
            .await;
        }
        // The application sees its socket before the script goes on.
        Timer::after_millis(1).await;
    }

    /// Through the marker of an upload, up to and including the `AT+QFUPL` of the upload itself, which
    /// is returned unanswered.
    pub async fn until_upload(&mut self) -> String {
        let is_upload = |command: &str| command.starts_with("AT+QFUPL");
        let marker = self.obey_until(is_upload).await;
        assert!(
            marker.contains(".x") && marker.ends_with(",1,5"),
            "{marker}"
        );
        self.say("\r\nCONNECT\r\n").await;
        assert_eq!(self.payload(1).await, b"x");
        self.say("\r\n+QFUPL: 1,7800\r\n\r\nOK\r\n").await;
        self.obey_until(is_upload).await
    }

    /// Through the end of an upload that succeeds: the marker goes, and the file is looked for.
    pub async fn lists(&mut self, name: &str, size: usize) {
        self.obey_until(|command| command == "AT+QFLST=\"*\"").await;
        self.say(format!("\r\n+QFLST: \"{name}\",{size}\r\n\r\nOK\r\n"))
            .await;
    }

    /// Does nothing more, with the UART open.
    pub async fn rest(self) -> ! {
        let _uart = self.uart;
        std::future::pending().await
    }
}

/// The answer of a clock that is set.
pub const CLOCK: &str = "\r\n+CCLK: \"26/11/20,12:00:00+00\"\r\n\r\nOK\r\n";

/// What a BG96 says that is registered, has a data connection and a set clock, and nothing open.
pub(crate) fn ordinary_answer(command: &str) -> &'static str {
    match command {
        "AT+IPR?" => "\r\n+IPR: 115200\r\n\r\nOK\r\n",
        "AT+CPIN?" => "\r\n+CPIN: READY\r\n\r\nOK\r\n",
        "AT+CEREG?" => "\r\n+CEREG: 0,1\r\n\r\nOK\r\n",
        "AT+QIACT?" => "\r\n+QIACT: 1,1,1,\"10.0.0.1\"\r\n\r\nOK\r\n",
        "AT+CCLK?" => CLOCK,
        "AT+QFLST=\"*\"" => {
            "\r\n+QFLST: \"st1.ca\",1200\r\n+QFLST: \"st1.crt\",1200\r\n+QFLST: \"st1.key\",1700\r\n\r\nOK\r\n"
        }
        // Nothing is open at first.
        _ if command.starts_with("AT+QSSLCLOSE") => "\r\nERROR\r\n",
        _ => "\r\nOK\r\n",
    }
}
