//! The commands for the port, the error format, URC routing, radio preferences and sleep.

use super::super::Bg96;
use super::super::parser::{Args, Fail, Op};
use super::{OK, Outcome, Reply, UNKNOWN};

const RATES: [u64; 8] = [
    9600, 19200, 38400, 57600, 115_200, 230_400, 460_800, 921_600,
];
const URC_PORTS: [&str; 3] = ["usbat", "usbmodem", "uart1"];
const URC_KINDS: [&str; 5] = ["all", "csq", "smsfull", "ring", "smsincoming"];

/// An item of `AT+QCFG` (sheet 1.5).
struct Item {
    name: &'static str,
    default: &'static str,
    values: usize,
    /// Whether the item takes an `<effect>` behind its values.
    effect: bool,
    valid: fn(&[&str]) -> bool,
}

fn one_of(values: &[&str], allowed: &[&str]) -> bool {
    allowed.contains(&values[0])
}

fn hex(values: &[&str]) -> bool {
    values
        .iter()
        .all(|value| u64::from_str_radix(value, 16).is_ok())
}

fn scan_sequence(values: &[&str]) -> bool {
    let digits = values[0].as_bytes();
    matches!(digits.len(), 2 | 4 | 6)
        && digits
            .chunks(2)
            .all(|pair| pair[0] == b'0' && (b'0'..=b'3').contains(&pair[1]))
}

fn switch(values: &[&str]) -> bool {
    one_of(values, &["0", "1"])
}

const ITEMS: [Item; 10] = [
    Item {
        name: "nwscanseq",
        default: "00",
        values: 1,
        effect: true,
        valid: scan_sequence,
    },
    Item {
        name: "nwscanmode",
        default: "0",
        values: 1,
        effect: true,
        valid: |v| one_of(v, &["0", "1", "3"]),
    },
    Item {
        name: "iotopmode",
        default: "2",
        values: 1,
        effect: true,
        valid: |v| one_of(v, &["0", "1", "2"]),
    },
    Item {
        name: "roamservice",
        default: "255",
        values: 1,
        effect: true,
        valid: |v| one_of(v, &["1", "2", "255"]),
    },
    Item {
        name: "servicedomain",
        default: "2",
        values: 1,
        effect: true,
        valid: |v| one_of(v, &["1", "2"]),
    },
    Item {
        name: "band",
        default: "f,400a0e189f,a0e189f",
        values: 3,
        effect: true,
        valid: hex,
    },
    Item {
        name: "psm/urc",
        default: "0",
        values: 1,
        effect: false,
        valid: switch,
    },
    Item {
        name: "psm/enter",
        default: "0",
        values: 1,
        effect: false,
        valid: switch,
    },
    Item {
        name: "pdp/duplicatechk",
        default: "0",
        values: 1,
        effect: false,
        valid: switch,
    },
    Item {
        name: "urc/delay",
        default: "0",
        values: 1,
        effect: false,
        valid: switch,
    },
];

impl Bg96 {
    pub(super) fn settings(&self, name: &str, op: &Op, reply: &mut Reply) -> Outcome {
        let mut state = self.state.borrow_mut();
        match (name, op) {
            ("CMEE", Op::Read) => reply.line(format!("+CMEE: {}", state.user.cmee)),
            ("CMEE", Op::Test) => reply.line("+CMEE: (0-2)"),
            ("CMEE", Op::Set(args)) => {
                args.count(1, 1)?;
                state.user.cmee = args.byte(0, 0, 2)?;
            }
            ("IPR", Op::Read) => reply.line(format!("+IPR: {}", state.user.rate)),
            ("IPR", Op::Set(args)) => {
                args.count(1, 1)?;
                let rate = args.number(0, 9600, 921_600)?;
                if !RATES.contains(&rate) {
                    return Err(Fail::Error);
                }
                state.user.rate = rate as u32;
                let rate = state.user.rate;
                let core = self.core.clone();
                // The new rate holds from behind the answer on (sheet 1.3).
                self.core.spawn(async move {
                    core.until(|| core.waiting_output() == 0).await;
                    core.set_rate(rate);
                });
            }
            ("IFC", Op::Read) => {
                reply.line(format!("+IFC: {},{}", state.user.flow.0, state.user.flow.1))
            }
            ("IFC", Op::Set(args)) => {
                args.count(2, 2)?;
                let (by_host, by_modem) = (args.byte(0, 0, 2)?, args.byte(1, 0, 2)?);
                if by_host == 1 || by_modem == 1 {
                    return Err(Fail::Error);
                }
                state.user.flow = (by_host, by_modem);
            }
            ("ICF", Op::Read) => reply.line(format!(
                "+ICF: {},{}",
                state.user.framing.0, state.user.framing.1
            )),
            ("ICF", Op::Set(args)) => {
                args.count(1, 2)?;
                // Other framings would need a port that supports them.
                state.user.framing = (args.byte(0, 3, 3)?, args.number_or(1, 0, 3, 3)? as u8);
            }
            ("QURCCFG", Op::Set(args)) => {
                args.count(1, 2)?;
                if !args.string(0)?.eq_ignore_ascii_case("urcport") {
                    return Err(Fail::Error);
                }
                if args.len() == 1 {
                    reply.line(format!("+QURCCFG: \"urcport\",\"{}\"", state.nv.urc_port));
                } else {
                    let port = args.string(1)?.to_ascii_lowercase();
                    if !URC_PORTS.contains(&port.as_str()) {
                        return Err(Fail::Error);
                    }
                    // The change takes effect at once and is permanent (sheet section 0 [AT 2.25]).
                    state.nv.urc_port = port;
                }
            }
            ("QURCCFG", Op::Test) => {
                reply.line("+QURCCFG: \"urcport\",(\"usbat\",\"usbmodem\",\"uart1\")")
            }
            ("QINDCFG", Op::Set(args)) => {
                args.count(1, 3)?;
                let kind = args.string(0)?.to_ascii_lowercase();
                if !URC_KINDS.contains(&kind.as_str()) {
                    return Err(Fail::Error);
                }
                if args.len() == 1 {
                    let default = u8::from(kind != "csq");
                    let value = state.nv.urc_switches.get(&kind).copied().unwrap_or(default);
                    reply.line(format!("+QINDCFG: \"{kind}\",{value}"));
                } else {
                    let value = args.byte(1, 0, 1)?;
                    args.number_or(2, 0, 1, 0)?;
                    state.nv.urc_switches.insert(kind, value);
                }
            }
            ("QCFG", Op::Set(args)) => {
                drop(state);
                return self.qcfg(args, reply);
            }
            ("QSCLK", Op::Read) => reply.line(format!("+QSCLK: {}", state.nv.sleep_mode)),
            ("QSCLK", Op::Set(args)) => {
                args.count(1, 1)?;
                state.nv.sleep_mode = args.byte(0, 0, 1)?;
            }
            ("CPSMS", Op::Read) => reply.line(format!("+CPSMS: {}", state.nv.psm)),
            ("CPSMS", Op::Set(args)) => {
                args.count(1, 5)?;
                let on = args.byte(0, 0, 1)?;
                let (tau, active) = (
                    eight_bits(args, 3, "00000100")?,
                    eight_bits(args, 4, "00001111")?,
                );
                state.nv.psm = if on == 1 {
                    format!("1,,,\"{tau}\",\"{active}\"")
                } else {
                    "0".into()
                };
            }
            ("QPSMS", Op::Read) => {
                let on = state.nv.psm.starts_with('1');
                reply.line(if on {
                    "+QPSMS: 1,,,\"86400\",\"2\""
                } else {
                    "+QPSMS: 0"
                });
            }
            ("CEDRXS", Op::Read) => reply.line(format!("+CEDRXS: {}", state.nv.edrx)),
            ("CEDRXS", Op::Set(args)) => {
                args.count(1, 3)?;
                let mode = args.byte(0, 0, 3)?;
                if mode == 0 || mode == 3 {
                    state.nv.edrx = "0".into();
                } else {
                    let act = args.byte(1, 4, 5)?;
                    let cycle = args.string_or(2, "0010")?;
                    if cycle.len() != 4 || !cycle.bytes().all(|bit| matches!(bit, b'0' | b'1')) {
                        return Err(Fail::Error);
                    }
                    state.nv.edrx = format!("{act},\"{cycle}\"");
                }
            }
            // This network grants nothing, whatever is requested (sheet 1.7).
            ("CEDRXRDP", Op::Execute) => reply.line("+CEDRXRDP: 0"),
            _ => return UNKNOWN,
        }
        OK
    }

    fn qcfg(&self, args: &Args, reply: &mut Reply) -> Outcome {
        let name = args.string(0)?.to_ascii_lowercase();
        let item = ITEMS
            .iter()
            .find(|item| item.name == name)
            .filter(|item| !self.options.profile.missing_items.contains(&item.name))
            .ok_or(Fail::Error)?;
        let mut state = self.state.borrow_mut();
        if args.len() == 1 {
            let value = state
                .nv
                .qcfg
                .get(item.name)
                .map_or(item.default, String::as_str);
            reply.line(format!("+QCFG: \"{name}\",{value}"));
            return OK;
        }
        args.count(1 + item.values, 1 + item.values + usize::from(item.effect))?;
        args.number_or(1 + item.values, 0, 1, 1)?;
        let values: Vec<&str> = (1..=item.values)
            .map(|index| args.bare(index))
            .collect::<Result<_, _>>()?;
        if !(item.valid)(&values) {
            return Err(Fail::Error);
        }
        let values = values.join(",");
        state.nv.qcfg.insert(item.name, values);
        OK
    }
}

fn eight_bits<'a>(args: &'a Args, index: usize, default: &'a str) -> Result<&'a str, Fail> {
    let bits = args.string_or(index, default)?;
    if bits.len() == 8 && bits.bytes().all(|bit| matches!(bit, b'0' | b'1')) {
        Ok(bits)
    } else {
        Err(Fail::Error)
    }
}
