//! The status of the chip: version, network, address.

use core::fmt::Write;
use core::net::Ipv4Addr;

use sectag::modem::{Full, HasClock, NotThere, Reports, There};
use sectag::wifi::Association;
use sectag::{At, Status};

use super::Nwp;
use super::command;
use super::engine::Engine;
use super::generation::Generation;
use super::opcode::DEVICE_GET;
use crate::identity::{self, text};

impl<G: Generation> Reports for Nwp<G> {
    async fn status(at: &At<'_, Self>, status: &mut Status) {
        let version = at.modem(|modem| modem.version());
        identity::tell(version, status);
        status.model = Some(text(G::FACTS.parts));
        status.clock = Self::clock(at).await.ok().flatten();
        let asked = at
            .conduct(
                &mut |engine: &mut Engine<G>, w| {
                    engine.begin_guest(w, DEVICE_GET, 0, &mut |out| {
                        command::device_get(out, 1, 12, G::FACTS.version_len.into());
                    })
                },
                // Every header tells whether there is a network; an event told the address.
                |engine| (engine.is_joined(), engine.events.address),
            )
            .await;
        if let Ok((true, address)) = asked {
            let mut wifi = Association::default();
            wifi.ssid = Some(at.modem(|modem| text(modem.config.wifi.ssid())));
            status.wifi = Some(wifi);
            if address != 0 {
                let mut shown = text("");
                let _ = write!(shown, "{}", Ipv4Addr::from(address));
                status.address = Some(shown);
            }
        }
    }
}

impl<G: Generation> Full for Nwp<G> {
    type Clock = There;
    type Sim = NotThere;
    type Lines = NotThere;
}
