//! The port of a modem that `sectag simulate` is, on this computer, and where that finds servers.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use clap::Parser;
use sectag_simulator::LoopbackNetwork;

use crate::args::{Cli, Command, Mapping, PortName};
use crate::processes::Process;
use crate::serial_ports;

/// The network of the simulated modem behind a port, by its `--map`; `None` where no modem is simulated, or this computer does not tell.
pub(crate) fn network(port: &PortName) -> Option<LoopbackNetwork> {
    let maker = match port {
        PortName::Serial(device) => serial_ports::maker(Path::new(device)),
        PortName::Tcp(address) => listener(address),
    };
    of_maps(&maps(maker?.arguments())?)
}

/// What a `sectag simulate` was called with; `None` for any other program.
fn maps(arguments: Vec<String>) -> Option<Vec<Mapping>> {
    match Cli::try_parse_from(arguments).ok()?.command {
        Command::Simulate(simulated) => Some(simulated.map),
        _ => None,
    }
}

fn of_maps(maps: &[Mapping]) -> Option<LoopbackNetwork> {
    let mut network = LoopbackNetwork::new();
    for Mapping { server, target } in maps {
        network.map(&server.host, server.port, *target).ok()?;
    }
    Some(network)
}

/// The program that listens on a TCP port of this computer.
fn listener(address: &str) -> Option<Process> {
    let mut addresses = address.to_socket_addrs().ok()?;
    let address = addresses.find(|address| address.ip().is_loopback())?;
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let socket = table.lines().find_map(|line| listening(line, address))?;
    Process::others().find(|program| program.has_open(&socket))
}

/// What `/proc` calls the socket of a line of `/proc/net/tcp`, if it listens on the port of `address`.
fn listening(line: &str, address: SocketAddr) -> Option<PathBuf> {
    // proc(5): sl, local_address, rem_address, st, queues, timers, retransmissions, uid, timeout, inode.
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    const LISTEN: &str = "0A";
    let (_, port) = local.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    (*state == LISTEN && port == address.port()).then(|| format!("socket:[{inode}]").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_modem_tells_its_network_by_how_it_was_called() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect();
        let line =
            "/usr/bin/sectag simulate --modem bg96 --tcp 0 --map a.example:8883=127.0.0.1:18883";
        let network = of_maps(&maps(words(line)).unwrap()).unwrap();
        assert_eq!(network.resolve("a.example", 8883).unwrap().port(), 18883);
        assert!(network.resolve("b.example", 8883).is_err());
        assert!(maps(words("sectag ports")).is_none());
        assert!(maps(words("socat pty tcp:127.0.0.1:1")).is_none());
    }

    #[test]
    fn the_listener_of_a_port_is_in_the_table_of_the_system() {
        let table = "   0: 0100007F:4523 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0";
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        assert_eq!(listening(table, at(0x4523)), Some("socket:[4711]".into()));
        assert_eq!(listening(table, at(0x4524)), None);
        // A connection from that port is no listener.
        assert_eq!(listening(&table.replace(" 0A ", " 01 "), at(0x4523)), None);
        assert_eq!(
            listening("  sl  local_address rem_address   st", at(1)),
            None
        );
    }
}
