//! What was accepted is on disk before the caller has its answer: shown by the system calls
//! of the agent, which strace(1) sees from outside the node.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::harness::Node;

/// The calls that decide: what makes the ledger durable, and what answers.
const CALLS: &str = "--trace=fsync,fdatasync,rename,renameat,renameat2,sendmsg,sendto,write";

/// Has one method of the Manager called, as nothing else asks the agent, and shows that its
/// answer came after the new ledger and its directory were synced.
pub fn is_synced_before_it_is_answered(node: &Node, call: &str) {
    is_synced_before_it_is_answered_to(node, "", call);
}

/// The same for a call that is made with this before the command.
pub fn is_synced_before_it_is_answered_to(node: &Node, caller: &str, call: &str) {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace")
        .args(["--follow-forks", "--decode-fds=path", "--string-limit=256", CALLS, "--output"])
        .arg(trace.path())
        .args(["--attach", &agent(node)])
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace is installed (make ready)");
    let mut said = BufReader::new(strace.stderr.take().unwrap()).lines();
    // Told once, when it is attached to all of its threads.
    said.find(|line| line.as_ref().is_ok_and(|line| line.contains("attached"))).expect("strace attaches").unwrap();
    node.ok(&format!("{caller} busctl call ai.kaapana.Agent1 /ai/kaapana/Agent1 ai.kaapana.Agent1.Manager {call}"));
    let pid = rustix::process::Pid::from_child(&strace);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    strace.wait().unwrap();

    let text = std::fs::read_to_string(trace.path()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // The answer to a call: little-endian, of type 2 (D-Bus specification, "Message Format").
    let answer = lines.iter().position(|line| line.contains("\"l\\2")).unwrap_or_else(|| panic!("no answer in\n{text}"));
    let mut steps = lines[..answer].iter();
    for (call, what) in [("fsync(", "ledger.json.new>"), ("rename", "/ledger.json\""), ("fsync(", "/var/lib/kaapana-agent>")] {
        let found = steps.any(|line| line.contains(call) && line.contains(what));
        assert!(found, "{call} of {what} is not in its place before the answer:\n{text}");
    }
}

/// The agent's process, seen from here.
fn agent(node: &Node) -> String {
    let inside = node.ok("systemctl show --property=MainPID --value kaapana-agent");
    let of_the_node = |status: &str| {
        let named = status.lines().next() == Some("Name:\tkaapana-agent");
        named && status.lines().any(|line| line.starts_with("NSpid:") && line.split_whitespace().last() == Some(inside.trim()))
    };
    let found = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .find(|entry| std::fs::read_to_string(entry.path().join("status")).is_ok_and(|status| of_the_node(&status)));
    found.expect("the agent's process").file_name().into_string().unwrap()
}
