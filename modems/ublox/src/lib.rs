//! u-blox for [`sectag`].
//!
//! What is here so far is the framing of the short-range modules of the first generation (ODIN-W2, NINA-W13,
//! NINA-W15), on which their backend will stand: [`short_range::Edm`].
//!
//! What the modules do and how it is known is cited as "sheet", with the section: the u-blox fact sheet of
//! the project, which names manual and chapter for each fact.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod short_range;
