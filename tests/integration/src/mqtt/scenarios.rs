//! One function each; a test file calls them for its client, see [`for_client`](crate::for_client).

use std::cell::RefCell;
use std::rc::Rc;

use embassy_time::Duration;
use sectag::NoPins;
use sectag_bg96::Config;
use sectag_simulator::{AtVersion, Options};
use sectag_test_support::pki::Pki;

use super::observer::Listener;
use super::tiny_broker::{self, Seen};
use super::{Device, Login, Message, observer, within};
use crate::brokered::{sends, with_broker_of};
use crate::recovery::Line;
use crate::simulated::{World, virtually};
use crate::unit::{Bg96Unit, Cc32xxUnit, Unit};

/// Makes a test of each scenario for a [`Device`].
#[macro_export]
macro_rules! for_client {
    ($device:ident) => {
        $crate::for_client!(@ $device, $crate::mqtt::scenarios::bg96();
            every_quality_of_service,
            every_size_and_value,
            every_size_and_value_in_pieces,
            keep_alive_over_idle_minutes,
            one_publish_is_one_send,
            retained_messages,
            session_goes_on_after_a_reset_of_the_modem,
            two_connections_hear_each_other,
            will_of_a_connection_that_is_cut,
        );
        mod cc32xx {
            $crate::for_client!(@ super::$device, $crate::mqtt::scenarios::cc32xx();
                every_quality_of_service,
                every_size_and_value,
                session_goes_on_after_a_reset_of_the_modem,
            );
        }
        mod ublox_cellular {
            $crate::for_client!(@ super::$device, $crate::unit::UbloxUnit::new("sara-r5");
                every_quality_of_service,
                every_size_and_value,
            );
        }
        mod ublox_shortrange {
            $crate::for_client!(@ super::$device, $crate::unit::ShortRangeUnit::new("odin");
                every_quality_of_service,
                every_size_and_value,
                session_goes_on_after_a_reset_of_the_modem,
            );
        }
        mod nrf9160 {
            $crate::for_client!(@@ $device: slm_2_1 "2.1", slm_3_1_native "3.1-native", sm "sm",);
        }
    };
    (@@ $device:ident: $($module:ident $dialect:literal,)*) => {
        $(
            mod $module {
                $crate::for_client!(@ super::super::$device, $crate::unit::Nrf9160Unit::new($dialect);
                    every_quality_of_service,
                    every_size_and_value,
                    retained_messages,
                    session_goes_on_after_a_reset_of_the_modem,
                    will_of_a_connection_that_is_cut,
                );
            }
        )*
    };
    (@ $device:ty, $unit:expr; $($scenario:ident,)*) => {
        $(
            #[test]
            fn $scenario() {
                $crate::mqtt::scenarios::$scenario::<$device, _>(&$unit);
            }
        )*
    };
}

/// The modem of the whole set; of the nRF9160, a dialect of each kind has the scenarios that differ.
pub fn bg96() -> Bg96Unit {
    Bg96Unit {
        config: Config::new(),
        options: Options::default(),
    }
}

/// A Wi-Fi module that takes payload as base64 and is asked for it.
pub fn cc32xx() -> Cc32xxUnit {
    Cc32xxUnit::new(AtVersion::Second)
}

/// Each QoS, as publisher and as subscriber.
pub fn every_quality_of_service<D: Device, U: Unit>(unit: &U) {
    with_broker_of(unit, async |site| {
        let mut device = within(D::connect(site.bench, Login::new("qos"))).await;
        within(device.subscribe("qos/#", 2)).await;
        for round in 0..3u8 {
            for qos in 0..=if D::PUBLISHES_QOS_2 { 2 } else { 1 } {
                let topic = format!("qos/{qos}");
                within(device.publish(&topic, &[round, qos], qos, false)).await;
                let message = within(device.receive()).await;
                assert_eq!((message.topic, message.payload), (topic, vec![round, qos]));
            }
            for qos in 1..=2 {
                let payload = [round, qos];
                observer::publish(site.broker.plain_port(), "qos/in", &payload, qos).await;
                assert_eq!(within(device.receive()).await.payload, payload);
            }
        }
        within(device.disconnect()).await;
    });
}

/// Payloads up to 20 kB, of all byte values, and with text that looks like the modem's; back as well, as
/// far as a record of this modem goes.
pub fn every_size_and_value<D: Device, U: Unit>(unit: &U) {
    sizes::<D, U>(unit);
}

/// Sends and receives every size and value over a UART that cuts everything, with URCs inside of responses.
pub fn every_size_and_value_in_pieces<D: Device, U: Unit>(unit: &U) {
    sizes::<D, U>(&unit.in_pieces());
}

fn sizes<D: Device, U: Unit>(unit: &U) {
    with_broker_of(unit, async |site| {
        let mut device = within(D::connect(site.bench, Login::new("sizes"))).await;
        within(device.subscribe("sizes/#", 1)).await;
        // Takes what is too large for the modem.
        let mut witness = Listener::subscribe(site.broker.plain_port(), "large/#").await;
        for size in [0, 1, 64, 1024, 1500, 5000, 20_000] {
            let mut payload: Vec<u8> = (0..size).map(|at| (at * 31 % 256) as u8).collect();
            for (at, trap) in [
                &b"\r\nOK\r\n"[..],
                b"> +++ +++",
                b"+QSSLURC: \"closed\",0\r\n",
                b"#XDATAMODE: 0\r\n",
            ]
            .iter()
            .enumerate()
            {
                let from = at * 300 + 5;
                if from + trap.len() < size {
                    payload[from..from + trap.len()].copy_from_slice(trap);
                }
            }
            // The broker makes one record of it, with a header.
            if size + 100 > unit.record_limit() {
                let topic = format!("large/{size}");
                within(device.publish(&topic, &payload, 1, false)).await;
                let message = within(witness.next()).await;
                assert!(message == (topic, payload), "{size}");
                continue;
            }
            let topic = format!("sizes/{size}");
            within(device.publish(&topic, &payload, 1, false)).await;
            let message = within(device.receive()).await;
            assert!(message.topic == topic, "{message:?}");
            assert!(message.payload == payload, "{message:?}");
        }
        within(device.disconnect()).await;
    });
}

/// Ten minutes without a message, in virtual time: the client pings in time, and the connection stands.
pub fn keep_alive_over_idle_minutes<D: Device, U: Unit>(unit: &U) {
    virtually(async || {
        let world = World::of(unit);
        unit.install(&world.modem, Pki::shared());
        let seen = Rc::new(RefCell::new(Seen::default()));
        let broker = Rc::clone(&seen);
        world.serve(move |client| tiny_broker::serve(client, Rc::clone(&broker)));
        let line = Line::default();
        world
            .attach_driver(line, unit.backend(), NoPins, async |bench| {
                let mut device = D::connect(bench, Login::new("idle")).await;
                let before = sends(&world.modem);
                device.idle(Duration::from_secs(600)).await;
                device.publish("idle", b"still here", 0, false).await;
                device.idle(Duration::from_secs(1)).await;
                let seen = seen.borrow().clone();
                assert_eq!((seen.logins, seen.timeouts), (1, 0), "{seen:?}");
                assert_eq!(seen.publishes.len(), 1);
                assert!(seen.publishes[0].ends_with(b"still here"));
                // Between one and three pings in each minute.
                assert!((9..=30).contains(&seen.pings), "{seen:?}");
                assert_eq!(sends(&world.modem) - before, seen.pings + 1);
            })
            .await
            .expect("the MCU lives");
    });
}

/// A 64-byte publish with QoS 0 is one send exchange, however the client writes it.
pub fn one_publish_is_one_send<D: Device, U: Unit>(unit: &U) {
    with_broker_of(unit, async |site| {
        let mut device = within(D::connect(site.bench, Login::new("wire"))).await;
        within(device.subscribe("wire", 0)).await;
        for round in 0..5 {
            let before = site.sends();
            let payload = [round; 64];
            within(device.publish("wire", &payload, 0, false)).await;
            assert_eq!(within(device.receive()).await.payload, payload);
            assert_eq!(site.sends() - before, 1);
        }
        within(device.disconnect()).await;
    });
}

/// A retained message comes to who subscribes later, until it is cleared.
pub fn retained_messages<D: Device, U: Unit>(unit: &U) {
    with_broker_of(unit, async |site| {
        let mut device = within(D::connect(site.bench, Login::new("keeper"))).await;
        within(device.publish("kept", b"for later", 1, true)).await;
        within(device.subscribe("#", 1)).await;
        let message = within(device.receive()).await;
        assert_eq!(
            (&*message.topic, &*message.payload),
            ("kept", &b"for later"[..])
        );
        assert_ne!(message.retained, Some(false));
        // To who is subscribed already it comes as an ordinary message, also the one that clears it.
        within(device.publish("kept", b"", 1, true)).await;
        let message = within(device.receive()).await;
        assert_eq!((&*message.topic, &*message.payload), ("kept", &b""[..]));
        assert_ne!(message.retained, Some(true));
        within(device.disconnect()).await;
        let mut device = within(D::connect(site.bench, Login::new("late"))).await;
        within(device.subscribe("#", 1)).await;
        within(device.publish("marker", b"", 1, false)).await;
        assert_eq!(within(device.receive()).await.topic, "marker");
        within(device.disconnect()).await;
    });
}

/// What was published while the modem restarted comes after the reconnect, without subscribing again.
pub fn session_goes_on_after_a_reset_of_the_modem<D: Device, U: Unit>(unit: &U) {
    with_broker_of(&unit.quick(), async |site| {
        let mut device = within(D::connect(site.bench, Login::new("again"))).await;
        let reset_and_reconnect = async |device: &mut D, payload: &[u8]| {
            site.modem.reset();
            within(device.lost()).await;
            observer::publish(site.broker.plain_port(), "again", payload, 1).await;
            within(device.reconnect(site.bench)).await;
        };
        let mut resets = 0;
        if !D::KEEPS_FIRST_SESSION {
            resets += 1;
            reset_and_reconnect(&mut device, b"to nobody").await;
        }
        within(device.subscribe("again", 1)).await;
        for _ in 0..2 {
            resets += 1;
            reset_and_reconnect(&mut device, &[resets]).await;
            receive_among_duplicates(&mut device, &[resets]).await;
        }
        within(device.publish("again", b"and on", 1, false)).await;
        receive_among_duplicates(&mut device, b"and on").await;
        assert_eq!(site.bench.control.counters().restarts, u32::from(resets));
        within(device.disconnect()).await;
    });
}

/// With QoS 1 the broker repeats what was not acknowledged before a reset.
async fn receive_among_duplicates<D: Device>(device: &mut D, payload: &[u8]) {
    for _ in 0..3 {
        if within(device.receive()).await.payload == payload {
            return;
        }
    }
    panic!("{payload:?} has not come");
}

/// Two devices on the two sockets of one modem.
pub fn two_connections_hear_each_other<D: Device, U: Unit>(unit: &U) {
    with_broker_of(unit, async |site| {
        let mut a = within(D::connect(site.bench, Login::new("a"))).await;
        let mut b = within(D::connect(site.bench, Login::new("b"))).await;
        within(a.subscribe("to/a", 1)).await;
        within(b.subscribe("to/b", 1)).await;
        for round in 0..5u8 {
            let payload = [round; 40];
            within(b.publish("to/a", &payload, 1, false)).await;
            within(a.publish("to/b", &payload, 0, false)).await;
            assert_eq!(within(a.receive()).await.payload, payload);
            assert_eq!(within(b.receive()).await.payload, payload);
        }
        within(a.disconnect()).await;
        within(b.disconnect()).await;
    });
}

/// The broker speaks the will of a device whose connection goes without a DISCONNECT, and only of that.
pub fn will_of_a_connection_that_is_cut<D: Device, U: Unit>(unit: &U) {
    with_broker_of(unit, async |site| {
        let mut witness = within(D::connect(site.bench, Login::new("witness"))).await;
        within(witness.subscribe("wills/#", 1)).await;
        let login = Login {
            will: Some(("wills/left", b"says no good-bye")),
            ..Login::new("polite")
        };
        let polite = within(D::connect(site.bench, login)).await;
        within(polite.disconnect()).await;
        let login = Login {
            will: Some(("wills/cut", b"is gone")),
            ..Login::new("mortal")
        };
        let mortal = within(D::connect(site.bench, login)).await;
        within(mortal.cut()).await;
        let Message { topic, payload, .. } = within(witness.receive()).await;
        assert_eq!((&*topic, &*payload), ("wills/cut", &b"is gone"[..]));
        within(witness.disconnect()).await;
    });
}
