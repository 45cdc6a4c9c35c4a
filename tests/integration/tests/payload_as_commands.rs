//! Payload is never a command: no byte that an application chose is executed by the modem, in any dialect, however
//! it is cut and delayed on its way; and what arrives is whole, or a prefix.

use sectag_integration_tests::nrf9160::{World, connect, label, options, provision, usable};
use sectag_integration_tests::simulated::virtually;
