//! eyas: Falco's rules on hosts that cannot load a driver.
//!
//! ```text
//! kernel ──► sources ──► decode ──► enrich ──► event ──► engine ──► format ──► outputs
//!            fanotify     bytes →   process     one       index by   alert      bounded queue,
//!            proc conn.   records   table,      Event<'_> evt.type,  text/JSON  own thread:
//!            audit                  cgroups,              evaluate              file, stdout, syslog,
//!            ptrace                 users                                       program, http
//!            replay
//!            └────────────── one thread, epoll, borrowed data ────────────┘ └── owned data ──┘
//! ```
//!
//! Modules in the order of the data flow; who may know whom is in `ARCHITECTURE.md`.

pub mod metrics;
pub mod probe;
pub mod sources;
pub mod sys;

pub mod decode;

pub mod procfs;

pub mod enrich;
pub mod event;

pub mod cli;
pub mod config;
pub mod doctor;
pub mod engine;
pub mod fields;
pub mod format;
pub mod log;
pub mod outputs;
pub mod service;
pub mod web;
