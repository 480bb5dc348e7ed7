//! eyas: Falco's rules on hosts that cannot load a driver.

pub mod engine;
pub mod event;
pub mod fields;
