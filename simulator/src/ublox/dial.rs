//! The data call: `ATD*99***<cid>#`, and the PPP link until it ends (ppp sheet, B.3).

use embassy_futures::select::{Either, select};
use embassy_time::Instant;

use super::Ublox;
use crate::ppp::{Carrier, Services, carry};
use crate::syntax::Fail;

/// The trouble of a dial that ends in `NO CARRIER`, by the remedy that ends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DialTrouble {
    /// No trouble: dials succeed.
    #[default]
    None,
    /// After `AT+CGATT=0` and `AT+CGATT=1`.
    UntilAttached,
    /// After a restart of the module.
    UntilRestarted,
    /// No remedy helps.
    Always,
}

/// Returns the context of a dial; `None` if the line is not a dial.
pub(super) fn dialled(line: &[u8]) -> Option<u8> {
    let line = line.to_ascii_uppercase();
    let rest = line.strip_prefix(b"ATD*99")?;
    match rest {
        b"#" => Some(1),
        [b'*', b'*', b'*', digit @ b'1'..=b'9', b'#'] => Some(digit - b'0'),
        _ => None,
    }
}

impl Ublox {
    /// Answers the dial, and carries the PPP link until it has ended.
    pub(super) async fn dial(&self, context: u8) {
        let Some(connect) = self.options.profile.connect else {
            return self.fail(Fail::Unknown);
        };
        let defined = context == 1 || self.state.borrow().now.contexts.contains(&context);
        let mended = self.mended.get() >= self.options.dial_trouble;
        let refused = self.options.refuses_data || !defined || !mended;
        if !self.state.borrow().now.registered || refused {
            return self.hung_up();
        }
        self.core.send(format!("\r\n{connect}\r\n").as_bytes());
        self.in_call.set(true);
        let services = Services::new(self.network.clone(), self.network_clock, None);
        let carrier = Carrier {
            core: &self.core,
            own: [10, 64, 64, 64],
        };
        let link = carry(carrier, &self.options.ppp, services);
        let gone = self.core.until(|| !self.state.borrow().now.registered);
        if let Either::First(Err(error)) = select(link, gone).await {
            log::error!("{error}");
        }
        self.in_call.set(false);
        self.hung_up();
    }

    fn hung_up(&self) {
        self.core.send(b"\r\nNO CARRIER\r\n");
        self.result_at.set(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::dialled;

    #[test]
    fn dials_are_told_from_other_lines() {
        for (line, context) in [
            (&b"ATD*99***1#"[..], Some(1)),
            (b"atd*99***4#", Some(4)),
            (b"ATD*99#", Some(1)),
            (b"ATD*99***0#", None),
            (b"ATD*99***12#", None),
            (b"ATD112", None),
        ] {
            assert_eq!(dialled(line), context);
        }
    }
}
