//! The whole driver of a BG96 against a modem that says anything, in virtual time.
//!
//! No panic, no deadlock, no livelock; what is read is a prefix of what the peer sent, and what was
//! reported as sent is what the peer received, as long as the modem did not lie about these very bytes;
//! no connection is handed out for which a setting was not sent that verification depends on, and none
//! when the modem refused such a setting; no credential is left, or counts, but those that were stored;
//! every future of the application ends; and once the modem behaves, a fresh connection works.
//!
//! Input: see `sectag_fuzz::script`.
#![no_main]

use embassy_futures::join::join3;
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use libfuzzer_sys::fuzz_target;
use sectag::{NoPins, State};
use sectag_bg96::Config;
use sectag_fuzz::app::{Action, App, CERTIFICATES};
use sectag_fuzz::bg96::Bg96;
use sectag_fuzz::event::Event;
use sectag_fuzz::script::{self, Cast, Options, serve};
use sectag_fuzz::uart::{End, Pipe};
use sectag_test_support::time::VirtualClock;

/// Longest deadline of a command is 150 s, an open may take 210 s, and a bring-up comes on top.
const PENDING_LIMIT: Duration = Duration::from_secs(600);
const RECONNECT_LIMIT: Duration = Duration::from_secs(300);

fuzz_target!(|input: &[u8]| {
    VirtualClock::new()
        .poll_limit(100_000)
        .time_limit(Duration::from_secs(2 * 3600))
        .run(run(input));
});

async fn run(input: &[u8]) {
    let Some((options, script)) = script::parse(input) else {
        return;
    };
    // Small rings wrap often; what is pushed needs room.
    if options.push() {
        play::<1536>(options, script).await;
    } else {
        play::<256>(options, script).await;
    }
}

async fn play<const RX: usize>(options: Options, script: &[u8]) {
    let to_modem = Pipe::new('>', options.capacity(), usize::MAX);
    let to_driver = Pipe::new('<', usize::MAX, options.chunk());
    let modem = Bg96::new(&to_modem, &to_driver);
    let config = Config::new();
    let config = if options.push() {
        config.direct_push()
    } else {
        config
    };
    let state = State::<_, 2, RX, 256>::new(sectag_bg96::Bg96::new(config));
    let mut state = Box::new(state);
    let paced = options.paced();
    let uart = |pipe| End { pipe, paced };
    let (control, sockets, mut runner) =
        sectag::new(&mut state, uart(&to_driver), uart(&to_modem), NoPins);
    let apps = [2, 3].map(|tag| App::new(control, sockets, &modem, tag));
    let restart = Event::default();
    let cast = Cast {
        modem: &modem,
        apps: [&apps[0], &apps[1]],
        restart: &restart,
    };
    let running = async {
        loop {
            if let Either::First(error) = select(runner.run(), restart.wait()).await {
                panic!("the runner ended: {error}");
            }
        }
    };
    let directing = async {
        if !options.cold() {
            let connecting = apps[0].perform(Action::Connect);
            match select(serve(&modem), connecting).await {
                Either::Second(true) => {}
                _ => panic!("a modem that behaves is connected to"),
            }
        }
        cast.play(script).await;
        // From here on the modem behaves.
        select(serve(&modem), conclude(&apps, &modem)).await;
    };
    select(directing, join3(running, apps[0].run(), apps[1].run())).await;
}

async fn conclude(apps: &[App<'_>; 2], modem: &Bg96<'_>) {
    modem.behave();
    for app in apps {
        app.calm();
    }
    modem.all_peers_send(150);
    let since = Instant::now();
    for app in apps {
        while let Some((action, begun)) = app.doing() {
            Timer::after_millis(500).await;
            assert!(
                since.elapsed() < PENDING_LIMIT,
                "{action:?} is pending since {} s",
                begun.elapsed().as_secs()
            );
        }
    }
    // One of them may have switched the modem off meanwhile.
    apps[0].perform(Action::PowerOn).await;
    for app in apps {
        still_true(app, modem).await;
    }
    let since = Instant::now();
    let mut tries = Vec::new();
    loop {
        let reconnect = with_timeout(RECONNECT_LIMIT, round_trip(&apps[0], modem));
        match reconnect.await {
            Ok(Ok(())) => break,
            Ok(Err(failed)) => tries.push(failed),
            Err(_) => tries.push(apps[0].doing().map_or(Action::Drop, |(action, _)| action)),
        }
        assert!(
            since.elapsed() < RECONNECT_LIMIT,
            "no connection; failed: {tries:?}"
        );
        Timer::after_secs(1).await;
    }
    if !modem.has_lied() {
        // What an upload left that was dropped.
        Timer::after_secs(20).await;
        for (name, content) in modem.files() {
            let tag = if name.starts_with("st2.") { 2 } else { 3 };
            let intended = if name.ends_with(".ca") {
                CERTIFICATES.contains(&&content[..])
            } else {
                content == sectag_fuzz::stream::bytes(tag, 0, content.len())
            };
            assert!(intended, "{name} is left and is not what was stored");
        }
    }
}

/// What was lost or doubled shows when more is sent and received on a connection that survived.
async fn still_true(app: &App<'_>, modem: &Bg96<'_>) {
    modem.all_peers_send(150);
    if app.perform(Action::Write(40)).await {
        app.perform(Action::Flush).await;
    }
    let read_all = async { while app.perform(Action::Read(512)).await {} };
    let _ = with_timeout(Duration::from_secs(2), read_all).await;
    app.cancel();
    app.perform(Action::Drop).await;
}

/// Connects, and sends and receives a little.
async fn round_trip(app: &App<'_>, modem: &Bg96<'_>) -> Result<(), Action> {
    for action in [Action::Connect, Action::Write(40), Action::Flush] {
        if !app.perform(action).await {
            return Err(action);
        }
    }
    modem.all_peers_send(100);
    if app.perform(Action::Read(256)).await {
        Ok(())
    } else {
        Err(Action::Read(256))
    }
}
