//! The port to the modem: a serial device, a pseudo terminal, or a TCP connection.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::str::FromStr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_serial::{DataBits, FlowControl, Parity, SerialPortBuilderExt, StopBits};

use crate::hints::{self, Failure};

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// What `--port` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PortName {
    Serial(String),
    Tcp(String),
}

impl FromStr for PortName {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.strip_prefix("tcp:") {
            Some(address) => Self::Tcp(address.into()),
            None => Self::Serial(text.into()),
        })
    }
}

impl fmt::Display for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(device) => f.write_str(device),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

/// Opens the port raw, 8N1.
pub(crate) async fn open(
    name: &PortName,
    baud: u32,
    flow_control: bool,
) -> Result<Box<dyn Stream>, Failure> {
    let opened = match name {
        PortName::Serial(device) => serial(device, baud, flow_control),
        PortName::Tcp(address) => tcp(address).await,
    };
    opened.map_err(|error| hints::port(name, &error))
}

fn serial(device: &str, baud: u32, flow_control: bool) -> io::Result<Box<dyn Stream>> {
    // tokio-serial sets raw mode, and takes the device for itself.
    let stream = tokio_serial::new(device, baud)
        .data_bits(DataBits::Eight)
        .parity(Parity::None)
        .stop_bits(StopBits::One)
        .flow_control(if flow_control {
            FlowControl::Hardware
        } else {
            FlowControl::None
        })
        .open_native_async()?;
    Ok(Box::new(stream))
}

async fn tcp(address: &str) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}
