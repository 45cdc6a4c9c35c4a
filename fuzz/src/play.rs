//! A whole session: the driver, two applications, a model of the modem, and a script.

use embassy_futures::join::join3;
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use sectag::{NoPins, State};

use crate::app::{Action, App, CERTIFICATES};
use crate::event::Event;
use crate::model::Model;
use crate::script::{Cast, Options, serve};
use crate::uart::{End, Pipe};

/// Longest deadline of a command is 150 s, an open may take 210 s, and a bring-up comes on top.
const PENDING_LIMIT: Duration = Duration::from_secs(600);
const RECONNECT_LIMIT: Duration = Duration::from_secs(300);

/// The two directions of the UART.
pub fn pipes(options: Options) -> (Pipe, Pipe) {
    (
        Pipe::new('>', options.capacity(), usize::MAX),
        Pipe::new('<', usize::MAX, options.chunk()),
    )
}

/// Plays a script; `to_modem` and `to_driver` are what `modem` is on.
pub async fn play<M: Model, const RX: usize>(
    options: Options,
    script: &[u8],
    (to_modem, to_driver): (&Pipe, &Pipe),
    modem: &M,
    driver: M::Driver,
) {
    let state = State::<_, 2, RX, 256>::new();
    let mut state = Box::new(state);
    let paced = options.paced();
    let uart = |pipe| End { pipe, paced };
    let (control, mut runner) =
        sectag::new(&mut state, driver, uart(to_driver), uart(to_modem), NoPins);
    let apps = [2, 3].map(|tag| App::new(control, modem, tag));
    let restart = Event::default();
    let cast = Cast {
        modem,
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
            match select(serve(modem), connecting).await {
                Either::Second(true) => {}
                _ => panic!("a modem that behaves is connected to"),
            }
        }
        cast.play(script).await;
        // From here on the modem behaves.
        select(serve(modem), conclude(&apps, modem)).await;
    };
    select(directing, join3(running, apps[0].run(), apps[1].run())).await;
}

async fn conclude<M: Model>(apps: &[App<'_, M>; 2], modem: &M) {
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
                CERTIFICATES.iter().any(|known| M::kept(known) == content)
            } else {
                content == M::content(tag, content.len())
            };
            assert!(intended, "{name} is left and is not what was stored");
        }
    }
}

/// What was lost or doubled shows when more is sent and received on a connection that survived.
async fn still_true<M: Model>(app: &App<'_, M>, modem: &M) {
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
async fn round_trip<M: Model>(app: &App<'_, M>, modem: &M) -> Result<(), Action> {
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
