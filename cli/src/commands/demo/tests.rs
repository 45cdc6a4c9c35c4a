//! Worlds under neutral names: the flow gets a modem, a network and files, and must name what is wrong with them.

use sectag::Cause;

use super::steps::Steps;
use super::{flow, world};
use crate::args::Scenario;
use crate::failure::Failure;
use crate::report::Report;

/// The true cause, and whether it must stand alone; `None` where all ends well.
type Truth = Option<(Cause, bool)>;

const WORLDS: [(Option<Scenario>, Truth); 13] = [
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

/// Runs the flow in the world of this number, which is all that the flow's side knows of it.
fn run(number: usize) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let report = Report::new(true, false);
        let mut steps = Steps::new(&report)?;
        let world = world::build(WORLDS[number].0, &mut steps).await?;
        flow::run(&world.modem, &world.names, &world.files, &mut steps)
            .await
            .map(drop)
    })
}

#[test]
fn the_true_cause_is_named_whatever_the_world_is_called() {
    let threads: Vec<_> = (0..WORLDS.len())
        .map(|number| std::thread::spawn(move || run(number)))
        .collect();
    for (thread, (scenario, truth)) in threads.into_iter().zip(WORLDS) {
        let outcome = thread.join().unwrap();
        let Some((cause, alone)) = truth else {
            assert_eq!(outcome, Ok(()), "{scenario:?}");
            continue;
        };
        let failure = outcome.expect_err("something is wrong with it");
        let named: Vec<Cause> = failure.causes().collect();
        assert!(
            named.iter().take(2).any(|named| *named == cause),
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
