//! What `kaapanactl import` says on standard error. Never holds a password.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Import, Unmapped, comment};
use crate::config::error::Problem;

/// What became of the script, for people.
#[must_use]
pub fn report(name: &str, import: &Import) -> String {
    let mut text = String::new();
    let count = |number: usize| if number == 1 { "1 setting".to_owned() } else { format!("{number} settings") };
    writeln!(text, "{}: {} carried over", comment(name), count(import.mapped.len())).ok();
    let width = import.mapped.iter().map(|mapped| mapped.key.len()).max().unwrap_or_default();
    for mapped in &import.mapped {
        let notes = if mapped.notes.is_empty() { String::new() } else { format!("; {}", mapped.notes.join(", ")) };
        writeln!(text, "  {:width$}  {}, line {}{notes}", mapped.key, mapped.variable, mapped.line).ok();
    }
    if !import.empty.is_empty() {
        writeln!(text, "empty, so left unset: {}", import.empty.join(", ")).ok();
    }
    if !import.not_needed.is_empty() {
        writeln!(text, "not needed:").ok();
        for (reason, variables) in grouped(&import.not_needed) {
            writeln!(text, "  {}: {reason}", variables.join(", ")).ok();
        }
    }
    if !import.unread.is_empty() {
        writeln!(text, "not read:").ok();
        for one in &import.unread {
            writeln!(text, "  {one}").ok();
        }
    }
    if !import.unmapped.is_empty() {
        writeln!(text, "not carried over:").ok();
        for one in &import.unmapped {
            writeln!(text, "  {}", unmapped(one)).ok();
        }
    }
    if !import.problems.is_empty() {
        writeln!(text, "to be filled in or corrected:").ok();
        for problem in &import.problems {
            writeln!(text, "  {}", comment(&without_place(problem))).ok();
        }
    }
    if !import.advice.is_empty() {
        writeln!(text, "advice:").ok();
        for advice in &import.advice {
            writeln!(text, "  - {advice}").ok();
        }
    }
    text
}

/// A variable that was not carried over, and why.
#[must_use]
pub fn unmapped(one: &Unmapped) -> String {
    let key = one.key.map(|key| format!(" ({key})")).unwrap_or_default();
    format!("{}{key}, line {}: {}", one.variable, one.line, one.reason)
}

/// The problem without the file and line, which are those of a file that is not there yet.
pub(super) fn without_place(problem: &Problem) -> String {
    Problem { file: None, line: 0, column: 0, ..problem.clone() }.to_string()
}

/// Reasons in the order of their first variable.
fn grouped(all: &[Unmapped]) -> Vec<(&str, Vec<String>)> {
    let mut order: Vec<&str> = Vec::new();
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for one in all {
        if !order.contains(&one.reason.as_str()) {
            order.push(&one.reason);
        }
        by_reason.entry(&one.reason).or_default().push(one.variable.clone());
    }
    order.into_iter().filter_map(|reason| Some((reason, by_reason.remove(reason)?))).collect()
}
