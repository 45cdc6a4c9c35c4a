//! The command `#XCMNG` of native TLS builds (sheet 7).

use super::super::Nrf9160;
use super::super::credentials::{CA, TAG_LIMIT};
use super::super::keys;
use super::super::profile::NativeStore;
use super::{OK, Outcome, UNKNOWN};
use crate::syntax::{Args, Fail, Op};

/// The longest content that 2.0 to 2.5 store, in bytes; their buffer has 2100.
const MAPPED_LIMIT: usize = 2099;
const PSK_ID: u8 = 4;

impl Nrf9160 {
    pub(super) fn native(&self, name: &str, op: &Op) -> Outcome {
        let (Some(native), "XCMNG", Op::Set(args)) = (self.options.profile.native, name, op) else {
            return UNKNOWN;
        };
        match native.store {
            NativeStore::Mapped => self.mapped(args),
            NativeStore::Settings => self.settings(args),
        }
    }

    /// Handles `#XCMNG` of 2.0 to 2.5: type 0 of `sec_tag * 10 + type`. The type is not checked. TRAP:
    /// type 10 of tag 321 is the CA of tag 322.
    fn mapped(&self, args: &Args) -> Outcome {
        args.count(3, 4)?;
        let operation = args.number(0, 0..=3)?;
        let tag = args.number(1, 0..=TAG_LIMIT / 10)? as u32;
        let kind = args.number(2, 0..=i64::from(u16::MAX))? as u32;
        let place = tag * 10 + kind;
        let mut state = self.state.borrow_mut();
        match operation {
            0 => {
                args.count(4, 4)?;
                let content = args.bytes(3)?;
                if content.is_empty() || content.len() > MAPPED_LIMIT || state.active() {
                    return Err(Fail::Error);
                }
                let written = state.nv.store.write(place, CA, content, &self.options);
                written.map_err(Fail::Cme)?;
            }
            2 => {
                if kind != u32::from(CA) && kind != u32::from(PSK_ID) {
                    return Err(Fail::Error);
                }
                let content = state.nv.store.get(place, CA).ok_or(Fail::Error)?;
                // `%CMNG`, no digest, the unmapped tag, no CR LF in front.
                self.core.send(
                    format!(
                        "%CMNG: {tag},{kind},\"\",\"{}\"\r\n",
                        String::from_utf8_lossy(content)
                    )
                    .as_bytes(),
                );
            }
            3 => {
                if state.active() {
                    return Err(Fail::Error);
                }
                state.nv.store.remove(place, CA).map_err(Fail::Cme)?;
            }
            // There is no list.
            _ => return Err(Fail::Error),
        }
        OK
    }

    /// Handles `#XCMNG` of 2.6 and later, which uses the application's flash; LTE may be on.
    fn settings(&self, args: &Args) -> Outcome {
        args.count(1, 4)?;
        let mut state = self.state.borrow_mut();
        let address = || -> Result<(u32, u8), Fail> {
            Ok((
                args.number(1, 0..=TAG_LIMIT)? as u32,
                args.byte(2, 0..=PSK_ID)?,
            ))
        };
        match args.number(0, 0..=3)? {
            0 => {
                args.count(4, 4)?;
                let (tag, kind) = address()?;
                let content = args.bytes(3)?;
                // The content is not checked: sheet 12.11 stores "PSK" as a PSK.
                if content.is_empty()
                    || !state
                        .nv
                        .settings
                        .write(tag, kind, content, self.options.settings_size)
                {
                    return Err(Fail::Error);
                }
            }
            1 => {
                args.count(1, 1)?;
                if self.options.profile.random_list_error {
                    let count = state.next_random();
                    if keys::random(self.options.seed, count, "list")[0].is_multiple_of(2) {
                        return Err(Fail::Error);
                    }
                }
                for (tag, kind, _) in state.nv.settings.iter() {
                    // Without a CR LF in front (sheet 1.2).
                    self.core
                        .send(format!("#XCMNG: {tag},{kind}\r\n").as_bytes());
                }
            }
            3 => {
                args.count(3, 3)?;
                let (tag, kind) = address()?;
                // It is no error if the item is absent.
                state.nv.settings.remove(tag, kind);
            }
            // Reading was removed from the firmware.
            _ => return Err(Fail::Error),
        }
        OK
    }
}
