//! Release assistance: the application announces the last data for now, so that the network releases the radio connection
//! at once, instead of after seconds of silence (3GPP TS 36.321, 5.4.5; TS 24.301, 9.9.4.25).

use crate::control::Control;
use crate::engine::{Phase, Protocol as _};
use crate::modem::{LastData, ReleasesRadio};
use crate::socket::Socket;

/// A handle that announces the last data of one connection. It borrows nothing from the [`Socket`], so an application can
/// keep it while an MQTT client owns the socket. Once the connection has ended, it does nothing.
pub struct RadioRelease<'a, M: ReleasesRadio> {
    control: Control<'a, M>,
    slot: u8,
    id: u8,
    /// The number of the connection in its slot, see [`ReleasesRadio::opens_in`].
    opens: u16,
}

impl<M: ReleasesRadio> Clone for RadioRelease<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: ReleasesRadio> Copy for RadioRelease<'_, M> {}

impl<'a, M: ReleasesRadio> Control<'a, M> {
    /// Makes a handle that announces the last data of `socket`.
    pub fn radio_release(&self, socket: &Socket<'a>) -> RadioRelease<'a, M> {
        let slot = socket.slot();
        let world = self.world.borrow();
        RadioRelease {
            control: *self,
            slot,
            opens: self.engine.borrow().backend().opens_in(slot),
            id: world.slots[usize::from(slot)].id,
        }
    }
}

impl<M: ReleasesRadio> RadioRelease<'_, M> {
    /// Announces that the next data is the last: call this, then write, then flush. The modem is told just before the next
    /// send that leaves nothing waiting. It holds for that one send. Data that is written later is sent as usual, and needs
    /// another radio connection (some 10 s of the radio).
    ///
    /// It is a hint. A cell without release assistance ignores it, the data is sent even where the firmware refuses it,
    /// and the modem combines the hints of all its sockets. Once the network has released the radio, data of the peer
    /// comes with the next paging or the next send.
    pub fn last_data(&self, expected: LastData) {
        let world = self.control.world.borrow();
        let slot = &world.slots[usize::from(self.slot)];
        if slot.phase == Phase::Open && slot.id == self.id {
            let mut engine = self.control.engine.borrow_mut();
            let modem = engine.backend_mut();
            if modem.opens_in(self.slot) == self.opens {
                modem.mark_last(self.id, expected);
            }
        }
    }
}
