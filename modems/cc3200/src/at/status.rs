//! The module's identity and state for `Control::status`.

use sectag::modem::{Full, HasClock, NotThere, Reports, There};
use sectag::{At, Status};

use super::Cc32xx;
use crate::identity;

impl Reports for Cc32xx {
    async fn status(at: &At<'_, Self>, status: &mut Status) {
        let version = at.modem(|modem| modem.version);
        identity::tell(version, status);
        status.clock = Self::clock(at).await.ok().flatten();
    }
}

impl Full for Cc32xx {
    type Clock = There;
    type Sim = NotThere;
    type Lines = There;
}
