//! Only tests, see `tests/mqtt.rs`.
