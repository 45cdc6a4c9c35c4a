//! An AT command of your own, derived by atat: `AT+CSQ`, which tells how strong the signal is. It waits in line with the
//! driver's own commands, so that neither gets the other's answer.

use std::error::Error;

use atat::atat_derive::{AtatCmd, AtatResp};
use sectag_ideas_example::{Bench, echo, run};

sectag_simulator::virtual_clock!();

/// `+CSQ: <rssi>,<ber>`.
#[derive(Clone, AtatResp)]
struct Signal {
    #[at_arg(position = 0)]
    rssi: u8,
    #[at_arg(position = 1)]
    ber: u8,
}

#[derive(Clone, AtatCmd)]
#[at_cmd("+CSQ", Signal, timeout_ms = 1000)]
struct SignalQuality;

fn main() {
    run(echo, ask);
}

async fn ask(bench: Bench) -> Result<(), Box<dyn Error>> {
    // A query changes nothing, which is said here: after a command that may change something, the modem is brought up
    // anew, and its connections with it.
    let control = bench.control.keeps_connections();
    let at = control.at().await?;
    let Signal { rssi, ber } = at.send(&SignalQuality).await?;
    // 3GPP 27.007: 0 to 31 in steps of 2 dB, 99 is not known.
    match rssi {
        0..=31 => println!(
            "{} dBm, bit error rate class {ber}",
            2 * i16::from(rssi) - 113
        ),
        _ => println!("the modem does not know"),
    }
    Ok(())
}
