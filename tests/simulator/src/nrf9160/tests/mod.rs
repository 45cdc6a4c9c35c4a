//! The nRF9160 simulator against its sheet, in virtual time.
