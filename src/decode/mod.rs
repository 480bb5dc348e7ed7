//! Bytes → typed records. No I/O, no clock, no panic; everything here has a fuzz target.

pub mod reader;
