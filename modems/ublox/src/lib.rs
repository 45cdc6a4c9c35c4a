//! u-blox cellular and Wi-Fi modules for [`sectag`].
//!
//! - [`cellular`]: SARA, LARA, LENA and LEXI.
//! - [`short_range`]: Wi-Fi modules of the first generation of u-connectXpress (ODIN-W2, NINA-W13, NINA-W15), over
//!   extended data mode.
//!
//! A citation "sheet A.5" names a heading of `FACTS.md` beside this crate's sources, which gives the
//! manual and chapter of each fact.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod cellular;
pub mod short_range;
