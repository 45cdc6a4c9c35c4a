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
use crate::process::{Modem, Tool};

/// After this the driver looks after its connection rarely, and everything that is set up once has been.
const SETTLE: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(40);

/// What /proc counts processor time in, on every Linux: USER_HZ.
const TICKS_PER_SECOND: f64 = 100.0;
/// One hundredth of a core.
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
    let server = Server::echo();
    let broker = Broker::start(Pki::shared()).unwrap();
    let mut tools = Vec::new();
    for (name, options) in [
        ("bg96", &[][..]),
        // One that gives no notice of data, and is asked for it; and one that does.
        ("nrf9160", &["--dialect", "2.6"]),
        ("nrf9160", &["--dialect", "sm"]),
    ] {
        let echo = format!("localhost:{}", server.port());
        let map = format!("broker.sectag.test:8883=127.0.0.1:{}", broker.tls_port());
        let options = [&["--map", &map], options].concat();
        let label = |command| format!("{command}, {name} {}", options[2..].join(" "));

        let modem = Modem::start_named(name, &options);
        modem.provision("3");
        let connect = ["--tag", "3", "--private-ca", &echo];
        let mut connection = modem.start_listening(&["connect"], &connect);
        connection.wait_for("connected to");
        tools.push((label("connect"), connection));
        tools.push((label("simulate beside connect"), modem.into_tool()));

        let modem = Modem::start_named(name, &options);
        modem.provision("3");
        let subscribe = [
            "--host",
            "broker.sectag.test",
            "--tag",
            "3",
            "--private-ca",
            "--topic",
            "t",
        ];
        let mut subscription = modem.start_listening(&["subscribe"], &subscribe);
        subscription.wait_for("subscribed to t");
        tools.push((label("subscribe"), subscription));
        tools.push((label("simulate beside subscribe"), modem.into_tool()));
    }
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
