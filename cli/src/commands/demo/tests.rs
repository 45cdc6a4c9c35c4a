//! Worlds under neutral names: the flow gets a modem, a network and files, and must name what is wrong with them.

use sectag::Cause;

use sectag_simulator::{Nrf9160Profile, ShortRangeProfile, UbloxProfile};

use super::modems::{Link, Shown};
use super::show;
use super::steps::Steps;
use super::world;
use crate::args::Scenario;
use crate::clock;
use crate::failure::Failure;
use crate::report::Report;

/// The true cause, and whether it must stand alone; `None` where all ends well.
type Truth = Option<(Cause, bool)>;

const BG96_WORLDS: [(Option<Scenario>, Truth); 13] = [
    (Some(Scenario::Dns), Some((Cause::NameUnknown, true))),
    (
        Some(Scenario::Expired),
        Some((Cause::CertificateExpired, true)),
    ),
    (
        Some(Scenario::NoRegistration),
        Some((Cause::NoCoverage, true)),
    ),
    // It does not check the name: the demo says what that means.
    (Some(Scenario::WrongHost), None),
    (None, None),
    (Some(Scenario::PdpRefused), Some((Cause::ApnWrong, false))),
    (Some(Scenario::WrongCa), Some((Cause::CaMismatch, true))),
    (
        Some(Scenario::RefusedLogin),
        Some((Cause::LoginRefused, true)),
    ),
    (Some(Scenario::SimMissing), Some((Cause::SimMissing, true))),
    (
        Some(Scenario::EcdsaServer),
        Some((Cause::ServerKeyUnsupported, true)),
    ),
    (Some(Scenario::Reset), None),
    (Some(Scenario::ClockUnset), Some((Cause::ClockNotSet, true))),
    (
        Some(Scenario::NoClientCert),
        Some((Cause::ClientCertificateNeeded, true)),
    ),
];

/// The modem has one word for everything that is wrong with a connection: the look from this computer tells it apart.
const NRF9160_WORLDS: [(Option<Scenario>, Truth); 11] = [
    (Some(Scenario::Dns), Some((Cause::NameUnknown, true))),
    (
        Some(Scenario::Expired),
        Some((Cause::CertificateExpired, true)),
    ),
    (
        Some(Scenario::NoRegistration),
        Some((Cause::NoCoverage, false)),
    ),
    (Some(Scenario::WrongHost), Some((Cause::NameMismatch, true))),
    (None, None),
    (Some(Scenario::WrongCa), Some((Cause::CaMismatch, true))),
    (
        Some(Scenario::RefusedLogin),
        Some((Cause::LoginRefused, true)),
    ),
    (Some(Scenario::SimMissing), Some((Cause::SimMissing, true))),
    (Some(Scenario::Reset), None),
    (Some(Scenario::ClockUnset), Some((Cause::ClockNotSet, true))),
    (
        Some(Scenario::NoClientCert),
        Some((Cause::ClientCertificateNeeded, true)),
    ),
];

/// What is left of them where name, dates and time are nobody's to check.
const SHORT_RANGE_WORLDS: [(Option<Scenario>, Truth); 7] = [
    (Some(Scenario::Reset), None),
    (Some(Scenario::Dns), Some((Cause::NameUnknown, true))),
    (Some(Scenario::WrongCa), Some((Cause::CaMismatch, true))),
    (
        Some(Scenario::NoRegistration),
        Some((Cause::WifiNotFound, false)),
    ),
    (None, None),
    (
        Some(Scenario::NoClientCert),
        Some((Cause::ClientCertificateNeeded, true)),
    ),
    (
        Some(Scenario::RefusedLogin),
        Some((Cause::LoginRefused, true)),
    ),
];

/// A u-blox cellular module has one number for all of them, too.
const UBLOX_WORLDS: [(Option<Scenario>, Truth); 12] = [
    (Some(Scenario::Dns), Some((Cause::NameUnknown, true))),
    (
        Some(Scenario::Expired),
        Some((Cause::CertificateExpired, true)),
    ),
    (
        Some(Scenario::NoRegistration),
        Some((Cause::NoCoverage, false)),
    ),
    (Some(Scenario::WrongHost), Some((Cause::NameMismatch, true))),
    (None, None),
    (Some(Scenario::PdpRefused), Some((Cause::ApnWrong, false))),
    (Some(Scenario::WrongCa), Some((Cause::CaMismatch, true))),
    (
        Some(Scenario::RefusedLogin),
        Some((Cause::LoginRefused, true)),
    ),
    (Some(Scenario::SimMissing), Some((Cause::SimMissing, true))),
    (Some(Scenario::Reset), None),
    (Some(Scenario::ClockUnset), Some((Cause::ClockNotSet, true))),
    (
        Some(Scenario::NoClientCert),
        Some((Cause::ClientCertificateNeeded, true)),
    ),
];

/// Runs the flow in a world of which its side does not know the name.
fn run(shown: &Shown, scenario: Option<Scenario>) -> Result<(), Failure> {
    clock::slow_down();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let report = Report::new(true, false);
        let mut steps = Steps::new(&report)?;
        let world = world::build(shown, scenario, &mut steps).await?;
        show::run(shown, &world, &mut steps).await.map(drop)
    })
}

/// A modem, and the worlds that it is shown in.
type Show = (Shown, &'static [(Option<Scenario>, Truth)]);

/// All at once: nearly all of the time they wait.
fn the_true_cause_is_named(shows: &[Show]) {
    let mut threads = Vec::new();
    for (modem, worlds) in shows {
        for (scenario, truth) in *worlds {
            let modem = *modem;
            let thread = std::thread::spawn(move || run(&modem, *scenario));
            threads.push((modem.what(), *scenario, *truth, thread));
        }
    }
    for (modem, scenario, truth, thread) in threads {
        let outcome = thread.join().unwrap();
        let Some((cause, alone)) = truth else {
            assert_eq!(outcome, Ok(()), "{modem} {scenario:?}");
            continue;
        };
        let failure = outcome.expect_err("something is wrong with it");
        let named: Vec<Cause> = failure.causes().collect();
        assert!(
            named.iter().take(2).any(|named| *named == cause),
            "{modem} {scenario:?}: {:#?}",
            failure.lines()
        );
        assert!(
            !alone || named.len() == 1,
            "{modem} {scenario:?}: {:#?}",
            failure.lines()
        );
    }
}

/// A network processor has a number of its own for each of them.
const NWP_WORLDS: [(Option<Scenario>, Truth); 10] = [
    (Some(Scenario::Dns), Some((Cause::NameUnknown, true))),
    (
        Some(Scenario::Expired),
        Some((Cause::CertificateExpired, true)),
    ),
    (
        Some(Scenario::NoRegistration),
        Some((Cause::WifiNotFound, false)),
    ),
    (Some(Scenario::WrongHost), Some((Cause::NameMismatch, true))),
    (None, None),
    (Some(Scenario::WrongCa), Some((Cause::CaMismatch, true))),
    (
        Some(Scenario::RefusedLogin),
        Some((Cause::LoginRefused, true)),
    ),
    (Some(Scenario::Reset), None),
    (Some(Scenario::ClockUnset), Some((Cause::ClockNotSet, true))),
    (
        Some(Scenario::NoClientCert),
        Some((Cause::ClientCertificateNeeded, true)),
    ),
];

/// Where it is only seen that all goes well.
const WELL: [(Option<Scenario>, Truth); 1] = [(None, None)];

#[test]
fn each_modem_names_the_true_cause_whatever_the_world_is_called() {
    let mut shows: Vec<Show> = vec![
        (Shown::Bg96, &BG96_WORLDS),
        (Shown::Nrf9160(Nrf9160Profile::V2_1), &NRF9160_WORLDS),
        (
            Shown::ShortRange(ShortRangeProfile::ODIN),
            &SHORT_RANGE_WORLDS,
        ),
        (Shown::Ublox(UbloxProfile::SARA_R5), &UBLOX_WORLDS),
        (Shown::Nwp, &NWP_WORLDS),
        (Shown::Cc32xx, &NWP_WORLDS),
        (Shown::ShortRange(ShortRangeProfile::NINA), &WELL),
        (Shown::Nrf9160(Nrf9160Profile::V3_1.native()), &WELL),
        (Shown::Nrf9160(Nrf9160Profile::SERIAL_MODEM), &WELL),
    ];
    let models = UbloxProfile::ALL.into_iter();
    let others = models.filter(|profile| !["unknown", "sara-r5"].contains(&profile.name));
    shows.extend(others.map(|profile| (Shown::Ublox(profile), &WELL[..])));
    the_true_cause_is_named(&shows);
}

/// In real time, over slirp.
const PPP_WORLDS: [(Option<Scenario>, Truth); 8] = [
    (None, None),
    (Some(Scenario::Dns), Some((Cause::NameUnknown, true))),
    (
        Some(Scenario::Expired),
        Some((Cause::CertificateExpired, true)),
    ),
    (Some(Scenario::WrongHost), Some((Cause::NameMismatch, true))),
    (Some(Scenario::WrongCa), Some((Cause::CaMismatch, true))),
    (Some(Scenario::ClockUnset), Some((Cause::ClockNotSet, true))),
    (
        Some(Scenario::RefusedLogin),
        Some((Cause::LoginRefused, true)),
    ),
    (
        Some(Scenario::NoClientCert),
        Some((Cause::ClientCertificateNeeded, false)),
    ),
];

#[test]
fn a_module_as_a_link_names_the_true_cause_whatever_the_world_is_called() {
    the_true_cause_is_named(&[
        (Shown::Ppp(Link::ShortRange), &PPP_WORLDS),
        (Shown::Ppp(Link::Cellular(UbloxProfile::SARA_R5)), &WELL),
    ]);
}
