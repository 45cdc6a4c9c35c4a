//! The command `%CMNG` (sheet 6).

use super::super::Nrf9160;
use super::super::credentials::{KEY, PSK, TAG_LIMIT, digest};
use super::{Lines, ModemOutcome};
use crate::certificate::dates;
use crate::syntax::{Args, Fail, Op};

const NOT_FOUND: Fail = Fail::Cme(513);
const NO_ACCESS: Fail = Fail::Cme(514);
pub(super) const ACTIVE: Fail = Fail::Cme(518);
/// Keys of every kind, which cannot be read. 8 and 9 are in the less certain half of the list.
const SECRET: [u8; 4] = [KEY, PSK, 8, 9];
/// PKCS#8.
const PASSWORD_LIMIT: usize = 32;

impl Nrf9160 {
    pub(super) fn credentials(&self, name: &str, op: &Op, lines: &mut Lines) -> ModemOutcome {
        let args = match (name, op) {
            ("%CMNG", Op::Set(args)) => args,
            ("%CERTEXPIRY", Op::Set(args)) if self.options.tells_expiry => {
                return self.certificate_dates(args, lines);
            }
            _ => return Err(Fail::Unknown),
        };
        match args.number(0, 0..=3)? {
            0 => self.write_credential(args),
            1 => self.list_credentials(args, lines),
            2 => self.read_credential(args, lines),
            _ => {
                args.count(3, 3)?;
                let (tag, kind) = address(args)?;
                let mut state = self.state.borrow_mut();
                if state.active() {
                    return Err(ACTIVE);
                }
                state.nv.store.remove(tag, kind).map_err(Fail::Cme)
            }
        }
    }

    fn write_credential(&self, args: &Args) -> ModemOutcome {
        args.count(4, 5)?;
        let (tag, kind) = address(args)?;
        let content = args.bytes(3)?;
        if args.len() == 5 && (kind != KEY || args.bytes(4)?.len() > PASSWORD_LIMIT) {
            return Err(Fail::Cme(50));
        }
        let hex = content.len() % 2 == 0 && content.iter().all(u8::is_ascii_hexdigit);
        if content.is_empty() || kind == PSK && !hex {
            return Err(Fail::Cme(50));
        }
        let mut state = self.state.borrow_mut();
        if state.active() {
            return Err(ACTIVE);
        }
        state
            .nv
            .store
            .write(tag, kind, content, &self.options)
            .map_err(Fail::Cme)
    }

    fn list_credentials(&self, args: &Args, lines: &mut Lines) -> ModemOutcome {
        args.count(1, 3)?;
        // The list of a reserved tag can be asked for.
        let tag = match args.len() {
            1 => None,
            _ => Some(args.number(1, 0..=i64::from(u32::MAX))? as u32),
        };
        let kind = match args.len() {
            3 => Some(args.byte(2, 0..=13)?),
            _ => None,
        };
        for (stored, stored_kind, content) in self.state.borrow().nv.store.iter() {
            if tag.is_none_or(|tag| tag == stored) && kind.is_none_or(|kind| kind == stored_kind) {
                lines.push(format!(
                    "%CMNG: {stored},{stored_kind},\"{}\"",
                    digest(content, &self.options)
                ));
            }
        }
        Ok(())
    }

    fn read_credential(&self, args: &Args, lines: &mut Lines) -> ModemOutcome {
        args.count(3, 3)?;
        let (tag, kind) = address(args)?;
        let state = self.state.borrow();
        let content = state.nv.store.get(tag, kind).ok_or(NOT_FOUND)?;
        if SECRET.contains(&kind) {
            return Err(NO_ACCESS);
        }
        lines.push(format!(
            "%CMNG: {tag},{kind},\"{}\",\"{}\"",
            digest(content, &self.options),
            String::from_utf8_lossy(content)
        ));
        Ok(())
    }
}

impl Nrf9160 {
    /// Answers `%CERTEXPIRY` (sheet 6.2).
    fn certificate_dates(&self, args: &Args, lines: &mut Lines) -> ModemOutcome {
        args.count(2, 2)?;
        let (tag, kind) = (args.number(0, 1..=TAG_LIMIT)? as u32, args.byte(1, 0..=10)?);
        if !matches!(kind, 0 | 1 | 10) {
            return Err(Fail::Cme(50));
        }
        let state = self.state.borrow();
        let content = state.nv.store.get(tag, kind).ok_or(NOT_FOUND)?;
        let (serial, from, to) = dates(content).ok_or(Fail::Cme(527))?;
        lines.push(format!("%CERTEXPIRY: {serial},{from},{to}"));
        Ok(())
    }
}

fn address(args: &Args) -> Result<(u32, u8), Fail> {
    Ok((args.number(1, 0..=TAG_LIMIT)? as u32, args.byte(2, 0..=13)?))
}
