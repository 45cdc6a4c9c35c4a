//! The notices of the streams in atat's derives. In a file of its own, so that `tests/bench` can tell the
//! code that the derives make from the bench's.

use atat::atat_derive::{AtatResp, AtatUrc};
use heapless::String;

/// What may come unasked in the streams.
#[derive(Clone, AtatUrc)]
#[allow(missing_docs)]
pub enum Urc {
    #[at_urc("+QSSLURC")]
    Socket(SocketUrc),
    #[at_urc("+CEREG")]
    Registration(RegistrationUrc),
    #[at_urc("+QIND")]
    Signal(SignalUrc),
    #[at_urc("+CTZV")]
    Zone(ZoneUrc),
}

/// Its fields.
#[derive(Clone, AtatResp)]
pub struct SocketUrc {
    #[at_arg(position = 0)]
    _what: String<16>,
    #[at_arg(position = 1)]
    _id: u8,
}

/// Its fields.
#[derive(Clone, AtatResp)]
pub struct RegistrationUrc {
    #[at_arg(position = 0)]
    _status: u8,
    #[at_arg(position = 1)]
    _area: Option<String<8>>,
    #[at_arg(position = 2)]
    _cell: Option<String<12>>,
    #[at_arg(position = 3)]
    _technology: Option<u8>,
}

/// Its fields.
#[derive(Clone, AtatResp)]
pub struct SignalUrc {
    #[at_arg(position = 0)]
    _what: String<8>,
    #[at_arg(position = 1)]
    _strength: u8,
    #[at_arg(position = 2)]
    _errors: u8,
}

/// Its fields.
#[derive(Clone, AtatResp)]
pub struct ZoneUrc {
    #[at_arg(position = 0)]
    _zone: String<8>,
}
