//! What is computed, by rows: the name, the fragment, the machine, the value. The rules are
//! those of Kaapana's deploy script (0.2 to 0.6).

use std::path::Path;

use serde_json::json;

use super::{Machine, derived, memory_of_limits};
use crate::config::fragments::Fragments;
use crate::config::settings::Settings;
use crate::config::validate;

fn settings(more: &str) -> Settings {
    let mut fragments = Fragments::default();
    let site = "[platform]\nversion = \"0.6.0\"\ndomain = \"kaapana.example.org\"\n[registry]\nurl = \"r.org\"\nusername = \"reader\"\n\
                password = \"Registry.Password1\"\n[deployment]\ndev_mode = false\n[data]\nfast_dir = \"/data/fast\"\nslow_dir = \"/data/slow\"\n";
    for (file, text) in [("/10.toml", site), ("/20.toml", more)] {
        fragments.merge_text(Path::new(file), text).unwrap();
    }
    validate(&fragments).unwrap().unwrap()
}

fn machine() -> Machine {
    Machine {
        memory_mib: 64_000,
        gpu: true,
        longhorn_nodes: 0,
        node_name: "node".into(),
        server_ip: Some("10.0.0.5".into()),
        api_ip: Some("10.0.0.6".into()),
        timestamp: "2026-11-23-10-00".into(),
        oidc_client_secret: "s".into(),
    }
}

const OFFLINE: &str = "[deployment]\ndev_mode = true\noffline = true\nchart_path = \"/srv/kaapana-admin-chart-0.6.0.tgz\"\n\
                       prefetch_extensions = true\n";

#[test]
fn each_derived_value_is_as_the_table_says() {
    let rows = [
        ("instance_name", "", json!("kaapana.example.org")),
        ("instance_name", "[platform]\ninstance_name = \"ward\"\n", json!("ward")),
        ("include_reverse_proxy", "", json!(false)),
        ("include_reverse_proxy", "[platform]\ninstance_uid = \"two\"\n", json!(true)),
        ("gpu_support", "[deployment]\ngpu_support = \"auto\"\n", json!(true)),
        ("gpu_support", "[deployment]\ngpu_support = false\n", json!(false)),
        ("prefetch_extensions", "[deployment]\nprefetch_extensions = true\n", json!(true)),
        ("prefetch_extensions", OFFLINE, json!(false)),
        ("init_password", "", json!("Kaapana2020!")),
        ("init_password", "[deployment]\ndev_mode = true\n", json!("kaapana")),
        ("pull_policy", "", json!("IfNotPresent")),
        ("pull_policy", "[deployment]\ndev_mode = true\n", json!("Always")),
        ("pull_policy", OFFLINE, json!("IfNotPresent")),
        ("registry_username", "", json!("reader")),
        ("registry_username", OFFLINE, json!("")),
        ("registry_password", OFFLINE, json!("")),
        ("services_namespace", "[platform]\ninstance_uid = \"two\"\n", json!("two-services")),
        ("admin_namespace", "[platform]\ninstance_uid = \"two\"\n", json!("admin")),
        ("extensions_namespace", "[platform]\ninstance_uid = \"two\"\n", json!("two-extensions")),
        ("base_namespace", "", json!("base")),
        ("fast_dir", "[platform]\ninstance_uid = \"two\"\n", json!("/data/fast-two")),
        ("slow_dir", "", json!("/data/slow")),
        ("mount_points_to_monitor", "[data]\nmount_points_to_monitor = [\"/a\", \"/b\"]\n", json!("/a,/b")),
        ("storage_class_fast", "", json!("kaapana-hostpath-fast-data-dir")),
        ("storage_class_workflow", "", json!("kaapana-hostpath-fast-data-dir")),
        ("storage_class_slow", "[storage]\nprovider = \"longhorn\"\n", json!("kaapana-longhorn-slow-data")),
        ("storage_class_workflow", "[storage]\nprovider = \"longhorn\"\n", json!("kaapana-longhorn-fast-workflow")),
        ("storage_class_fast", "[storage]\nprovider = \"longhorn\"\n", json!("kaapana-longhorn-fast-db")),
        ("storage_class_slow", "", json!("kaapana-hostpath-slow-data-dir")),
        ("replica_count", "", json!(1)),
        ("replica_count", "[storage]\nreplica_count = 3\n", json!(3)),
        ("home_dir", "", json!("/home/kaapana")),
        ("jobs_namespace", "", json!("jobs")),
        ("oidc_client_secret", "", json!(machine().oidc_client_secret)),
        ("storage_node", "", json!("storage")),
        ("main_node_name", "", json!("node")),
        ("internal_cidrs", "", json!(["10.152.183.0/24", "10.1.0.0/16", "10.0.0.5/32", "10.0.0.6/32"])),
        ("internal_cidrs", "[network]\ninternal_cidrs = [\"192.168.0.0/16\"]\n", json!(["192.168.0.0/16"])),
        // An address as domain is one of them, each once.
        (
            "internal_cidrs",
            "[platform]\ndomain = \"10.0.0.5\"\n",
            json!(["10.152.183.0/24", "10.1.0.0/16", "10.0.0.5/32", "10.0.0.6/32"]),
        ),
        // 70 % of 64000 MiB by the shares 30, 50 and 20; a request is a third.
        ("pacs_memory_limit", "", json!("13440")),
        ("airflow_memory_limit", "", json!("22400")),
        ("opensearch_memory_limit", "", json!("8960")),
        ("pacs_memory_request", "", json!("4480")),
        ("airflow_memory_request", "", json!("7466")),
        ("opensearch_memory_request", "", json!("2986")),
        ("timestamp", "", json!("2026-11-23-10-00")),
    ];
    for (name, more, value) in rows {
        assert_eq!(derived(name, &settings(more), &machine()), Some(value), "{name} with {more:?}");
    }
    // Of another machine: an address of version 6, more than one node of Longhorn, and a memory of
    // which 70 % are cut before they are shared, as the script does.
    let other = Machine { server_ip: Some("fd00::5".into()), longhorn_nodes: 2, memory_mib: 4_287, ..machine() };
    let of = |name: &str, more: &str| derived(name, &settings(more), &other).unwrap();
    assert_eq!(of("internal_cidrs", ""), json!(["10.152.183.0/24", "10.1.0.0/16", "fd00::5/128", "10.0.0.6/32"]));
    assert_eq!(of("replica_count", "[storage]\nprovider = \"longhorn\"\n"), json!(2));
    assert_eq!((of("replica_count", ""), of("airflow_memory_limit", "")), (json!(1), json!("1500")));
    assert_eq!(derived("nothing", &settings(""), &machine()), None);
}

proptest::proptest! {
    /// What a deployment was given tells the memory it was computed from.
    #[test]
    fn the_memory_is_found_back(memory_mib in 1_024_u64..4_000_000) {
        let settings = settings("");
        let machine = Machine { memory_mib, ..machine() };
        let limit = |of: &Machine, name: &str| {
            derived(&format!("{name}_memory_limit"), &settings, of).and_then(|value| value.as_str()?.parse::<u64>().ok())
        };
        let limits = ["pacs", "airflow", "opensearch"].map(|name| limit(&machine, name));
        let found = memory_of_limits(&settings, limits);
        let again = Machine { memory_mib: found.unwrap_or_default(), ..machine };
        proptest::prop_assert_eq!(["pacs", "airflow", "opensearch"].map(|name| limit(&again, name)), limits);
    }
}

/// Shares that do not make 100 are tolerated where a platform runs with them, and shared out by their sum.
#[test]
fn shares_are_parts_of_their_sum() {
    let mut fragments = Fragments::default();
    let text = "[platform]\nversion = \"0.6.0\"\ndomain = \"a.b\"\n[registry]\nurl = \"r.org\"\n[resources]\npacs_percent = 100\n\
                airflow_percent = 60\nopensearch_percent = 40\n";
    fragments.merge_text(Path::new("/10.toml"), text).unwrap();
    let settings = crate::config::validate_leniently(&fragments).unwrap().unwrap();
    let of = |name: &str| derived(name, &settings, &machine()).unwrap();
    // 70 % of 64,000 MiB are shared out.
    assert_eq!(of("pacs_memory_limit"), json!("22400"));
    assert_eq!(of("airflow_memory_limit"), json!("13440"));
    assert_eq!(of("opensearch_memory_limit"), json!("8960"));
}
