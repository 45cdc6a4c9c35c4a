//! The table of placeholder addresses and the names behind them.

use core::cell::{Cell, Ref, RefCell};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use embassy_sync::blocking_mutex::CriticalSectionMutex;
use embedded_io::ErrorKind;
use heapless::String;

use crate::at::InvalidInput;
use crate::tls::ServerName;

/// The first address of 240.0.0.0/4, which is reserved and routed nowhere (RFC 1112, section 4).
const FIRST: u32 = 0xF000_0000;
/// The last address that is used; 255.255.255.255 is the broadcast address.
const LAST: u32 = 0xFFFF_FFFE;
/// The placeholder for the server of a connector that has only one, see `Connector::to`. Tables never give it out.
pub(super) const THE_ONE: Ipv4Addr = Ipv4Addr::from_bits(FIRST);

/// The last address that was given out in the whole program, so that no two tables give out one address.
static GIVEN_OUT: CriticalSectionMutex<Cell<u32>> = CriticalSectionMutex::new(Cell::new(FIRST));

/// A table of names behind placeholder addresses, for `N` names at a time of up to `LEN` bytes each.
///
/// It implements `Dns` of the crates whose feature is on. A lookup sends nothing: it checks that the text may be a name,
/// and returns the placeholder that stands for it. Whether there is such a host shows at the connect, when the modem
/// resolves the name. A lookup returns at once; dropping one that was not polled has no effect.
///
/// - A name that is in the table keeps its address. A new name takes the place of the name that was used longest ago,
///   whose address is then void: a connect to it fails with `InvalidInput`, until that name is looked up again. A name
///   keeps its place while a connect to it is under way.
/// - An address is never given to a second name, by any table of the program. After 2^28 - 2 addresses (one each second
///   for eight years) new names are refused with [`NameError::Exhausted`], until the MCU restarts. So placeholders must
///   not be kept across a restart.
///
/// The table takes about `LEN` + 24 bytes for each name.
pub struct Names<const N: usize = 4, const LEN: usize = 253> {
    entries: [RefCell<Entry<LEN>>; N],
    /// The number of uses so far, wrapping, by which the name that was used longest ago is found.
    uses: Cell<u32>,
}

struct Entry<const LEN: usize> {
    address: Option<Ipv4Addr>,
    name: String<LEN>,
    used: u32,
}

impl<const N: usize, const LEN: usize> Names<N, LEN> {
    /// Makes an empty table.
    pub const fn new() -> Self {
        const { assert!(N > 0, "a table of names has at least one place") };
        Self {
            entries: [const {
                RefCell::new(Entry {
                    address: None,
                    name: String::new(),
                    used: 0,
                })
            }; N],
            uses: Cell::new(0),
        }
    }

    fn next_use(&self) -> u32 {
        self.uses.set(self.uses.get().wrapping_add(1));
        self.uses.get()
    }

    fn touch(&self, wanted: impl Fn(&Entry<LEN>) -> bool) -> Option<&RefCell<Entry<LEN>>> {
        let found = self.entries.iter().find(|entry| wanted(&entry.borrow()))?;
        // A name that is being connected to is borrowed, and keeps its place.
        if let Ok(mut entry) = found.try_borrow_mut() {
            entry.used = self.next_use();
        }
        Some(found)
    }
}

impl<const N: usize, const LEN: usize> Default for Names<N, LEN> {
    fn default() -> Self {
        Self::new()
    }
}

/// A table of names of any size, as a trait object for connectors.
pub(super) trait Lookup {
    /// Returns the placeholder of a name.
    fn resolve(&self, host: &str) -> Result<Ipv4Addr, NameError>;

    /// Returns the name behind a placeholder. It keeps its place while it is borrowed.
    fn name(&self, address: Ipv4Addr) -> Option<Ref<'_, str>>;
}

impl<const N: usize, const LEN: usize> Lookup for Names<N, LEN> {
    fn resolve(&self, host: &str) -> Result<Ipv4Addr, NameError> {
        let host = ServerName::new(host)?.as_str();
        let known = |entry: &Entry<LEN>| entry.address.is_some() && entry.name == host;
        if let Some(address) = self.touch(known).and_then(|entry| entry.borrow().address) {
            return Ok(address);
        }
        let name = String::try_from(host).map_err(|_| InvalidInput::TooLong { limit: LEN })?;
        let now = self.uses.get();
        let mut entry = self
            .entries
            .iter()
            .filter_map(|entry| entry.try_borrow_mut().ok())
            .max_by_key(|entry| match entry.address {
                None => u32::MAX,
                Some(_) => now.wrapping_sub(entry.used),
            })
            .ok_or(NameError::AllConnecting)?;
        let address = GIVEN_OUT.lock(next).ok_or(NameError::Exhausted)?;
        *entry = Entry {
            address: Some(address),
            name,
            used: self.next_use(),
        };
        Ok(address)
    }

    fn name(&self, address: Ipv4Addr) -> Option<Ref<'_, str>> {
        let entry = self.touch(|entry| entry.address == Some(address))?;
        Some(Ref::map(entry.borrow(), |entry| entry.name.as_str()))
    }
}

/// Gives out the next address; `None` where all were given out.
fn next(given_out: &Cell<u32>) -> Option<Ipv4Addr> {
    if given_out.get() >= LAST {
        return None;
    }
    given_out.set(given_out.get() + 1);
    Some(Ipv4Addr::from_bits(given_out.get()))
}

/// Returns whether an address may be a placeholder of any table.
pub(super) fn is_placeholder(address: Ipv4Addr) -> bool {
    (FIRST..=LAST).contains(&address.to_bits())
}

/// Implements `Dns::get_host_by_address` of both crates.
pub(super) fn reverse(
    lookup: &dyn Lookup,
    address: IpAddr,
    result: &mut [u8],
) -> Result<usize, NameError> {
    let IpAddr::V4(address) = address else {
        return Err(NameError::Unknown);
    };
    let name = lookup.name(address).ok_or(NameError::Unknown)?;
    let place = result
        .get_mut(..name.len())
        .ok_or(NameError::BufferTooSmall { needed: name.len() })?;
    place.copy_from_slice(name.as_bytes());
    Ok(name.len())
}

/// The error of a lookup of a name or an address. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NameError {
    /// All places of the table are held by connects that are under way.
    AllConnecting,
    /// The name behind an address does not fit the caller's buffer.
    BufferTooSmall {
        /// The length of the name in bytes.
        needed: usize,
    },
    /// All placeholders have been given out.
    Exhausted,
    /// The text cannot be a server's name, or is longer than the table's `LEN`.
    InvalidInput(InvalidInput),
    /// An IPv6 address was asked for, and placeholders are IPv4.
    NotIpv6,
    /// The connector is for one server, and the name is that of another.
    OtherServer,
    /// The address stands for no name of this table, or not any more.
    Unknown,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllConnecting => f.write_str(
                "every name of the table is being connected to: make Names larger, or wait for one",
            ),
            Self::BufferTooSmall { needed } => write!(f, "the name takes {needed} bytes"),
            Self::Exhausted => {
                f.write_str("all placeholder addresses have been used: restart the MCU")
            }
            Self::InvalidInput(input) => input.fmt(f),
            Self::NotIpv6 => f.write_str(
                "a name stands behind an IPv4 placeholder only: look it up as IPv4 or either",
            ),
            Self::OtherServer => f.write_str(
                "this connector is for one other server: use Connector::by_name for several",
            ),
            Self::Unknown => {
                f.write_str("no name is behind this address, or no longer: look the name up again")
            }
        }
    }
}

impl core::error::Error for NameError {}

impl embedded_io::Error for NameError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::AllConnecting | Self::Exhausted => ErrorKind::OutOfMemory,
            Self::BufferTooSmall { .. } | Self::InvalidInput(_) | Self::OtherServer => {
                ErrorKind::InvalidInput
            }
            Self::NotIpv6 => ErrorKind::Unsupported,
            Self::Unknown => ErrorKind::NotFound,
        }
    }
}

impl From<InvalidInput> for NameError {
    fn from(input: InvalidInput) -> Self {
        Self::InvalidInput(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_address_and_no_other_gets_it() {
        let names = Names::<3>::new();
        let a = names.resolve("a.example").unwrap();
        let b = names.resolve("b.example").unwrap();
        assert_ne!(a, b);
        assert!(is_placeholder(a) && a != THE_ONE);
        assert_eq!(names.resolve("a.example"), Ok(a));
        assert_eq!(names.resolve("a.example."), Ok(a));
        assert_eq!(&*names.name(a).unwrap(), "a.example");
        // An address of another table has no name here either.
        let other = Names::<3>::new();
        let c = other.resolve("c.example").unwrap();
        assert!(names.name(c).is_none());
        assert!(other.name(a).is_none());
    }

    #[test]
    fn the_name_used_longest_ago_goes_and_its_address_is_void() {
        let names = Names::<2>::new();
        let a = names.resolve("a").unwrap();
        let b = names.resolve("b").unwrap();
        // This counts as a use, as a connect does.
        drop(names.name(a));
        let c = names.resolve("c").unwrap();
        assert!(names.name(b).is_none());
        assert_eq!(&*names.name(a).unwrap(), "a");
        // Looked up again, the name gets another address, and the old one stays void.
        let again = names.resolve("b").unwrap();
        assert!(![a, b, c].contains(&again));
        assert!(names.name(b).is_none());
        assert_eq!(&*names.name(again).unwrap(), "b");
    }

    #[test]
    fn a_name_that_is_connected_to_keeps_its_place() {
        let names = Names::<2>::new();
        let a = names.resolve("a").unwrap();
        let connecting = names.name(a).unwrap();
        for name in ["b", "c", "d"] {
            names.resolve(name).unwrap();
        }
        assert_eq!(&*connecting, "a");
        assert_eq!(names.resolve("a"), Ok(a));
        let d = names.resolve("d").unwrap();
        let _second = names.name(d).unwrap();
        assert_eq!(names.resolve("e"), Err(NameError::AllConnecting));
        drop(connecting);
        assert!(names.resolve("e").is_ok());
        assert!(names.name(a).is_none());
    }

    #[test]
    fn what_is_no_name_is_refused_and_evicts_nothing() {
        let names = Names::<1, 9>::new();
        let a = names.resolve("a.example").unwrap();
        for (text, error) in [
            ("", InvalidInput::Empty),
            ("a\"", InvalidInput::ForbiddenCharacter { at: 1 }),
            ("a\r\nAT", InvalidInput::ForbiddenCharacter { at: 1 }),
            ("aa.example", InvalidInput::TooLong { limit: 9 }),
        ] {
            assert_eq!(names.resolve(text), Err(NameError::InvalidInput(error)));
        }
        assert_eq!(&*names.name(a).unwrap(), "a.example");
    }

    #[test]
    fn addresses_end_and_do_not_go_round() {
        let given_out = Cell::new(LAST - 1);
        assert_eq!(next(&given_out), Some(Ipv4Addr::new(255, 255, 255, 254)));
        assert_eq!(next(&given_out), None);
        assert_eq!(next(&given_out), None);
        assert!(!is_placeholder(Ipv4Addr::BROADCAST));
        assert!(!is_placeholder(Ipv4Addr::new(239, 255, 255, 255)));
    }

    #[test]
    fn the_way_back_never_panics() {
        let names = Names::<2>::new();
        let a = IpAddr::V4(names.resolve("a.example").unwrap());
        let mut buf = [0; 255];
        assert_eq!(reverse(&names, a, &mut buf), Ok(9));
        assert_eq!(&buf[..9], b"a.example");
        assert_eq!(
            reverse(&names, a, &mut buf[..8]),
            Err(NameError::BufferTooSmall { needed: 9 })
        );
        for address in ["192.0.2.1", "2001:db8::1", "255.255.255.255", "240.0.0.0"] {
            let address = address.parse().unwrap();
            assert_eq!(reverse(&names, address, &mut buf), Err(NameError::Unknown));
        }
    }
}
