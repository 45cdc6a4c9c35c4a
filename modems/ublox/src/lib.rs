//! u-blox for [`sectag`].
//!
//! - [`cellular`]: SARA, LARA, LENA and LEXI.
//! - [`short_range`]: Wi-Fi modules of the first generation of u-connectXpress (ODIN-W2, NINA-W13, NINA-W15), over
//!   extended data mode.
//!
//! What the modules do is cited as "sheet", with the number of a heading of `FACTS.md` beside this crate's
//! sources, which names manual and chapter for each fact.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod cellular;
pub mod short_range;
