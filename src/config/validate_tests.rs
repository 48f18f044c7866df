use std::time::Duration;

use super::*;
use crate::config::settings::Auto;

const GOOD: &str =
    "[platform]\nversion = \"0.6.0\"\ndomain = \"kaapana.example.org\"\n[registry]\nurl = \"registry.example.org\"\n";

fn load(text: &str) -> Result<Option<Settings>, ConfigError> {
    let mut fragments = Fragments::default();
    fragments.merge_text(Path::new("/etc/kaapana/config/10.toml"), text)?;
    validate(&fragments)
}

fn refusal(text: &str) -> String {
    match load(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => {
            error.problems.iter().map(|p| p.to_string().replace("/etc/kaapana/config/", "")).collect::<Vec<_>>().join("\n")
        }
    }
}

/// Keys after the `[platform]` and `[registry]` tables of a good configuration.
fn with(more: &str) -> String {
    format!("{GOOD}{more}")
}

#[test]
fn a_small_configuration_has_the_scripts_defaults() {
    let settings = load(GOOD).unwrap().unwrap();
    assert_eq!(settings.release_name(), "kaapana-admin-chart");
    assert_eq!(settings.integer("network.https_port"), 443);
    assert_eq!(settings.fast_dir(), Path::new("/home/kaapana"));
    assert_eq!(settings.auto("deployment.gpu_support"), Auto::Auto);
    assert_eq!(settings.duration("deployment.deadline"), Duration::from_secs(3600));
}

#[test]
fn no_platform_table_is_no_configuration() {
    assert!(load("").unwrap().is_none());
    assert!(load("[agent]\nsettle = \"1s\"\n").unwrap().is_none());
}

#[test]
fn every_bad_input_gets_file_line_column_key_and_expectation() {
    let table = [
        (
            "[platform]\nversoin = \"1\"\ndomain=\"a.b\"\n",
            "10.toml:2:1: platform.versoin: unknown key (did you mean platform.version?)",
        ),
        (
            "[platform]\nversion = 6\ndomain=\"a.b\"\n",
            "10.toml:2:1: platform.version: found the integer 6, expected a version such as \"0.6.0\"",
        ),
        (
            "[platform]\n",
            "registry.url: is required when deployment.chart_path is not set (the registry the chart comes from)\n10.toml:1:2: platform.version: is required and not set (the script's PLATFORM_VERSION)\n10.toml:1:2: platform.domain: is required and not set (the script's DOMAIN)",
        ),
        (
            &with("[deployment]\ndev_mode = \"false\"\n"),
            "10.toml:7:1: deployment.dev_mode: found the string \"false\", expected true or false (without quotes)",
        ),
        (
            &with("[deployment]\noffline = true\n"),
            "10.toml:7:1: deployment.offline: is true without deployment.chart_path (set deployment.chart_path to the chart's archive)",
        ),
        (
            &with("[agent]\non_change = \"window\"\n"),
            "10.toml:7:1: agent.on_change: is \"window\" and there is none (set agent.windows, such as [\"Sat 02:00-05:00 Europe/Berlin\"])",
        ),
        (
            &with("[agent]\nwindows = [\"Samstag 02:00-05:00 Europe/Berlin\"]\n"),
            "10.toml:7:1: agent.windows: \"Samstag\" is no day (Mon, Tue, Wed, Thu, Fri, Sat, Sun or daily), expected a list of windows such as \"Sat,Sun 02:00-05:00 Europe/Berlin\" or \"daily 01:30-04:00 UTC\"",
        ),
        (
            &with("[deployment]\nchart_path = \"chart.tgz\"\n"),
            "10.toml:7:1: deployment.chart_path: found the string \"chart.tgz\", expected an absolute path in quotes",
        ),
        (
            &with("[deployment]\nchart_path = \"/srv/chart.tgz\"\n"),
            "10.toml:7:1: deployment.chart_path: the file is called \"chart.tgz\", expected \"kaapana-admin-chart-0.6.0.tgz\" (platform.name and platform.version decide the file's name)",
        ),
        (
            &with("[network]\nhttps_port = 70000\n"),
            "10.toml:7:1: network.https_port: found the integer 70000, expected an integer from 1 to 65535",
        ),
        (
            &with("[network]\nhttps_port = 80\n"),
            "10.toml:7:1: network.https_port: is 80, as network.http_port (each needs a port of its own)",
        ),
        (
            &with("[data]\nfast_dir = \"/data\"\nslow_dir = \"/data/slow\"\n"),
            "10.toml:8:1: data.slow_dir: /data/slow and data.fast_dir /data lie in each other (the same directory for both is fine, nested ones are not)",
        ),
        (
            &with("[namespaces]\nadmin = \"Admin\"\n"),
            "10.toml:7:1: namespaces.admin: found the string \"Admin\", expected a DNS label: up to 63 lower-case letters, digits and '-'",
        ),
        (
            &with("[credentials.minio]\npassword = \"123456\"\n"),
            "10.toml:7:1: credentials.minio.password: does not start with a letter, expected a string of A-Z a-z 0-9 . _ @ ! % + = - that starts with a letter; the charts would read it as something else than a string",
        ),
        (
            "[platform]\nversion=\"0.6.0\"\ndomain=\"a.b\"\n[registry]\nurl = \"https://r.org\"\n",
            "10.toml:5:1: registry.url: holds a scheme, expected \"r.org\"",
        ),
        (
            &with("[values]\n\"global.hostname\" = \"x\"\n"),
            "10.toml:7:1: values.global.hostname: is set by the key platform.domain, expected it there",
        ),
        (
            &with("[values.global.map]\na = 1\n"),
            "10.toml:7:1: values.global.map.a: would be a map below global, which the cluster's own installer cannot pass on",
        ),
        (
            &with("[deployment]\nenable_nfs = true\n"),
            "10.toml:7:1: deployment.enable_nfs: exists only in the releases 0.2, 0.3, 0.4, 0.5, and platform.version is of 0.6 (remove it)",
        ),
        (&with("[nonsense]\n"), "10.toml:6:2: nonsense: unknown key (any Helm value goes below [values])"),
        ("platform = 3\n", "10.toml:1:1: platform: is a table, expected [platform] with keys below it"),
    ];
    for (text, expected) in table {
        assert_eq!(refusal(text), expected, "for {text}");
    }
}

#[test]
fn names_and_sizes_that_are_right_are_accepted() {
    for domain in [
        "kaapana",
        "kaapana.example.org",
        "10.0.0.5",
        "fd00::5",
        "3d.example.org",
        "xn--mnchen-3ya.example",
        &["abc"; 63].join("."),
    ] {
        let text = format!("[platform]\nversion = \"0.6.0\"\ndomain = \"{domain}\"\n[registry]\nurl = \"r.org\"\n");
        assert_eq!(load(&text).unwrap().unwrap().text("platform.domain"), domain);
    }
    for url in ["r.org", "r.org:5000", "R.org/a/b-c_d.e", "10.0.0.5:5000/kaapana", "localhost:32000"] {
        load(&format!("[platform]\nversion = \"0.6.0\"\ndomain = \"a.b\"\n[registry]\nurl = \"{url}\"\n")).unwrap();
    }
    for size in ["100Gi", "1Mi", "1.5Ti", "500G", "107374182400", "2000000k", "7E"] {
        load(&with(&format!("[storage]\nvolume_slow_data = \"{size}\"\n"))).unwrap();
    }
    for size in ["1Ki", "100", "1.Gi", ".5Gi", "1e9", "1 Gi", "Gi", "+1Gi", "100gi", "8Ei", "1.5.5Gi", "100m", "∞Gi"] {
        let text = refusal(&with(&format!("[storage]\nvolume_slow_data = \"{size}\"\n")));
        assert!(text.contains("volume_slow_data: found the string"), "{size}: {text}");
    }
    load(&with("[resources]\npacs_percent = 40\nairflow_percent = 40\n")).unwrap();
}

#[test]
fn a_refusal_never_repeats_a_secret() {
    for secret in ["7planted", "planted secret", "planted#x", "\\\"planted"] {
        let text = refusal(&with(&format!("[credentials.grafana]\npassword = \"{secret}\"\n")));
        assert!(!text.contains("planted"), "{text}");
    }
}

#[test]
fn the_masked_view_and_debug_show_no_secret() {
    let settings =
        load(&with("[smtp]\npassword = \"planted-a\"\n[values]\n\"global.my_token\" = \"planted-b\"\n")).unwrap().unwrap();
    assert!(!format!("{:?} {settings:?}", settings.masked()).contains("planted"));
    let mut secrets = settings.secrets();
    secrets.retain(|secret| secret.starts_with("planted"));
    assert_eq!(secrets, ["planted-a", "planted-b"]);
}

#[test]
fn a_password_file_must_be_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "FromFile1\n").unwrap();
    let text = with(&format!("password_file = \"{}\"\n", file.display()));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refusal(&text).contains("is readable by others (mode 0644) (chmod 0600 "), "{}", refusal(&text));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(load(&text).unwrap().unwrap().text("registry.password"), "FromFile1");
}

#[test]
fn an_instance_uid_is_prefix_and_suffix() {
    let settings = load("[platform]\nversion=\"0.6.0\"\ndomain=\"a.b\"\ninstance_uid=\"two\"\n[registry]\nurl=\"r.org\"\n[namespaces]\nhelm = \"helm\"\n").unwrap().unwrap();
    assert_eq!(settings.namespace("services"), "two-services");
    assert_eq!(settings.namespace("admin"), "admin");
    assert_eq!(settings.helm_namespace(), "two-helm");
    assert_eq!(settings.slow_dir(), Path::new("/home/kaapana-two"));
}

#[test]
fn settings_survive_being_stored() {
    let settings = load(&with("[values]\n\"global.a\" = 1\n\"test.b\" = [\"x\"]\n")).unwrap().unwrap();
    let text = serde_json::to_string(&settings).unwrap();
    let again: Settings = serde_json::from_str(&text).unwrap();
    assert_eq!(settings.changed_keys(&again), Vec::<String>::new());
}

proptest::proptest! {
    #[test]
    fn what_is_taken_for_a_host_is_one(url in "\\PC{0,60}", domain in "\\PC{0,60}", host in "[a-z0-9.:/@_-]{0,40}") {
        for (url, domain) in [(&url, &domain), (&host, &host)] {
            let text = format!("[platform]\nversion = \"0.6.0\"\ndomain = {}\n[registry]\nurl = {}\n", quoted(domain), quoted(url));
            let mut fragments = crate::config::Fragments::default();
            fragments.merge_text(std::path::Path::new("/x.toml"), &text).unwrap();
            if let Ok(Some(settings)) = crate::config::validate(&fragments) {
                for taken in [settings.text("platform.domain"), settings.text("registry.url")] {
                    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '@';
                    proptest::prop_assert!(!taken.is_empty() && !taken.contains("://") && !taken.contains(odd), "{}", taken);
                }
            }
        }
    }
}

/// As TOML writes it.
fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            c => vec![c],
        })
        .collect();
    format!("\"{escaped}\"")
}
