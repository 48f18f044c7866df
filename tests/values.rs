//! The Helm values of each release and of each special case, against golden files in
//! `tests/values/`: the whole of a production platform, and of each case what differs from it.
//! `UPDATE_GOLDEN=1` writes them; they are reviewed like code.

#![allow(missing_docs)]

use std::fmt::Write as _;
use std::path::Path;

use kaapana_agent::config::derived::Machine;
use kaapana_agent::config::fragments::Fragments;
use kaapana_agent::config::values::{Values, values};
use kaapana_agent::config::{Settings, validate};
use serde_json::Value as Json;

const RELEASES: &[&str] = &["0.2", "0.3", "0.4", "0.5", "0.6"];

/// Name, releases in which there is the case, what its fragment adds, on which machine.
type Case = (&'static str, &'static [&'static str], &'static str, fn(&mut Machine));

const CASES: &[Case] = &[
    ("development", RELEASES, "[deployment]\ndev_mode = true\nprefetch_extensions = true\n", |_| {}),
    (
        "offline",
        RELEASES,
        "[deployment]\ndev_mode = false\noffline = true\nchart_path = \"/srv/kaapana-admin-chart-VERSION.tgz\"\n",
        |_| {},
    ),
    ("gpu", RELEASES, "[deployment]\ndev_mode = false\ngpu_support = \"auto\"\n", |machine| machine.gpu = true),
    ("nfs", &["0.2", "0.3", "0.4", "0.5"], "[deployment]\ndev_mode = false\nenable_nfs = true\n", |_| {}),
    (
        "longhorn",
        &["0.6"],
        "[deployment]\ndev_mode = false\n[storage]\nprovider = \"longhorn\"\nvolume_slow_data = \"2Ti\"\nreplica_count = 2\n",
        |_| {},
    ),
    ("instance", RELEASES, "[deployment]\ndev_mode = false\n[platform]\ninstance_uid = \"second\"\n", |_| {}),
    ("address", RELEASES, "[deployment]\ndev_mode = false\n[platform]\ndomain = \"10.0.0.7\"\n", |_| {}),
    (
        "proxy",
        RELEASES,
        "[deployment]\ndev_mode = false\nhttp_proxy = \"http://proxy.example.org:3128\"\nhttps_proxy = \"http://proxy.example.org:3129\"\n",
        |_| {},
    ),
];

fn machine() -> Machine {
    Machine {
        memory_mib: 64_000,
        gpu: false,
        node_name: "node".into(),
        server_ip: Some("10.0.0.5".into()),
        api_ip: Some("10.0.0.6".into()),
        timestamp: "2026-11-23-10-00".into(),
        oidc_client_secret: "0123456789abcdef".repeat(4),
    }
}

/// A platform as a site would describe it, with a further fragment that wins.
fn settings(release: &str, more: &str) -> Settings {
    let mut fragments = Fragments::default();
    let site = "[platform]\nversion = \"VERSION\"\ndomain = \"kaapana.example.org\"\n[registry]\nurl = \"registry.example.org/kaapana\"\n\
                username = \"reader\"\npassword = \"Registry.Password1\"\n[deployment]\ndev_mode = false\ngpu_support = false\n[data]\n\
                fast_dir = \"/data/fast\"\nslow_dir = \"/data/slow\"\nmount_points_to_monitor = [\"/data/fast\", \"/data/slow\"]\n";
    for (file, text) in [("/10-site.toml", site), ("/20-case.toml", more)] {
        fragments.merge_text(Path::new(file), &text.replace("VERSION", &format!("{release}.1"))).unwrap();
    }
    validate(&fragments).unwrap().unwrap()
}

fn lines(values: &Values) -> Vec<String> {
    fn walk(path: &str, value: &Json, lines: &mut Vec<String>) {
        match value {
            Json::Object(map) => map.iter().for_each(|(key, value)| {
                walk(&if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, value, lines);
            }),
            other => lines.push(format!("{path} = {other}")),
        }
    }
    let mut lines = Vec::new();
    walk("", &values.nested(), &mut lines);
    lines
}

#[test]
fn the_values_of_each_release_are_as_the_golden_files_say() {
    for release in RELEASES {
        let production = lines(&values(&settings(release, ""), &machine()).unwrap());
        let mut told = format!("# Kaapana {release}: production\n{}\n", production.join("\n"));
        for (name, _, more, adjust) in CASES.iter().filter(|case| case.1.contains(release)) {
            let mut machine = machine();
            adjust(&mut machine);
            let case = lines(&values(&settings(release, more), &machine).unwrap());
            writeln!(told, "\n# {name}").unwrap();
            production.iter().filter(|line| !case.contains(line)).for_each(|line| writeln!(told, "- {line}").unwrap());
            case.iter().filter(|line| !production.contains(line)).for_each(|line| writeln!(told, "+ {line}").unwrap());
        }
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/values/{release}.golden"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
            std::fs::write(&golden, &told).unwrap();
        }
        let known = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(told, known, "{release}");
    }
}
