//! Release assistance: the application says that what it writes next is the last for now, so that the network lets the
//! radio go at once, and not after the seconds of silence for which it otherwise keeps it (3GPP TS 36.321, 5.4.5; TS
//! 24.301, 9.9.4.25).

use crate::engine::{Phase, Protocol as _};
use crate::modem::{LastData, ReleasesRadio};
use crate::socket::{Socket, Sockets};

/// Says of one connection that its next data is the last for now. It borrows nothing of the [`Socket`], so that it stays
/// with the application while an MQTT client owns that; once the connection has ended it does nothing.
pub struct RadioRelease<'a, M: ReleasesRadio> {
    sockets: Sockets<'a, M>,
    slot: u8,
    id: u8,
    /// Which connection of its slot it is.
    opens: u16,
}

impl<M: ReleasesRadio> Clone for RadioRelease<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: ReleasesRadio> Copy for RadioRelease<'_, M> {}

impl<'a, M: ReleasesRadio> Sockets<'a, M> {
    /// The means to say that the next data of `socket` is the last.
    pub fn radio_release(&self, socket: &Socket<'a>) -> RadioRelease<'a, M> {
        let slot = socket.slot();
        let world = self.world.borrow();
        RadioRelease {
            sockets: *self,
            slot,
            opens: self.engine.borrow().backend().opens_in(slot),
            id: world.slots[usize::from(slot)].id,
        }
    }
}

impl<M: ReleasesRadio> RadioRelease<'_, M> {
    /// The next send after which nothing waits to be sent is the last, which the modem is told just before it: call this,
    /// then write, then flush. It holds for that one send; what is written later is sent as if this had not been said,
    /// and costs a radio connection more (some 10 s of the radio, where the network would have kept it).
    ///
    /// It is a hint. A cell without release assistance ignores it, a firmware that refuses it is sent the data all the
    /// same, and the modem combines what is said of all its sockets. Where the network releases the radio, what the peer
    /// sends meanwhile comes with the next paging or the next send.
    pub fn last_data(&self, expected: LastData) {
        let world = self.sockets.world.borrow();
        let slot = &world.slots[usize::from(self.slot)];
        if slot.phase == Phase::Open && slot.id == self.id {
            let mut engine = self.sockets.engine.borrow_mut();
            let modem = engine.backend_mut();
            if modem.opens_in(self.slot) == self.opens {
                modem.mark_last(self.id, expected);
            }
        }
    }
}
