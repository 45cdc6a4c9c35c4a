//! One 32-bit peripheral register.

/// The address of a register that exists for as long as the program runs.
///
/// A compiler may not merge, drop or reorder accesses to it.
#[derive(Clone, Copy)]
pub(super) struct Register(usize);

impl Register {
    /// Names the register at `address`.
    ///
    /// # Safety
    /// On this board there must be a 32-bit register there that may be read and written at any
    /// time without harm to memory (a DMA engine's would not qualify).
    pub(super) const unsafe fn at(address: usize) -> Self {
        Self(address)
    }

    pub(super) fn read(self) -> u32 {
        // SAFETY: `at` was promised a register that may be read at any time.
        unsafe { core::ptr::with_exposed_provenance::<u32>(self.0).read_volatile() }
    }

    pub(super) fn write(self, value: u32) {
        // SAFETY: `at` was promised a register that may be written at any time.
        unsafe { core::ptr::with_exposed_provenance_mut::<u32>(self.0).write_volatile(value) }
    }
}
