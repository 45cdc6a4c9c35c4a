//! u-blox for [`sectag`].
//!
//! What is here so far is the framing of the short-range modules of the first generation (ODIN-W2, NINA-W13,
//! NINA-W15), on which their backend will stand: [`short_range::Edm`].
//!
//! What the modules do is cited as "sheet", with the number of a heading of `FACTS.md` beside this crate's
//! sources, which names manual and chapter for each fact.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod short_range;
