//! Fuzzing: the unit survives whatever a host sends.

use super::*;
use crate::port::Random;

const FRAGMENTS: &[&str] = &[
    "AT",
    "AT+",
    "AT%",
    "AT#",
    "XSOCKET",
    "XSSOCKET",
    "XSOCKETOPT",
    "XSSOCKETOPT",
    "XSOCKETSELECT",
    "XCONNECT",
    "XSEND",
    "XRECV",
    "XPOLL",
    "XAPOLL",
    "XRECVCFG",
    "XCLOSE",
    "XCMNG",
    "CMNG",
    "KEYGEN",
    "JWT",
    "ATTESTTOKEN",
    "CFUN",
    "CEREG",
    "CCLK",
    "CGDCONT",
    "CPSMS",
    "XSYSTEMMODE",
    "XDATACTRL",
    "=",
    "=",
    "=",
    "?",
    "=?",
    ",",
    ",",
    ",",
    "0",
    "1",
    "2",
    "3",
    "-1",
    "7",
    "64",
    "2147483647",
    "2147483648",
    "99999999999999999999",
    "\"",
    "\"a\"",
    "\"echo.test\"",
    "\"CN=x\"",
    "\"\"",
    "+++",
    "\x08",
    "\x7f",
    "\0",
    "\u{fe}\u{ff}",
    "\r",
    "\n",
    "\r\n",
    "\r\n",
];

#[test]
fn the_simulator_survives_any_input_of_a_host() {
    for (seed, profile) in (1..).zip(
        Nrf9160Profile::ALL
            .into_iter()
            .chain([Nrf9160Profile::V2_1.native(), Nrf9160Profile::V3_1.native()]),
    ) {
        play_echo(online(profile), |host| async move {
            let mut random = Random(seed);
            for _ in 0..3000 {
                let count = 1 + random.next() as usize % 12;
                let text: String = (0..count)
                    .map(|_| FRAGMENTS[random.next() as usize % FRAGMENTS.len()])
                    .collect();
                host.send(text).await;
                if random.next().is_multiple_of(3) {
                    // Longer than every pause; the answers do not matter.
                    let mut answers = [0; 4096];
                    let read = async { host.port.lock().await.read(&mut answers).await };
                    let _ = with_timeout(Duration::from_millis(500), read).await;
                }
                if random.next().is_multiple_of(50) {
                    host.modem.reset();
                }
            }
            // It may be in data mode, in a read without an end, or inside a quote. A reset ends all of
            // these.
            host.modem.reset();
            let last = host.read_all().await;
            assert!(last.ends_with("Ready\r\n"), "{last:?}");
            host.ok(&["AT", "AT+CFUN=1"]).await;
        });
    }
}
