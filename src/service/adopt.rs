//! The swap, between two events, to a configuration and rules that were loaded beside the old.
//!
//! Sources stay open and the process table stays as it is, so nothing is missed. What can only be
//! settled at the start is told.

use std::io;

use crate::config::{Config, Engine};
use crate::log;
use crate::log::Level;

use super::judge::Judge;
use super::keeper::Keeper;
use super::live::{Live, Loop, register_watch};
use super::reload::Fresh;
use super::{Error, formatter, outputs, sources, wakes};

impl Live {
    /// Uses what was loaded anew from now on.
    pub(super) fn adopt(
        &mut self,
        fresh: Fresh,
        judge: &mut Judge,
        keeper: &mut Keeper,
        waiting: &Loop,
    ) -> io::Result<()> {
        let Fresh { rules, config, origin } = fresh;
        let old = keeper.config();
        if outputs_differ(old, &config)
            && let Err(error) = replace_outputs(&config, judge, waiting)
        {
            keeper.refuse(judge, &error.to_string());
            return Ok(());
        }
        tell_what_stays(old, &config);
        log::set_up(super::log_settings(&config));
        self.drops.set(config.drops.clone());
        self.enricher.world_mut().buffers_in_base64 = config.buffer_base64;
        judge.replace_formatter(formatter(&config));
        judge.replace_rules(rules);
        let had_files = self.sources.files.is_some();
        self.planner.settings = config.audit.clone();
        self.planner.meets_openers = config.rendezvous;
        self.planner.host.costly.clone_from(&config.audit.costly_calls);
        sources::adjust(&mut self.sources, judge.rules().rules(), &mut self.planner);
        if !had_files {
            self.register_files(&waiting.poll)?;
        }
        self.register_opens(&waiting.poll)?;
        let plan = self.plan_anew(&waiting.poll, judge)?;
        keeper.adopt(config, &origin, judge, &plan.told());
        register_watch(&waiting.poll, keeper)
    }
}

fn outputs_differ(old: &Config, new: &Config) -> bool {
    let of = |config: &Config| {
        (
            config.outputs.clone(),
            config.buffered_outputs,
            config.queue_capacity,
            config.own_queue_capacity,
            config.output_timeout_ms,
        )
    };
    of(old) != of(new)
}

/// Starts other outputs beside the old ones. What waits in the old ones comes first and nothing is
/// open twice, but nobody waits for that here: the new ones keep what comes meanwhile.
fn replace_outputs(config: &Config, judge: &mut Judge, waiting: &Loop) -> Result<(), Error> {
    outputs::check(config)?;
    let repeats = outputs::repeats(config)?;
    let (fresh, successors) = outputs::start_beside(config, wakes(waiting.waker()))?;
    judge.count_repeats(repeats);
    successors.follow(judge.replace_outputs(fresh));
    Ok(())
}

/// Keys that were changed and count at the next start only.
fn tell_what_stays(old: &Config, new: &Config) {
    let changed = [
        ("engine.kind", old.engine != new.engine && new.engine != Engine::Live),
        ("falco_libs.thread_table_size", old.thread_table_size != new.thread_table_size),
        ("eyas.strict", old.strict != new.strict),
    ];
    for (key, is_changed) in changed {
        if is_changed {
            log!(Level::Warning, "{key} has changed; that counts at the next start only");
        }
    }
}
