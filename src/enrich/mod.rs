//! Who did it, and where: records become events, and what is known beside them is kept true.
//!
//! `event` owns the nouns, this module owns how they are found.

mod audit_calls;
pub mod audit_records;
pub mod calls;
pub mod cgroup;
pub mod container;
pub mod descriptor;
mod draft;
mod ends;
pub mod exe;
pub mod fds;
mod file_records;
mod image;
pub mod layers;
pub mod live;
pub mod look;
mod looks;
pub mod open_mode;
pub mod params;
pub mod path;
pub mod process;
mod process_records;
pub mod settings;
mod sockets;
mod standing;
pub mod state;
pub mod stdio;
pub mod users;

pub use live::Error as LiveError;
pub use live::LiveEnricher;
pub use looks::LookSource;
pub use settings::{Needs, Settings};
