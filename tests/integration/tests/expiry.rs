//! When certificates end: from the modem where it tells, else read back.

use embassy_futures::join::join;
use embassy_time::{Instant, Timer};
use sectag::clock::DateTime;
use sectag::modem::{Full, HasClock};
use sectag::{Control, CredentialError, Kind, NoPins, Tag};
use sectag_bg96::Config;
use sectag_integration_tests::Bench;
use sectag_integration_tests::recovery::Line;
use sectag_integration_tests::simulated::{World, virtually};
use sectag_integration_tests::unit::{
    Bg96Unit, Cc32xxUnit, Nrf9160Unit, ShortRangeUnit, UbloxUnit, Unit,
};
use sectag_simulator::{AtVersion, Failure, Options};
use sectag_test_support::pki::{Pki, Validity};

const TAG: Tag = Tag(5);

/// Stores a certificate that ends soon beside a CA that does not, and asks.
fn ends<U: Unit>(unit: &U, command: &str) {
    let name = unit.name();
    let validity = Validity::from_ymd((2026, 1, 1), (2027, 3, 14));
    let client = Pki::shared().issue_client_valid("pump-17", validity);
    virtually(async || {
        let world = World::of(unit);
        let line = Line::default();
        let lives = world.attach_driver(line, unit.backend(), NoPins, async |bench| {
            let found = ask(bench, &client.cert_pem).await;
            assert_eq!(found, DateTime::new(2027, 3, 14, 0, 0, 0), "{name}");
        });
        lives.await.expect("it lives");
        assert!(world.count(command) > 0, "{name}: {:?}", world.commands());
    });
}

async fn ask<M: Full>(bench: Bench<M>, certificate: &str) -> Option<DateTime> {
    let control = bench.control;
    let ca = Pki::shared().ca_pem();
    for (kind, content) in [(Kind::Ca, &*ca), (Kind::ClientCertificate, certificate)] {
        control.store(TAG, kind, content.as_bytes()).await.unwrap();
    }
    let found = control.expires(TAG).await.unwrap();
    assert!(found.ca > found.client, "{found:?}");
    assert_eq!(found.soonest(), found.client);
    let nothing = control.expires(Tag(6)).await.unwrap();
    assert_eq!(nothing.soonest(), None);
    found.client
}

#[test]
fn a_modem_that_tells_is_asked() {
    let unit = Nrf9160Unit::new("2.1").with(|options| options.tells_expiry = true);
    ends(&unit, "AT%CERTEXPIRY=5,1");
    let unit = Nrf9160Unit::new("sm").with(|options| options.tells_expiry = true);
    ends(&unit, "AT%CERTEXPIRY=5,0");
    let unit = UbloxUnit::new("sara-r5").with(|options| options.lists_ends = true);
    ends(&unit, "AT+USECMNG=3");
}

/// What is known then is what was inspected when it was stored, and that is the application's to keep.
#[test]
fn a_modem_that_neither_tells_dates_nor_lets_files_be_read_says_so() {
    cannot_say(&Nrf9160Unit::new("2.1"));
    cannot_say(&Nrf9160Unit::new("2.7-native"));
    cannot_say(&UbloxUnit::new("sara-r5"));
    cannot_say(&ShortRangeUnit::new("odin"));
}

fn cannot_say<U: Unit>(unit: &U) {
    let name = unit.name();
    virtually(async || {
        let world = World::of(unit);
        let line = Line::default();
        let lives = world.attach_driver(line, unit.backend(), NoPins, async |bench| {
            let ca = Pki::shared().ca_pem();
            let stored = bench.control.store(TAG, Kind::Ca, ca.as_bytes()).await;
            stored.unwrap();
            let found = bench.control.expires(TAG).await;
            assert_eq!(found, Err(CredentialError::Unreadable), "{name}");
        });
        lives.await.expect("it lives");
    });
}

#[test]
fn a_modem_that_does_not_tell_is_read() {
    let (config, options) = (Config::new(), Options::default());
    ends(&Bg96Unit { config, options }, "AT+QFREAD");
    ends(&Cc32xxUnit::new(AtVersion::Second), "AT+FileRead");
}

const DAY: u64 = 86_400;

/// A driver with a certificate of the CA's, which ends in decades, and one of the device's that ends on 14 March 2027, on the first
/// day of that month at ten.
fn before_the_day<U: Unit<Backend: HasClock>>(
    unit: &U,
    test: impl AsyncFnOnce(&World, Control<'static, U::Backend>),
) {
    virtually(async || {
        let world = World::of(unit);
        let lives = world.attach_driver(
            Line::default(),
            unit.backend(),
            NoPins,
            async |bench: Bench<U::Backend>| {
                let control = bench.control;
                control.wait_up().await.unwrap();
                let ca = Pki::shared().ca_pem();
                control.store(TAG, Kind::Ca, ca.as_bytes()).await.unwrap();
                store_until(control, (2027, 3, 14)).await;
                control.wait_up().await.unwrap();
                set_clock(control, 1).await;
                test(&world, control).await;
            },
        );
        lives.await.expect("it lives");
    });
}

async fn set_clock<M: Full + HasClock>(control: Control<'static, M>, day: u8) {
    let now = DateTime::new(2027, 3, day, 10, 0, 0).unwrap();
    control.set_clock(now).await.unwrap();
}

async fn store_until<M: Full>(control: Control<'static, M>, end: (i32, u8, u8)) {
    let validity = Validity::from_ymd((2026, 1, 1), end);
    let client = Pki::shared().issue_client_valid("pump-17", validity);
    let stored = control.store(TAG, Kind::ClientCertificate, client.cert_pem.as_bytes());
    stored.await.unwrap();
}

/// How long it is until the event, from now on.
async fn waited<M: Full + HasClock>(control: Control<'static, M>, days: u16) -> u64 {
    let begun = Instant::now();
    let expiry = control.expiring(TAG, days).await.unwrap();
    assert!(expiry.soonest() == expiry.client && expiry.client.is_some());
    begun.elapsed().as_secs()
}

fn nrf9160() -> Nrf9160Unit {
    Nrf9160Unit::new("2.1").with(|options| options.tells_expiry = true)
}

fn bg96() -> Bg96Unit {
    let (config, options) = (Config::new(), Options::default());
    Bg96Unit { config, options }
}

/// From ten o'clock on the first to midnight before the seventh, and of what is due already at once.
fn comes_in_time<U: Unit<Backend: HasClock>>(unit: &U) {
    before_the_day(unit, async |_, control| {
        let before = control.counters().exchanges;
        let waited_for = waited(control, 7).await;
        let name = unit.name();
        let due = 5 * DAY + 14 * 3600;
        assert!(
            (due..due + 60).contains(&waited_for),
            "{name}: {waited_for}"
        );
        println!(
            "{name}: {} exchanges in {waited_for} s",
            control.counters().exchanges - before
        );
        assert!(waited(control, 7).await < 10, "{name}");
        set_clock(control, 30).await;
        assert!(waited(control, 0).await < 10, "{name}");
    });
}

#[test]
fn the_event_comes_so_many_days_before() {
    comes_in_time(&nrf9160());
    comes_in_time(&bg96());
}

#[test]
fn a_certificate_that_is_replaced_meanwhile_counts_as_it_is() {
    before_the_day(&nrf9160(), async |_, control| {
        let replace = async {
            Timer::after_secs(3 * DAY).await;
            store_until(control, (2027, 3, 20)).await;
            // The network tells its own time to a modem that comes back.
            control.wait_up().await.unwrap();
            set_clock(control, 4).await;
        };
        let (waited_for, ()) = join(waited(control, 7), replace).await;
        // It may be an hour late, as the clock was the network's for a moment.
        let due = 11 * DAY + 14 * 3600;
        assert!((due..due + 7200).contains(&waited_for), "{waited_for}");
    });
}

/// No time, or no modem: it is waited for, and the event is not lost.
#[test]
fn a_modem_that_cannot_tell_for_a_day_is_asked_again() {
    let mut unit = nrf9160();
    unit = unit.with(|options| options.network_time = None);
    before_the_day(&unit, async |world, control| {
        let hinder = async {
            world.modem.fail(Failure::Hang);
            Timer::after_secs(26 * 3600).await;
            assert!(control.wait_up().await.is_err());
            // It has lost its clock then.
            world.modem.reset();
            Timer::after_secs(3 * 3600).await;
            control.wait_up().await.unwrap();
            assert_eq!(control.clock().await, Ok(None));
            set_clock(control, 16).await;
        };
        let (waited_for, ()) = join(waited(control, 7), hinder).await;
        let known = 29 * 3600;
        assert!((known..known + 3700).contains(&waited_for), "{waited_for}");
    });
}

#[test]
fn expiring_fails_at_once_on_a_modem_that_tells_no_dates() {
    before_the_day(&Nrf9160Unit::new("2.1"), async |_, control| {
        let found = control.expiring(TAG, 7).await;
        assert_eq!(found, Err(CredentialError::Unreadable));
    });
}
