//! Who did it, and where: records become events, and what is known beside them is kept true.
//!
//! `event` owns the nouns, this module owns how they are found.

pub mod live;
pub mod path;
pub mod settings;
pub mod state;

pub use live::LiveEnricher;
pub use settings::{Needs, Settings};
