//! Platforms as sites describe them: one for production, and each special case.

use std::path::Path;

use kaapana_agent::config::derived::Machine;
use kaapana_agent::config::fragments::Fragments;
use kaapana_agent::config::{Settings, validate};

pub const RELEASES: &[&str] = &["0.2", "0.3", "0.4", "0.5", "0.6"];

/// Name, releases in which there is the case, what its fragment adds, on which machine.
pub type Case = (&'static str, &'static [&'static str], &'static str, fn(&mut Machine));

pub const CASES: &[Case] = &[
    ("development", RELEASES, "[deployment]\ndev_mode = true\nprefetch_extensions = true\n", |_| {}),
    (
        "offline",
        RELEASES,
        "[deployment]\ndev_mode = true\noffline = true\nchart_path = \"/srv/kaapana-admin-chart-VERSION.tgz\"\n",
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
        "mail",
        &["0.4", "0.5", "0.6"],
        "[platform]\ninstance_name = \"Radiology\"\n[smtp]\nhost = \"mail.example.org\"\nport = 587\nusername = \"mailer\"\npassword = \"Mail.Password1\"\nsender = \"kaapana@example.org\"\n",
        |_| {},
    ),
    (
        "names",
        RELEASES,
        "[network]\nhttp_port = 8080\nhttps_port = 8443\ndicom_port = 11113\n\
         [namespaces]\nadmin = \"one\"\nservices = \"two\"\nextensions = \"three\"\n[credentials.minio]\nusername = \"mini\"\n\
         [credentials.grafana]\nusername = \"graf\"\n[credentials.keycloak]\nusername = \"key\"\n[deployment]\nprefetch_extensions = true\n",
        |_| {},
    ),
    ("shares", &["0.4", "0.5", "0.6"], "[resources]\npacs_percent = 40\nairflow_percent = 40\n", |_| {}),
    ("jobs", &["0.2", "0.3"], "[namespaces]\njobs = \"four\"\n", |_| {}),
    (
        "proxy",
        RELEASES,
        "[deployment]\ndev_mode = false\nhttp_proxy = \"http://proxy.example.org:3128\"\nhttps_proxy = \"http://proxy.example.org:3129\"\n",
        |_| {},
    ),
];

pub fn machine() -> Machine {
    Machine {
        memory_mib: 64_000,
        gpu: false,
        longhorn_nodes: 0,
        node_name: "node".into(),
        server_ip: Some("10.0.0.5".into()),
        api_ip: Some("10.0.0.6".into()),
        timestamp: "2026-11-23-10-00".into(),
        oidc_client_secret: "0123456789abcdef".repeat(4),
    }
}

/// A platform as a site would describe it, with a further fragment that wins.
pub fn settings(release: &str, more: &str) -> Settings {
    let mut fragments = Fragments::default();
    let site = "[platform]\nversion = \"VERSION\"\ndomain = \"kaapana.example.org\"\n[registry]\nurl = \"registry.example.org/kaapana\"\n\
                username = \"reader\"\npassword = \"Registry.Password1\"\n[deployment]\ndev_mode = false\ngpu_support = false\n[data]\n\
                fast_dir = \"/data/fast\"\nslow_dir = \"/data/slow\"\nmount_points_to_monitor = [\"/data/fast\", \"/data/slow\"]\n";
    for (file, text) in [("/10-site.toml", site), ("/20-case.toml", more)] {
        fragments.merge_text(Path::new(file), &text.replace("VERSION", &format!("{release}.1"))).unwrap();
    }
    validate(&fragments).unwrap().unwrap()
}
