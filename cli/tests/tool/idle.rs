//! Commands that wait for something: while nothing comes, they take next to no processor time and no more memory.
//!
//! Processor time is counted, not time, so how busy the computer is does not matter. What this looks for may show in
//! one build and not in another (the compiler may give a waker and its clone different tables of functions, see
//! `sectag-host-clock`), so `tests/run` runs it with an optimised build as well.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use sectag_test_support::broker::Broker;
use sectag_test_support::pki::Pki;

use crate::connect::Server;
use crate::ppp::Client;
use crate::process::{Modem, Tool};

/// After this the driver looks after its connection rarely, and everything that is set up once has been.
const SETTLE: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(30);

/// What /proc counts processor time in, on every Linux: USER_HZ.
const TICKS_PER_SECOND: f64 = 100.0;
/// Of a core, with a clock that is slowed down. What this looks for, a task that wakes itself, takes all of one.
const SHARE: f64 = 0.01;
/// A few pages, as when a thread first gets to some part of its stack.
const GROWTH: u64 = 128;

struct Used {
    at: Instant,
    ticks: u64,
    kilobytes: u64,
}

impl Used {
    fn by(tool: &Tool) -> Self {
        let read = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", tool.id())).unwrap();
        let stat = read("stat");
        // The name, in brackets, may contain anything. Behind it: 11 fields, then user and system time.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().unwrap())
            .sum();
        let status = read("status");
        // Memory of its own; pages of the program file come and go.
        let anonymous = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .unwrap();
        let kilobytes = anonymous.trim().strip_suffix(" kB").unwrap();
        Self {
            at: Instant::now(),
            ticks,
            kilobytes: kilobytes.parse().unwrap(),
        }
    }
}

pub(crate) fn waiting_takes_no_processor_time_and_no_memory() {
    let echo = Server::echo();
    let client = Client::new();
    let broker = Broker::start(Pki::shared()).unwrap();
    let host = format!("localhost:{}", echo.port());
    let map = format!("broker.sectag.test:8883=127.0.0.1:{}", broker.tls_port());
    let connect = ["connect", &host, "connected to"];
    let subscribe = [
        "subscribe",
        "--host=broker.sectag.test",
        "--topic=t",
        "subscribed to",
    ];
    // One that gives no notice of data, and is asked for it; and one that does.
    let (asked, noticing) = (["--dialect", "2.6"], ["--dialect", "sm"]);
    let start = |command: &[&str], name, dialect: &[&str], policy: &[&str]| {
        let modem = Modem::start_named(name, &[&["--map", &map], dialect].concat());
        modem.provision("3");
        let [command, options @ .., ready] = command else {
            panic!("a command, its options, and what it says then");
        };
        let options = [&["--tag", "3"], policy, options].concat();
        let mut tool = modem.start_listening(&[command], &options);
        tool.wait_for(ready);
        let label = format!("{command}, {name} {}", dialect.join(" "));
        let simulate = format!("simulate beside {label}");
        [(label, tool), (simulate, modem.into_tool())]
    };
    let start = &start;
    let mut tools: Vec<(String, Tool)> = thread::scope(|scope| {
        let starting: Vec<_> = [&connect[..], &subscribe]
            .into_iter()
            .flat_map(|command| {
                [
                    scope.spawn(move || start(command, "bg96", &[], &["--private-ca"])),
                    scope.spawn(move || start(command, "nrf9160", &asked, &[])),
                    scope.spawn(move || start(command, "nrf9160", &noticing, &[])),
                ]
            })
            .collect();
        let join = |starting: thread::ScopedJoinHandle<'_, _>| starting.join().unwrap();
        starting.into_iter().flat_map(join).collect()
    });
    // TLS, TCP and PPP in the tool.
    let module = Modem::start_named("ublox-ppp", &["--map", &map, "--dialect", "sara-r5"]);
    let (ca, cert, key) = (
        client.file("ca.pem"),
        client.file("client.pem"),
        client.file("client.key"),
    );
    let files = ["--tag", "3", "--ca", &ca, "--cert", &cert, "--key", &key];
    let [command, topic @ .., ready] = &subscribe;
    let mut tool = module.start_listening(&[command], &[&files[..], topic].concat());
    tool.wait_for(ready);
    tools.push(("subscribe, ublox-ppp".to_owned(), tool));
    let beside = "simulate beside subscribe, ublox-ppp";
    tools.push((beside.to_owned(), module.into_tool()));
    let alone = Modem::start(&[]).into_tool();
    tools.push(("simulate without a host".to_owned(), alone));

    thread::sleep(SETTLE);
    let before: Vec<Used> = tools.iter().map(|(_, tool)| Used::by(tool)).collect();
    thread::sleep(IDLE);
    let mut wrong = String::new();
    for ((label, tool), before) in tools.iter().zip(before) {
        let after = Used::by(tool);
        let seconds = (after.ticks - before.ticks) as f64 / TICKS_PER_SECOND;
        let share = seconds / (after.at - before.at).as_secs_f64();
        let line = format!(
            "{label}: {:.2} % of a core, {} to {} kB\n",
            share * 100.0,
            before.kilobytes,
            after.kilobytes
        );
        print!("{line}");
        if share >= SHARE || after.kilobytes > before.kilobytes + GROWTH {
            wrong.push_str(&line);
        }
    }
    assert!(wrong.is_empty(), "while nothing happened:\n{wrong}");
}
