//! Echoes what a server sends, over the TLS inside a BG96, with atat's client and commands written for this one
//! exchange. It is built to be measured, beside `echo_modem`: see `tests/firmware/comparison`.
//!
//! No setting is read back, no answer is compared with what was asked, no failure is recovered from, and what atat takes for an
//! answer inside payload breaks it.
#![no_std]
#![no_main]

use core::fmt::Write as _;

use atat::asynch::{AtatClient, Client};
use atat::atat_derive::{AtatCmd, AtatResp, AtatUrc};
use atat::{AtDigester, AtatIngress, Config, Error, Ingress, ResponseSlot, UrcChannel};
use embassy_executor::Spawner;
use embassy_time::{Duration, Timer, with_timeout};
use heapless::{String, Vec};
use sectag_firmware::board::uart::{UartRx, UartTx};
use sectag_firmware::board::{Board, exit};
use static_cell::ConstStaticCell;

#[derive(Clone, AtatResp)]
struct Done;

#[derive(Clone, AtatCmd)]
#[at_cmd("E0", Done)]
struct EchoOff;

#[derive(Clone, AtatCmd)]
#[at_cmd("+CMEE=1", Done)]
struct NumericErrors;

#[derive(Clone, AtatResp)]
struct SimState {
    _state: String<16>,
}

#[derive(Clone, AtatCmd)]
#[at_cmd("+CPIN?", SimState)]
struct SimQuery;

#[derive(Clone, AtatResp)]
struct Registration {
    _mode: u8,
    status: u8,
}

#[derive(Clone, AtatCmd)]
#[at_cmd("+CEREG?", Registration)]
struct RegistrationQuery;

#[derive(Clone, AtatCmd)]
#[at_cmd("+QIACT", Done, timeout_ms = 150_000)]
struct Activate {
    context: u8,
}

#[derive(Clone, AtatCmd)]
#[at_cmd("+QSSLCFG", Done)]
struct NumberSetting {
    key: String<16>,
    context: u8,
    value: u32,
}

#[derive(Clone, AtatCmd)]
#[at_cmd("+QSSLCFG", Done)]
struct FileSetting {
    key: String<16>,
    context: u8,
    file: String<16>,
}

#[derive(Clone, AtatCmd)]
#[at_cmd("+QSSLOPEN", Done)]
struct Open {
    pdp: u8,
    context: u8,
    id: u8,
    host: String<64>,
    port: u16,
    mode: u8,
}

#[derive(Clone, AtatCmd)]
#[at_cmd("+QSSLSEND", Done, timeout_ms = 5000)]
struct Send {
    id: u8,
    count: usize,
}

/// The bytes behind the prompt of [`Send`].
struct Data<'a>(&'a [u8]);

impl atat::AtatCmd for Data<'_> {
    type Response = Done;
    const MAX_TIMEOUT_MS: u32 = 120_000;

    fn write(&self, buf: &mut [u8]) -> usize {
        buf[..self.0.len()].copy_from_slice(self.0);
        self.0.len()
    }

    fn parse(&self, answer: Result<&[u8], atat::InternalError<'_>>) -> Result<Done, Error> {
        answer?;
        Ok(Done)
    }
}

#[derive(Clone)]
struct Payload(Vec<u8, 64>);

impl atat::AtatResp for Payload {}

struct Fetch {
    id: u8,
    limit: u16,
}

impl atat::AtatCmd for Fetch {
    type Response = Payload;
    const MAX_TIMEOUT_MS: u32 = 5000;

    fn write(&self, buf: &mut [u8]) -> usize {
        let mut line = String::<32>::new();
        let _ = write!(line, "AT+QSSLRECV={},{}\r\n", self.id, self.limit);
        buf[..line.len()].copy_from_slice(line.as_bytes());
        line.len()
    }

    fn parse(&self, answer: Result<&[u8], atat::InternalError<'_>>) -> Result<Payload, Error> {
        let answer = answer?;
        let header = answer.iter().position(|&byte| byte == b'\n');
        let payload = &answer[header.ok_or(Error::Parse)? + 1..];
        Vec::from_slice(payload)
            .map(Payload)
            .map_err(|_| Error::Parse)
    }
}

#[derive(Clone, AtatCmd)]
#[at_cmd("+QSSLCLOSE", Done, timeout_ms = 15_000)]
struct Close {
    id: u8,
    seconds: u8,
}

#[derive(Clone, AtatResp)]
struct Opened {
    id: u8,
    result: u16,
}

#[derive(Clone, AtatResp)]
struct Notice {
    what: String<8>,
    _id: u8,
}

#[derive(Clone, AtatUrc)]
enum Urc {
    #[at_urc("+QSSLOPEN")]
    Opened(Opened),
    #[at_urc("+QSSLURC")]
    Notice(Notice),
}

/// The longest answer or notice, as large as the receive ring of `echo_modem`.
const BUFFER: usize = 1024;
static ANSWER: ResponseSlot<BUFFER> = ResponseSlot::new();
static NOTICES: UrcChannel<Urc, 4, 1> = UrcChannel::new();
static INGRESS: ConstStaticCell<[u8; BUFFER]> = ConstStaticCell::new([0; BUFFER]);
static COMMAND: ConstStaticCell<[u8; 512]> = ConstStaticCell::new([0; 512]);

#[embassy_executor::main(
    entry = "cortex_m_rt::entry",
    executor = "sectag_firmware::board::Executor"
)]
async fn main(spawner: Spawner) {
    let Some(board) = Board::take() else {
        exit::failure()
    };
    let (rx, tx) = board.uart.start(115_200);
    let ingress = Ingress::new(AtDigester::new(), INGRESS.take(), &ANSWER, &NOTICES);
    match ingress_task(ingress, rx) {
        Ok(token) => spawner.spawn(token),
        Err(_) => exit::failure(),
    }
    let mut client = Client::new(tx, &ANSWER, COMMAND.take(), Config::default());
    match echo(&mut client).await {
        Ok(()) => exit::success(),
        Err(_) => exit::failure(),
    }
}

#[embassy_executor::task]
async fn ingress_task(
    mut ingress: Ingress<'static, AtDigester<Urc>, Urc, BUFFER, 4, 1>,
    mut rx: UartRx,
) -> ! {
    ingress.read_from(&mut rx).await
}

async fn echo(client: &mut Client<'static, UartTx, BUFFER>) -> Result<(), Error> {
    let mut notices = NOTICES.subscribe().map_err(|_| Error::Parse)?;
    client.send(&EchoOff).await?;
    client.send(&NumericErrors).await?;
    client.send(&SimQuery).await?;
    while !matches!(client.send(&RegistrationQuery).await?.status, 1 | 5) {
        Timer::after_secs(1).await;
    }
    client.send(&Activate { context: 1 }).await?;
    for (key, value) in [
        ("sslversion", 3),
        ("ciphersuite", 0xc02f),
        ("seclevel", 2),
        ("ignorelocaltime", 0),
    ] {
        let key = text(key);
        let setting = NumberSetting {
            key,
            context: 0,
            value,
        };
        client.send(&setting).await?;
    }
    for (key, file) in [
        ("cacert", "st7.ca"),
        ("clientcert", "st7.crt"),
        ("clientkey", "st7.key"),
    ] {
        let (key, file) = (text(key), text(file));
        let setting = FileSetting {
            key,
            context: 0,
            file,
        };
        client.send(&setting).await?;
    }
    let open = Open {
        pdp: 1,
        context: 0,
        id: 0,
        host: text("broker.sectag.test"),
        port: 8883,
        mode: 0,
    };
    client.send(&open).await?;
    loop {
        let notice = with_timeout(Duration::from_secs(150), notices.next_message_pure()).await;
        match notice.map_err(|_| Error::Timeout)? {
            Urc::Opened(Opened { id: 0, result: 0 }) => break,
            Urc::Opened(_) => return Err(Error::Error),
            Urc::Notice(_) => {}
        }
    }
    loop {
        match notices.next_message_pure().await {
            Urc::Notice(notice) if notice.what == "recv" => {}
            Urc::Notice(_) => break,
            Urc::Opened(_) => continue,
        }
        loop {
            let Payload(bytes) = client.send(&Fetch { id: 0, limit: 64 }).await?;
            if bytes.is_empty() {
                break;
            }
            let count = bytes.len();
            client.send(&Send { id: 0, count }).await?;
            client.send(&Data(&bytes)).await?;
        }
    }
    client.send(&Close { id: 0, seconds: 3 }).await?;
    Ok(())
}

/// The text, which fits wherever it is used here.
fn text<const N: usize>(text: &str) -> String<N> {
    String::try_from(text).unwrap_or_default()
}
