//! Worlds under neutral names: the flow gets a modem, a network and files, and must name what is wrong with them.

use sectag::Cause;

use sectag_simulator::{Nrf9160Profile, ShortRangeProfile, UbloxProfile};

use super::modems::{Link, Shown};
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
    (Some(Scenario::WrongHost), Some((Cause::NameMismatch, true))),
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
const SHORT_RANGE_WORLDS: [(Option<Scenario>, Truth); 6] = [
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
        shown.run(&world, &mut steps).await.map(drop)
    })
}

#[track_caller]
fn the_true_cause_is_named(modem: fn() -> Shown, worlds: &'static [(Option<Scenario>, Truth)]) {
    let threads: Vec<_> = worlds
        .iter()
        .map(|(scenario, _)| std::thread::spawn(move || run(&modem(), *scenario)))
        .collect();
    for (thread, (scenario, truth)) in threads.into_iter().zip(worlds) {
        let outcome = thread.join().unwrap();
        let Some((cause, alone)) = truth else {
            assert_eq!(outcome, Ok(()), "{scenario:?}");
            continue;
        };
        let failure = outcome.expect_err("something is wrong with it");
        let named: Vec<Cause> = failure.causes().collect();
        assert!(
            named.iter().take(2).any(|named| named == cause),
            "{scenario:?}: {:#?}",
            failure.lines()
        );
        assert!(
            !alone || named.len() == 1,
            "{scenario:?}: {:#?}",
            failure.lines()
        );
    }
}

#[test]
fn a_bg96_names_the_true_cause_whatever_the_world_is_called() {
    the_true_cause_is_named(|| Shown::Bg96, &BG96_WORLDS);
}

#[test]
fn an_nrf9160_names_the_true_cause_whatever_the_world_is_called() {
    the_true_cause_is_named(|| Shown::Nrf9160(Nrf9160Profile::V2_1), &NRF9160_WORLDS);
}

#[test]
fn a_short_range_module_names_the_true_cause_whatever_the_world_is_called() {
    let odin = || Shown::ShortRange(ShortRangeProfile::ODIN);
    the_true_cause_is_named(odin, &SHORT_RANGE_WORLDS);
    assert_eq!(
        run(&Shown::ShortRange(ShortRangeProfile::NINA), None),
        Ok(())
    );
}

#[test]
fn a_ublox_names_the_true_cause_whatever_the_world_is_called() {
    the_true_cause_is_named(|| Shown::Ublox(UbloxProfile::SARA_R5), &UBLOX_WORLDS);
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

#[test]
fn a_network_processor_names_the_true_cause_whatever_the_world_is_called() {
    the_true_cause_is_named(|| Shown::Nwp, &NWP_WORLDS);
}

#[test]
fn the_at_application_names_the_true_cause_whatever_the_world_is_called() {
    the_true_cause_is_named(|| Shown::Cc32xx, &NWP_WORLDS);
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
    the_true_cause_is_named(|| Shown::Ppp(Link::ShortRange), &PPP_WORLDS);
    let cellular = Shown::Ppp(Link::Cellular(UbloxProfile::SARA_R5));
    assert_eq!(run(&cellular, None), Ok(()));
}

#[test]
fn every_model_is_shown() {
    let models = UbloxProfile::ALL.into_iter();
    for profile in models.filter(|profile| profile.name != "unknown") {
        let outcome = run(&Shown::Ublox(profile), None);
        assert_eq!(outcome, Ok(()), "{}", profile.name);
    }
}

#[test]
fn every_dialect_is_shown() {
    for profile in [Nrf9160Profile::V3_1.native(), Nrf9160Profile::SERIAL_MODEM] {
        assert_eq!(
            run(&Shown::Nrf9160(profile), None),
            Ok(()),
            "{}",
            profile.name
        );
    }
}
