//! SIMs and networks that `sectag simulate` has no option for: the simulator in this process, on a TCP port.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use sectag_simulator::{LoopbackNetwork, Options, PdpLeft, Reaction, Sim, Simulator, transport};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::process::{Ended, Tool, credentials};

/// A modem of the kind that `sectag simulate` has no option for.
pub(crate) struct Modem {
    port: String,
    uploads: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Modem {
    pub(crate) fn start(options: Options) -> Self {
        Self::start_with(options, None)
    }

    /// With a fault as `sectag simulate` has it.
    pub(crate) fn start_with(options: Options, fault: Option<&'static str>) -> Self {
        let (report, reported) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let uploads = Arc::<AtomicUsize>::default();
        let counted = uploads.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let modem = Simulator::bg96(options, Rc::new(LoopbackNetwork::new()));
                let mut script = fault.map(|fault| sectag_simulator::fault(fault).unwrap());
                modem.set_script(Box::new(move |line| {
                    if line.starts_with(b"AT+QFUPL") {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                    script.as_mut().map_or(Reaction::Normal, |script| script(line))
                }));
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                report.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    end = transport::serve_tcp(modem, listener) => panic!("the modem ended: {end:?}"),
                    _ = stopped => {}
                }
            });
        });
        Self {
            port: format!("tcp:{}", reported.recv().unwrap()),
            uploads,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// As the option `--port` takes it.
    pub(crate) fn port(&self) -> &str {
        &self.port
    }

    /// How many files were begun to be sent to it.
    pub(crate) fn uploads(&self) -> usize {
        self.uploads.load(Ordering::Relaxed)
    }

    #[track_caller]
    pub(crate) fn run(
        &self,
        command: &[&str],
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Ended {
        let modem = ["--modem", "bg96", "--port", &self.port];
        Tool::start(&[command, &modem, options].concat(), environment, b"").end()
    }
}

impl Drop for Modem {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Where nobody listens.
const SERVER: [&str; 4] = ["--tag", "1", "--private-ca", "localhost:1"];

pub(crate) fn a_clock_that_the_network_does_not_set_is_set_from_the_host() {
    let modem = Modem::start(Options {
        network_time: None,
        ..Options::default()
    });
    let pki = credentials();
    let ca = pki.file("ca.pem");
    let only_network = ["--set-clock", "network"];
    let store = [&only_network[..], &["--tag", "1", "--ca", &ca]].concat();
    modem.run(&["credentials", "store"], &store, &[]).expect(0);

    let connect = [&only_network[..], &SERVER].concat();
    modem
        .run(&["connect"], &connect, &[])
        .expect_hint("--set-clock host");

    // With the default, the clock is no obstacle any more: the next one is that nobody listens.
    let ended = modem.run(&["connect"], &SERVER, &[]).expect(1);
    assert!(
        ended.stderr.contains("from this computer") && ended.stderr.contains("566"),
        "{}",
        ended.stderr
    );
}

pub(crate) fn a_pin_is_used_masked_and_asked_for() {
    let locked = || {
        Modem::start(Options {
            sim: Sim::PinRequired("4711".into()),
            ..Options::default()
        })
    };
    let connect = |modem: &Modem, more: &[&str], environment: &[(&str, &str)]| {
        modem.run(&["connect"], &[&SERVER[..], more].concat(), environment)
    };
    let modem = locked();
    connect(&modem, &[], &[]).expect_hint("--sim-pin @FILE");
    let environment = [("SECTAG_SIM_PIN", "4711")];
    let ended = connect(&modem, &["-v"], &environment);
    assert!(
        ended.stderr.contains("AT+CPIN=(masked)"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("4711"), "{}", ended.stderr);

    let wrong = connect(&locked(), &["--sim-pin", "1111"], &[]);
    assert!(
        wrong.stderr.contains("warning: --sim-pin is visible"),
        "{}",
        wrong.stderr
    );
    wrong.expect_hint("tried once only");
}

pub(crate) fn a_missing_sim_is_named() {
    let modem = Modem::start(Options {
        sim: Sim::Missing,
        ..Options::default()
    });
    modem
        .run(&["connect"], &SERVER, &[])
        .expect_hint("makes contact");
}

/// Each run is a life of its own, so none of them has seen the notice.
pub(crate) fn a_data_connection_that_an_earlier_life_left_is_made_anew() {
    for (left, apn) in [
        (PdpLeft::Lost, &[][..]),
        (PdpLeft::Hidden, &["--apn", "iot.example"]),
    ] {
        let modem = Modem::start(Options {
            pdp_left: Some(left),
            ..Options::default()
        });
        let ended = modem
            .run(&["status"], &[&["-v"][..], apn].concat(), &[])
            .expect(0);
        assert!(
            ended.stdout.contains("address             10.64.0.1"),
            "{left:?}: {}",
            ended.stdout
        );
        assert_eq!(ended.stderr.matches("AT+QIDEACT=1").count(), 1, "{left:?}");
        // It stays up, and no one takes it down again.
        let ended = modem.run(&["status"], &["-v"], &[]).expect(0);
        assert!(!ended.stderr.contains("AT+QIDEACT"), "{}", ended.stderr);
    }
    let modem = Modem::start(Options {
        pdp_left: Some(PdpLeft::Stuck),
        ..Options::default()
    });
    let ended = modem.run(&["status"], &[], &[]);
    assert!(
        ended.stderr.contains("570 (PDP context break down)"),
        "{}",
        ended.stderr
    );
    ended.expect_hint("restart the modem");
}
