//! The tables of the numbers of `+CME ERROR` (3GPP TS 27.007, 9.2) and `+CMS ERROR` (TS 27.005, 3.2.5), each with its
//! meaning and its possible causes. They are linked with the feature `hints` only.

use crate::cause::Cause::{self, *};

/// An error number with which a modem refuses a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// The number.
    pub code: u16,
    /// The meaning in a few words.
    pub meaning: &'static str,
    /// The possible causes, the likeliest first.
    pub causes: &'static [Cause],
}

impl Number {
    /// Makes a row of a table. Tables are in ascending order of their numbers.
    pub const fn new(code: u16, meaning: &'static str, causes: &'static [Cause]) -> Self {
        Self {
            code,
            meaning,
            causes,
        }
    }
}

/// Finds the row of a number in a table.
pub fn find(table: &'static [Number], code: u16) -> Option<&'static Number> {
    let at = table.binary_search_by_key(&code, |row| row.code).ok()?;
    table.get(at)
}

/// Returns the row of a number of `+CME ERROR`; `None` for a number that 27.007 reserves or leaves to the vendor.
pub fn cme(code: u16) -> Option<&'static Number> {
    find(&CME, code)
}

/// Returns the row of a number of `+CMS ERROR` from 300 on. Lower numbers come from the network and are about a single
/// message.
pub fn cms(code: u16) -> Option<&'static Number> {
    find(&CMS, code)
}

macro_rules! rows {
    ($($code:literal $meaning:literal: $($cause:ident)+;)*) => {
        [$(Number::new($code, $meaning, &[$($cause),+])),*]
    };
}

static CME: [Number; 163] = rows! {
    // The modem.
    0 "phone failure": ModemReset Unknown;
    1 "no connection to the phone": WrongPort ModemBusy;
    2 "the link is reserved": ModemBusy;
    3 "not allowed now": ModemBusy SimMissing;
    4 "not supported": SettingRefused;
    // The SIM.
    5 "phone-to-SIM PIN wanted": SimForeign;
    6 "phone-to-first-SIM PIN wanted": SimForeign;
    7 "phone-to-first-SIM PUK wanted": SimForeign;
    10 "no SIM inserted": SimMissing;
    11 "SIM PIN wanted": SimPinMissing SimPinWrong;
    12 "SIM PUK wanted": SimPukNeeded;
    13 "SIM failure": SimUnreadable SimMissing;
    14 "SIM busy": ModemBusy SimUnreadable;
    15 "wrong SIM": SimUnreadable SimForeign;
    16 "wrong password": SimPinWrong;
    17 "SIM PIN2 wanted": SimPinMissing;
    18 "SIM PUK2 wanted": SimPukNeeded;
    20 "memory full": OutOfMemory;
    21 "invalid index": BadParameter;
    22 "not found": BadParameter;
    23 "memory failure": OutOfMemory Unknown;
    24 "text too long": BadParameter;
    25 "invalid characters in a text": BadParameter LineFault;
    26 "dial string too long": BadParameter;
    27 "invalid characters in a dial string": BadParameter LineFault;
    // The network.
    30 "no network service": NoCoverage RadioMismatch RadioOff;
    31 "network timeout": NetworkSlow NoCoverage;
    32 "emergency calls only": RegistrationDenied RadioMismatch;
    40 "network PIN wanted": SimForeign;
    41 "network PUK wanted": SimForeign;
    42 "network subset PIN wanted": SimForeign;
    43 "network subset PUK wanted": SimForeign;
    44 "provider PIN wanted": SimForeign;
    45 "provider PUK wanted": SimForeign;
    46 "corporate PIN wanted": SimForeign;
    47 "corporate PUK wanted": SimForeign;
    48 "hidden key wanted": SimForeign;
    49 "EAP method not supported": SettingRefused;
    // The command.
    50 "incorrect parameters": BadParameter SettingRefused;
    51 "command disabled in this build": SettingRefused;
    52 "ended by the user": ModemBusy;
    53 "not attached, with restrictions": NoCoverage RegistrationDenied;
    54 "emergency only, with restrictions": RegistrationDenied;
    55 "not allowed with these restrictions": RegistrationDenied;
    56 "fixed numbers only": RegistrationDenied;
    57 "out of service for now": NetworkSlow ModemBusy;
    58 "language or alphabet not supported": SettingRefused;
    59 "value out of range": BadParameter SettingRefused;
    60 "system failure": ModemReset Unknown;
    61 "data missing": BadParameter LineFault;
    62 "call barred": RegistrationDenied;
    63 "waiting messages cannot be subscribed to": SettingRefused;
    100 "unknown": Unknown;
    // Causes that the network gave at an attach, about this subscriber or device.
    102 "the subscriber is unknown to the home network": RegistrationDenied;
    103 "illegal subscriber": RegistrationDenied;
    104 "the subscriber is unknown to this network": RegistrationDenied;
    105 "the network does not accept this IMEI": RegistrationDenied;
    106 "illegal device": RegistrationDenied;
    107 "no packet service for this subscriber": DataNotAllowed RegistrationDenied;
    108 "no service of any kind for this subscriber": RegistrationDenied;
    109 "the network cannot tell who this is": RegistrationDenied NetworkSlow;
    110 "detached by the network": RegistrationDenied NetworkSlow;
    111 "network not allowed": RegistrationDenied RadioMismatch;
    112 "area not allowed": RegistrationDenied;
    113 "no roaming in this area": RegistrationDenied;
    114 "no packet service in this network": RegistrationDenied DataNotAllowed;
    115 "no suitable cell in this area": RadioMismatch NoCoverage;
    116 "switching centre not reachable for now": NetworkSlow;
    117 "network failure at the attach": NetworkSlow;
    118 "no circuit switched domain": RadioMismatch;
    119 "session management failed": ApnWrong DataNotAllowed;
    122 "congestion": NetworkSlow;
    124 "capabilities too small for this broadcast": SettingRefused;
    125 "not a member of this cell's group": RegistrationDenied;
    // Causes that the network gave for a data connection.
    126 "the network lacks resources": NetworkSlow;
    127 "access point name missing or unknown": ApnMissing ApnWrong;
    128 "unknown type of address": ApnWrong;
    129 "login refused": ApnLoginWrong;
    130 "refused by the gateway": ApnWrong DataNotAllowed;
    131 "refused without a reason": ApnWrong DataNotAllowed;
    132 "service not supported": ApnWrong DataNotAllowed;
    133 "service not subscribed": DataNotAllowed ApnWrong;
    134 "service out of order for now": NetworkSlow;
    135 "the connection's number is in use": ContextInUse;
    136 "regular deactivation": DataConnectionDown;
    137 "quality of service not accepted": DataNotAllowed;
    138 "call cannot be told": Unknown;
    139 "circuit switched service not available for now": NetworkSlow;
    140 "feature not supported": SettingRefused;
    141 "meaningless packet filters": BadParameter;
    142 "malformed packet filters": BadParameter;
    143 "unknown data connection": DataConnectionDown;
    144 "meaningless packet filter": BadParameter;
    145 "malformed packet filter": BadParameter;
    146 "there is a data connection without filters already": ContextInUse;
    147 "membership of a multicast group timed out": NetworkSlow;
    148 "unspecified failure of the data connection": ApnWrong DataConnectionDown;
    149 "login of the data connection refused": ApnLoginWrong;
    150 "invalid class of device": SettingRefused;
    151 "the last data connection must stay": ContextInUse;
    171 "the last data connection must stay": ContextInUse;
    172 "meaningless message": Unknown;
    173 "invalid mandatory element": Unknown;
    174 "unknown type of message": Unknown;
    175 "wrong conditional element": Unknown;
    176 "unspecified protocol error": Unknown;
    177 "barred by the operator": DataNotAllowed;
    178 "as many data connections as there can be": ContextInUse;
    179 "access point name not supported here": ApnWrong;
    180 "the network alone begins connections": DataNotAllowed;
    181 "class of service not supported": DataNotAllowed;
    182 "data over the control plane is congested": NetworkSlow;
    183 "messages come by packets in this area": SettingRefused;
    184 "invalid transaction number": Unknown;
    185 "no bearer": DataConnectionDown;
    186 "a message at the wrong time": Unknown;
    187 "recovered after a timeout": NetworkSlow;
    188 "invalid transaction": Unknown;
    189 "service not authorised in this network": DataNotAllowed;
    190 "network failure at the activation": NetworkSlow;
    191 "the network wants a new activation": DataConnectionDown;
    192 "IPv4 only": ApnWrong SettingRefused;
    193 "IPv6 only": ApnWrong SettingRefused;
    194 "one kind of address only": ApnWrong SettingRefused;
    195 "the network began the same at the same time": ModemBusy;
    196 "IPv4 and IPv6 together only": ApnWrong SettingRefused;
    197 "no IP on this access point": ApnWrong;
    198 "the network cannot handle this bearer": DataNotAllowed;
    199 "not beside the other access point": ApnWrong ContextInUse;
    200 "one connection at a time to this network": ContextInUse;
    201 "information about the session did not arrive": NetworkSlow;
    202 "no such connection": DataConnectionDown;
    203 "one connection at a time to this access point": ContextInUse;
    204 "severe network failure": NetworkSlow;
    // 5G.
    205 "no resources for this slice and name": NetworkSlow;
    206 "mode of continuity not supported": SettingRefused;
    207 "no resources for this slice": NetworkSlow;
    208 "a type of message at the wrong time": Unknown;
    209 "element unknown": Unknown;
    210 "5G not allowed": RegistrationDenied;
    211 "restricted area": RegistrationDenied;
    212 "local network not available": ApnWrong;
    213 "name missing or unknown in this slice": ApnMissing ApnWrong;
    214 "key set in use": ModemBusy;
    215 "payload not forwarded": NetworkSlow;
    216 "no access to 5G from outside 3GPP": RegistrationDenied;
    217 "this network is not authorised": RegistrationDenied;
    218 "name not supported in this slice": ApnWrong;
    219 "no resources for this session": NetworkSlow;
    220 "outside the local network's area": RegistrationDenied;
    221 "transaction mismatch": Unknown;
    222 "too slow for protected data": SettingRefused;
    223 "meaningless rules of quality": BadParameter;
    224 "malformed rules of quality": BadParameter;
    225 "invalid mapped bearer": Unknown;
    226 "the network sends to the 5G core": RadioMismatch;
    227 "the network sends to the 4G core": RadioMismatch;
    228 "not authorised for this private network now": RegistrationDenied;
    229 "not authorised for this private network": RegistrationDenied;
    230 "Ethernet only": ApnWrong;
    231 "not authorised for this closed group": RegistrationDenied;
    232 "no slice available": RegistrationDenied;
    233 "this fixed line's area is not allowed": RegistrationDenied;
};

static CMS: [Number; 23] = rows! {
    300 "modem failure": ModemReset Unknown;
    301 "message service reserved": ModemBusy;
    302 "not allowed": ModemBusy;
    303 "not supported": SettingRefused;
    304 "invalid parameter of a PDU": BadParameter;
    305 "invalid parameter of a text": BadParameter;
    310 "no SIM inserted": SimMissing;
    311 "SIM PIN wanted": SimPinMissing SimPinWrong;
    312 "phone-to-SIM PIN wanted": SimForeign;
    313 "SIM failure": SimUnreadable SimMissing;
    314 "SIM busy": ModemBusy SimUnreadable;
    315 "wrong SIM": SimUnreadable SimForeign;
    316 "SIM PUK wanted": SimPukNeeded;
    317 "SIM PIN2 wanted": SimPinMissing;
    318 "SIM PUK2 wanted": SimPukNeeded;
    320 "memory failure": OutOfMemory Unknown;
    321 "invalid index": BadParameter;
    322 "memory full": OutOfMemory;
    330 "message centre unknown": SettingRefused;
    331 "no network service": NoCoverage RadioMismatch RadioOff;
    332 "network timeout": NetworkSlow NoCoverage;
    340 "no acknowledgement expected": BadParameter;
    500 "unknown": Unknown;
};

#[cfg(test)]
mod tests {
    extern crate std;
    use atat::CmeError;
    use std::collections::HashSet;
    use std::vec::Vec;

    use super::*;

    /// A bring-up names at least the causes of the number for a SIM that it cannot read.
    #[test]
    fn a_bring_up_names_the_causes_that_the_table_has_for_a_wrong_sim() {
        let problem = crate::BringUpError::SimNotReady(crate::Code::Cme(15));
        let listed = cme(15).map(|number| number.causes);
        assert_eq!(listed, Some(&problem.causes().collect::<Vec<_>>()[..]));
    }

    /// The table agrees with atat's list, which was made from 27.007 independently.
    #[test]
    fn each_number_of_27_007_has_a_row_and_no_other_has() {
        for code in 0..=u16::MAX {
            let listed = !matches!(
                CmeError::from(code),
                CmeError::Reserved(_) | CmeError::ManufacturerSpecific(_)
            );
            assert_eq!(cme(code).is_some(), listed, "{code}");
            assert!(cme(code).is_none_or(|row| row.code == code));
        }
        assert_eq!(cme(10).map(|row| row.causes), Some(&[SimMissing][..]));
        assert_eq!(cme(13).map(|row| row.meaning), Some("SIM failure"));
        assert_eq!(
            cms(330).map(|row| row.meaning),
            Some("message centre unknown")
        );
        assert_eq!(cms(299), None);
    }

    /// The numbers without a known cause are listed here, so that a row without one is a decision.
    #[test]
    fn numbers_without_a_known_cause_are_listed() {
        let unknown: Vec<u16> = CME
            .iter()
            .filter(|row| row.causes == [Unknown])
            .map(|row| row.code)
            .collect();
        let protocol = [
            138, 172, 173, 174, 175, 176, 184, 186, 188, 208, 209, 221, 225,
        ];
        assert_eq!(unknown, [&[100][..], &protocol].concat());
    }

    #[test]
    fn rows_are_in_order_and_say_something() {
        for table in [&CME[..], &CMS] {
            assert!(table.is_sorted_by(|a, b| a.code < b.code));
            for row in table {
                let distinct: HashSet<_> = row.causes.iter().map(|cause| *cause as u8).collect();
                assert!(
                    !row.meaning.is_empty() && !row.meaning.ends_with('.'),
                    "{row:?}"
                );
                assert!(
                    !row.causes.is_empty() && distinct.len() == row.causes.len(),
                    "{row:?}"
                );
            }
        }
    }
}
