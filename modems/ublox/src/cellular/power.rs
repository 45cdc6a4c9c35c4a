//! Power off (sheet B.1.1).

use sectag::modem::ask;

use super::{Script, UbloxCellular};

impl UbloxCellular {
    /// Switches the module off. It leaves the network first, which takes up to 40 s.
    pub(crate) const POWER_OFF: Script = &[ask("AT+CPWROFF").limit(400)];
}
