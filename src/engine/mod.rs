//! Rules: from text to matches. Pure: no files, no clock, no threads, no log line.
//!
//! `lang` turns a condition's text into a tree, `load` turns rules files into resolved rules,
//! `compile` types their conditions, `ruleset` turns all of them into one program that all rules
//! share and evaluates it on one event, `output` is the format of an alert's text.
//!
//! As a library: rules files go into a [`Loader`](load::Loader), its rules into a
//! [`RuleSet`](ruleset::RuleSet), and events, made by hand or by a source, are judged by it.
//!
//! ```
//! use eyas::engine::load::{Loader, Settings};
//! use eyas::engine::ruleset::{Matching, RuleSet, Scratch};
//! use eyas::event::builder::EventBuilder;
//! use eyas::event::known;
//! use eyas::event::thread::Thread;
//!
//! let text = b"
//! - macro: secrets
//!   condition: fd.name in (/etc/shadow, /etc/gshadow)
//! - rule: secrets read
//!   desc: somebody reads the passwords
//!   condition: evt.type in (open, openat) and secrets and proc.name != sshd
//!   output: '%proc.name reads %fd.name'
//!   priority: WARNING
//! ";
//! let mut loader = Loader::new(Settings::default());
//! let result = loader.add("rules.yaml", text);
//! assert!(result.successful(), "{}", result.verbose());
//! let rules = RuleSet::build(loader.finish()?.rules, Matching::First);
//!
//! let mut cat = Thread::unknown(4242, 4242);
//! cat.comm = (*b"cat").into();
//! let event = EventBuilder::new(known::OPENAT).thread(cat).file(3, "/etc/shadow");
//! let mut alerts = Vec::new();
//! rules.evaluate(&event.event(), &mut Scratch::default(), |rule| {
//!     rule.output.write_text(&event.event(), &mut alerts);
//! });
//! assert_eq!(alerts, b"cat reads /etc/shadow");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod comparison;
pub mod compile;
pub mod condition;
mod context;
pub mod describe;
pub mod diagnostic;
pub mod event_set;
pub mod lang;
pub mod load;
pub mod matchers;
pub mod output;
pub mod partial;
pub mod program;
pub mod rule;
pub mod ruleset;
pub mod services;
pub mod transform;
pub mod types;
pub mod yaml;
