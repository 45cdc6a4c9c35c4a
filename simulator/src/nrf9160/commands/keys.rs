//! The commands `%KEYGEN`, `%JWT` and `%ATTESTTOKEN` (sheet 6.1).

use super::super::Nrf9160;
use super::super::credentials::{KEY, TAG_LIMIT};
use super::super::keys::{Key, base64url, parse_subject, random, show_uuid};
use super::credentials::ACTIVE;
use super::{Lines, ModemOutcome};
use crate::syntax::{Args, Fail, Op};

/// The endorsement key, which `%KEYGEN` can make, too; other kinds are UNCONFIRMED.
const ENDORSEMENT: u8 = 8;
const INCORRECT: Fail = Fail::Cme(50);

impl Nrf9160 {
    pub(super) fn key_commands(&self, name: &str, op: &Op, lines: &mut Lines) -> ModemOutcome {
        match (name, op) {
            ("%KEYGEN", Op::Set(args)) => lines.push(self.generate(args)?),
            ("%JWT", Op::Set(args)) => lines.push(self.token(args)?),
            ("%ATTESTTOKEN", Op::Execute) => {
                let nonce = self.nonce();
                lines.push(self.attestation(&nonce));
            }
            ("%ATTESTTOKEN", Op::Set(args)) => {
                args.count(1, 1)?;
                let challenge = args.string(0)?;
                let mut nonce = [0; 16];
                let digits = challenge.as_bytes();
                if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(INCORRECT);
                }
                for (byte, pair) in nonce.iter_mut().zip(digits.chunks_exact(2)) {
                    let pair = std::str::from_utf8(pair).map_err(|_| INCORRECT)?;
                    *byte = u8::from_str_radix(pair, 16).map_err(|_| INCORRECT)?;
                }
                lines.push(self.attestation(&nonce));
            }
            ("%DEVICEUUID", Op::Execute) if self.options.profile.serial_modem => {
                lines.push(format!("%DEVICEUUID: {}", show_uuid(&self.options.uuid)));
            }
            _ => return Err(Fail::Unknown),
        }
        Ok(())
    }

    /// Returns the key with which every unit is made.
    fn identity(&self) -> Key {
        Key::new(random(self.options.seed, 0, "identity"))
    }

    fn nonce(&self) -> [u8; 16] {
        let count = self.state.borrow_mut().next_random();
        let bytes = random(self.options.seed, count, "nonce");
        std::array::from_fn(|index| bytes[index])
    }

    fn attestation(&self, nonce: &[u8; 16]) -> String {
        let firmware = random(0, 0, self.options.profile.modem_firmware);
        let firmware = std::array::from_fn(|index| firmware[index]);
        let token = self
            .identity()
            .attest_device(&self.options.uuid, &firmware, nonce);
        format!("%ATTESTTOKEN: \"{token}\"")
    }

    fn generate(&self, args: &Args) -> Result<String, Fail> {
        args.count(2, 5)?;
        let tag = args.number(0, 0..=TAG_LIMIT)? as u32;
        let kind = args.byte(1, 0..=13)?;
        if !matches!(kind, KEY | ENDORSEMENT) {
            return Err(INCORRECT);
        }
        let is_csr = args.number_or(2, 0..=1, 0)? == 0;
        let subject = if args.absent(3) {
            vec![("CN".to_owned(), show_uuid(&self.options.uuid))]
        } else {
            parse_subject(args.string(3)?).ok_or(INCORRECT)?
        };
        if !args.absent(4) {
            args.string(4)?;
        }
        if self.state.borrow().active() {
            return Err(ACTIVE);
        }
        if self.state.borrow().nv.store.get(tag, kind).is_some() {
            return Err(Fail::Cme(519));
        }
        let count = self.state.borrow_mut().next_random();
        let key = Key::new(random(self.options.seed, count, "key"));
        let body = if is_csr {
            key.csr(&subject, self.options.csr_with_null)
                .ok_or(Fail::Cme(523))?
        } else {
            key.public_key()
        };
        let stored = key.pem();
        {
            let mut state = self.state.borrow_mut();
            let written = state.nv.store.write(tag, kind, &stored, &self.options);
            written.map_err(Fail::Cme)?;
        }
        let nonce = self.nonce();
        let answer = Key::attest_key(
            &self.identity(),
            &body,
            is_csr,
            &self.options.uuid,
            tag,
            &nonce,
        );
        Ok(format!("%KEYGEN: \"{answer}\""))
    }

    fn token(&self, args: &Args) -> Result<String, Fail> {
        args.count(1, 6)?;
        args.number_or(0, 0..=0, 0)?;
        let lifetime = args.number_or(1, 0..=i64::from(u32::MAX), 0)?;
        let claim = |index: usize| -> Result<Option<String>, Fail> {
            if args.absent(index) {
                return Ok(None);
            }
            let text = args.string(index)?;
            // The text must not break the JSON that the modem makes of it.
            let plain = text
                .chars()
                .all(|c| c != '\\' && c != '"' && !c.is_control());
            plain.then(|| Some(text.to_owned())).ok_or(INCORRECT)
        };
        let (subject, audience) = (claim(2)?, claim(3)?);
        let key = if args.absent(4) {
            self.identity()
        } else {
            let tag = args.number(4, 0..=TAG_LIMIT)? as u32;
            let kind = args.byte(5, 0..=13)?;
            if !matches!(kind, KEY | ENDORSEMENT) {
                return Err(INCORRECT);
            }
            let state = self.state.borrow();
            let stored = state.nv.store.get(tag, kind).ok_or(Fail::Cme(513))?;
            // An RSA key cannot sign ES256.
            Key::from_pem(stored).ok_or(Fail::Cme(525))?
        };
        let uuid = show_uuid(&self.options.uuid);
        let count = self.state.borrow_mut().next_random();
        let id: [u8; 32] = random(self.options.seed, count, "jti");
        let mut claims = vec![
            format!("\"iss\":\"nRF9160.{uuid}\""),
            format!("\"jti\":\"nRF9160.{uuid}.{}\"", base64url(&id[..16])),
        ];
        if lifetime > 0 {
            // A lifetime needs a valid time (sheet 6.1).
            let now = self.now().ok_or(Fail::Cme(525))?.unix_timestamp();
            claims.push(format!("\"iat\":{now}"));
            claims.push(format!("\"exp\":{}", now + lifetime));
        }
        claims.extend(subject.map(|subject| format!("\"sub\":\"{subject}\"")));
        claims.extend(audience.map(|audience| format!("\"aud\":\"{audience}\"")));
        let token = key.jwt(&format!("{{{}}}", claims.join(",")));
        Ok(format!("%JWT: \"{token}\""))
    }
}
