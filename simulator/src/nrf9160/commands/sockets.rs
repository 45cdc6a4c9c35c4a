//! The commands that open, close, select and connect sockets (sheet 4.1, 4.3 and 5).

use std::io;
use std::rc::Rc;

use super::super::Nrf9160;
use super::super::credentials::{Material, TAG_LIMIT};
use super::super::options::HeapTrap;
use super::super::profile::NativeStore;
use super::super::sockets::{Engine, Kind};
use super::super::state::SharedSocket;
use super::{OK, Outcome, UNKNOWN};
use crate::syntax::{Args, Fail, Op};

/// The longest host name of `#XCONNECT`, in bytes.
const HOST_LIMIT: usize = 127;
const STREAM: u8 = 1;
/// TLS 1.2, as `#XSSOCKET` prints it.
const TLS_1_2: u16 = 258;

impl Nrf9160 {
    pub(super) async fn socket_commands(self: &Rc<Self>, name: &str, op: &Op) -> Outcome {
        let handles = self.options.profile.serial_modem;
        match (name, op) {
            ("XSOCKET" | "XSSOCKET", Op::Set(args)) if !handles && is_close(args) => {
                return self.close_current().await;
            }
            ("XSOCKET", Op::Set(args)) => return self.open_plain(args),
            ("XSSOCKET", Op::Set(args)) => return self.open_secure(args),
            ("XSOCKET" | "XSSOCKET", Op::Read) => self.show_sockets(name == "XSSOCKET"),
            ("XSOCKET", Op::Test) if self.options.profile.unterminated_test => {
                // TRAP, sheet 1.2: no CR LF at its end.
                self.core.send(b"\r\n#XSOCKET: (0,1,2),(1,2,3),(0,1)");
            }
            ("XSOCKET", Op::Test) => self.answer("#XSOCKET: (0,1,2),(1,2,3),(0,1),<cid>"),
            ("XSOCKETSELECT", Op::Set(args)) if !handles => {
                args.count(1, 1)?;
                let handle = args.byte(0, 0..=u8::MAX)?;
                let mut state = self.state.borrow_mut();
                if !state.sockets.contains_key(&handle) {
                    return Err(Fail::Error);
                }
                state.current = Some(handle);
                self.answer(&format!("#XSOCKETSELECT: {handle}"));
            }
            ("XSOCKETSELECT", Op::Read) if !handles => {
                let state = self.state.borrow();
                for (ranking, handle) in (1..).zip(&state.opened) {
                    let Some(socket) = state.sockets.get(handle) else {
                        continue;
                    };
                    let socket = socket.borrow();
                    self.answer(&format!(
                        "#XSOCKETSELECT: {handle},{},0,{STREAM},{},{ranking},{}",
                        socket.family,
                        socket.tag(),
                        socket.cid
                    ));
                }
                if let Some(current) = state.current {
                    self.answer(&format!("#XSOCKETSELECT: {current}"));
                }
            }
            ("XCLOSE", Op::Execute) if handles => {
                let open: Vec<u8> = self.state.borrow().sockets.keys().copied().collect();
                for handle in open {
                    self.close(handle).await;
                    self.answer(&format!("#XCLOSE: {handle},0"));
                }
            }
            ("XCLOSE", Op::Set(args)) if handles => {
                args.count(1, 1)?;
                let handle = args.byte(0, 0..=u8::MAX)?;
                self.socket(handle)?;
                self.close(handle).await;
                self.answer(&format!("#XCLOSE: {handle},0"));
            }
            ("XCONNECT", Op::Set(args)) => {
                let (socket, first) = self.addressed(args)?;
                args.count(first + 2, first + 2)?;
                let host = args.string(first)?;
                let port = args.number(first + 1, 1..=65535)? as u16;
                if host.is_empty() || host.len() > HOST_LIMIT {
                    return Err(Fail::Error);
                }
                if let Err(reason) = self.connect(&socket, host, port).await {
                    log::info!("nrf9160: connecting to {host}:{port}: {reason}");
                    return Err(Fail::Error);
                }
                let handle = socket.borrow().handle;
                self.answer(&if handles {
                    format!("#XCONNECT: {handle},1")
                } else {
                    "#XCONNECT: 1".to_owned()
                });
            }
            ("XGETADDRINFO", Op::Set(args)) => {
                args.count(1, 3)?;
                let host = args.string(0)?;
                // Nothing listens on this port; the connect only shows whether the name exists.
                let known = match self.network.connect(host, 0).await {
                    Ok(_) => true,
                    Err(error) => error.kind() != io::ErrorKind::NotFound,
                };
                if !known || !self.state.borrow().modem.registered {
                    self.answer("#XGETADDRINFO: \"Name or service not known\"");
                    return Err(Fail::Error);
                }
                self.answer("#XGETADDRINFO: \"127.0.0.1\"");
            }
            _ => return UNKNOWN,
        }
        OK
    }

    /// Returns the socket of a command, and the index of its next argument.
    pub(super) fn addressed(&self, args: &Args) -> Result<(SharedSocket, usize), Fail> {
        if self.options.profile.serial_modem {
            return Ok((self.socket(args.byte(0, 0..=u8::MAX)?)?, 1));
        }
        Ok((self.current()?, 0))
    }

    pub(super) fn socket(&self, handle: u8) -> Result<SharedSocket, Fail> {
        let state = self.state.borrow();
        state.sockets.get(&handle).cloned().ok_or(Fail::Error)
    }

    pub(super) fn current(&self) -> Result<SharedSocket, Fail> {
        let current = self.state.borrow().current.ok_or(Fail::Error)?;
        self.socket(current)
    }

    async fn close_current(&self) -> Outcome {
        let current = self.state.borrow().current;
        if let Some(handle) = current {
            self.close(handle).await;
            // Either command answers this line.
            self.answer("#XSOCKET: 0,\"closed\"");
        }
        OK
    }

    fn show_sockets(&self, secure: bool) {
        let state = self.state.borrow();
        let shown: Vec<&SharedSocket> = if self.options.profile.serial_modem {
            state.sockets.values().collect()
        } else {
            let current = state.current.and_then(|handle| state.sockets.get(&handle));
            current.into_iter().collect()
        };
        for socket in shown {
            let socket = socket.borrow();
            if socket.is_tls() != secure && (secure || self.options.profile.serial_modem) {
                continue;
            }
            let (handle, family, cid) = (socket.handle, socket.family, socket.cid);
            self.answer(&if secure {
                format!(
                    "#XSSOCKET: {handle},{family},0,{STREAM},{},{cid}",
                    socket.tag()
                )
            } else {
                format!("#XSOCKET: {handle},{family},0,{STREAM},{cid}")
            });
        }
    }

    fn open_plain(&self, args: &Args) -> Outcome {
        args.count(3, 4)?;
        let family = self.stream_client(args)?;
        let cid = args.number_or(3, 0..=10, 0)? as u8;
        let handle = self.add_socket(family, cid, Kind::Tcp).ok_or(Fail::Error)?;
        self.answer(&format!("#XSOCKET: {handle},{STREAM},6"));
        OK
    }

    /// Checks that the arguments are those of a TLS or TCP client: no datagrams, no raw sockets, no
    /// servers.
    fn stream_client(&self, args: &Args) -> Result<u8, Fail> {
        let family = args.byte(0, 1..=2)?;
        let refused = args.byte(1, 1..=3)? != STREAM || args.byte(2, 0..=1)? != 0;
        // After a failed open there is no current socket (sheet 4).
        if refused {
            self.state.borrow_mut().current = None;
            return Err(Fail::Error);
        }
        Ok(family)
    }

    fn open_secure(&self, args: &Args) -> Outcome {
        args.count(4, 6)?;
        let family = self.stream_client(args)?;
        let tag = args.number(3, 0..=TAG_LIMIT)? as u32;
        let verify = args.number_or(4, 0..=2, 2)? as u8;
        let cid = args.number_or(5, 0..=10, 0)? as u8;
        let engine = self.engine(tag).inspect_err(|_| {
            self.state.borrow_mut().current = None;
        })?;
        let kind = Kind::Tls {
            tag,
            verify,
            engine,
        };
        let handle = self.add_socket(family, cid, kind).ok_or(Fail::Error)?;
        self.answer(&format!("#XSSOCKET: {handle},{STREAM},{TLS_1_2}"));
        OK
    }

    /// Returns whose TLS a socket uses. TRAP, sheet 7.2 and 7.4: native builds up to 2.5 load native
    /// credentials, damage the heap if there are none or if others are in use, and then open the
    /// modem's own TLS socket anyway.
    fn engine(&self, tag: u32) -> Result<Engine, Fail> {
        let Some(native) = self.options.profile.native else {
            return Ok(Engine::Modem);
        };
        if native.store == NativeStore::Settings {
            return Ok(Engine::Native { loaded: None });
        }
        let (loaded, others) = {
            let state = self.state.borrow();
            if i64::from(tag) > TAG_LIMIT / 10 {
                return Err(Fail::Error);
            }
            let others = state.sockets.values();
            let others: Vec<i64> = others
                .map(|socket| socket.borrow())
                .filter(|socket| socket.is_tls())
                .map(|socket| socket.tag())
                .collect();
            (Material::load_mapped(&state.nv.store, tag), others)
        };
        let patched = self.options.patched_native || native.sockets;
        let damaged = match self.options.heap_trap {
            HeapTrap::AsRead => loaded.is_empty() || !others.is_empty(),
            HeapTrap::Always => true,
        };
        if !patched && damaged {
            self.corrupt_heap();
        }
        // A tag cannot be registered twice.
        if loaded.is_empty() || others.contains(&tag.into()) {
            return Err(Fail::Error);
        }
        Ok(if patched {
            Engine::Native {
                loaded: Some(loaded),
            }
        } else {
            Engine::Modem
        })
    }
}

fn is_close(args: &Args) -> bool {
    args.len() == 1 && args.bare(0) == Some("0")
}
