//! Checks of the machine: memory, processors, limits of the kernel. Pure.

use super::List;
use crate::planner::Inputs;
use crate::state::{Severity, Status};

pub(super) fn system(inputs: &Inputs<'_>, list: &mut List) {
    let observed = &inputs.snapshot.system;
    let Some(system) = observed.fresh() else {
        list.unknown("system.memory", Severity::Warning, observed);
        list.unknown("system.cpu", Severity::Warning, observed);
        return;
    };
    let text = format!("{} MiB of {} MiB of memory are available", system.available_mib, system.memory_mib);
    if system.available_mib * 20 < system.memory_mib {
        list.add("system.memory", Severity::Warning, Status::False, "Low", text, "find what uses it: ps aux --sort -rss | head");
    } else {
        list.good("system.memory", Severity::Warning, text);
    }
    let load = system.load5_centi;
    let text = format!("load {}.{:02} on {} processors over 5 minutes", load / 100, load % 100, system.processors);
    if load > 400 * system.processors as u64 {
        list.add("system.cpu", Severity::Warning, Status::False, "Overloaded", text, "find what uses it: top");
    } else {
        list.good("system.cpu", Severity::Warning, text);
    }
}

/// Memory maps a process may have, at least: OpenSearch does not start with fewer
/// (its own bootstrap check).
const MAX_MAP_COUNT: u64 = 262_144;

/// inotify instances of a user, at least: containers of one machine share them, and "too many
/// open files" is what runs out.
const INOTIFY_INSTANCES: u64 = 10_000;

pub(super) fn limits(inputs: &Inputs<'_>, list: &mut List) {
    let observed = &inputs.snapshot.limits;
    let limits = observed.fresh();
    let of = [
        ("kernel.max_map_count", "vm.max_map_count", limits.map(|limits| limits.max_map_count), MAX_MAP_COUNT),
        ("kernel.inotify", "fs.inotify.max_user_instances", limits.map(|limits| limits.inotify_instances), INOTIFY_INSTANCES),
    ];
    for (id, name, seen, least) in of {
        match seen {
            None => list.unknown(id, Severity::Warning, observed),
            Some(None) => list.add(id, Severity::Warning, Status::Unknown, "NotReadable", format!("{name} cannot be read"), ""),
            Some(Some(number)) if number < least => list.add(
                id,
                Severity::Warning,
                Status::False,
                "TooLow",
                format!("{name} is {number}, and a platform needs {least}"),
                format!("echo {name}={least} >>/etc/sysctl.d/60-kaapana.conf; sysctl --system"),
            ),
            Some(Some(number)) => list.good(id, Severity::Warning, format!("{name} is {number}")),
        }
    }
}
