//! The opcodes of commands and messages (sheet 3.5 and 3.6).

/// The bit that commands have; the opcode of an answer is that of its command without it.
pub(crate) const FROM_HOST: u16 = 0x8000;

// Commands.
pub(crate) const DEVICE_GET: u16 = 0x8466;
pub(crate) const DEVICE_SET: u16 = 0x84b7;
pub(crate) const STOP: u16 = 0x8473;
pub(crate) const WLAN_CONNECT: u16 = 0x8c80;
pub(crate) const WLAN_DISCONNECT: u16 = 0x8c81;
pub(crate) const WLAN_POLICY: u16 = 0x8c86;
pub(crate) const PROVISIONING: u16 = 0x8c98;
pub(crate) const DNS: u16 = 0x9c20;
pub(crate) const SOCKET: u16 = 0x9401;
pub(crate) const CLOSE: u16 = 0x9402;
pub(crate) const CONNECT: u16 = 0x9406;
pub(crate) const SET_OPTION: u16 = 0x9408;
pub(crate) const GET_OPTION: u16 = 0x9409;
pub(crate) const RECV: u16 = 0x940a;
pub(crate) const SEND: u16 = 0x940c;
pub(crate) const FILE_OPEN: u16 = 0xa43c;
pub(crate) const FILE_CLOSE: u16 = 0xa43d;
pub(crate) const FILE_READ: u16 = 0xa440;
pub(crate) const FILE_WRITE: u16 = 0xa441;
pub(crate) const FILE_INFO: u16 = 0xa442;
pub(crate) const FILE_DELETE: u16 = 0xa443;
pub(crate) const FILE_LIST: u16 = 0xa448;

// Messages that are not the answer to a command.
pub(crate) const INIT_COMPLETE: u16 = 0x0008;
pub(crate) const ABORT: u16 = 0x000c;
pub(crate) const STOPPED: u16 = 0x0073;
pub(crate) const GENERAL_ERROR: u16 = 0x0078;
pub(crate) const PAYLOAD_SIZE: u16 = 0x0079;
pub(crate) const RESET_REQUEST: u16 = 0x0099;
pub(crate) const COUNT_ONLY: u16 = 0x0063;
pub(crate) const CONNECTED: u16 = 0x0880;
pub(crate) const DISCONNECTED: u16 = 0x0881;
pub(crate) const JOIN_FAILED: u16 = 0x0831;
pub(crate) const CONNECT_RESULT: u16 = 0x1006;
pub(crate) const RECEIVED: u16 = 0x100a;
pub(crate) const TX_FAILED: u16 = 0x100e;
pub(crate) const SOCKET_EVENT: u16 = 0x100f;
pub(crate) const CLOSED: u16 = 0x1010;
pub(crate) const DNS_RESULT: u16 = 0x1820;
pub(crate) const IPV4_ACQUIRED: u16 = 0x1825;
pub(crate) const IPV4_LOST: u16 = 0x1832;
pub(crate) const DHCP_TIMEOUT: u16 = 0x1833;
