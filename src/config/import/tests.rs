use super::*;

fn of(text: &str) -> Import {
    import("test", text.as_bytes()).unwrap()
}

/// Key and value of what is carried over.
fn values(text: &str) -> Vec<String> {
    let fragment = of(text).fragment;
    let mut table = String::new();
    let mut values = Vec::new();
    for line in fragment.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match line.strip_prefix('[') {
            Some(name) => table = name.trim_end_matches(']').to_owned(),
            None => values.push(format!("{table}.{line}")),
        }
    }
    values
}

fn not_carried(text: &str) -> Vec<String> {
    of(text).unmapped.iter().map(report::unmapped).collect()
}

fn advice(text: &str) -> String {
    of(text).advice.join("\n")
}

#[test]
fn which_assignment_counts() {
    let table = [
        // A later one wins, unless it is built from the first or cannot be known.
        ("DOMAIN=a.b\nDOMAIN=c.d\n", "c.d"),
        ("set -e\nDOMAIN=a.b\nDOMAIN=c.d\n", "c.d"),
        ("DOMAIN=a.b\nDOMAIN=\"x-$DOMAIN\"\n", "a.b"),
        ("DOMAIN=a.b\nDOMAIN+=.c\n", "a.b"),
        ("DOMAIN=a.b\nDOMAIN=$(hostname -f)\n", "a.b"),
        ("DOMAIN=a.b\nDOMAIN=${DOMAIN%.*}\n", "a.b"),
        ("DOMAIN=a.b\nDOMAIN=${DOMAIN:-c.d}\n", "a.b"),
        ("DOMAIN=\nDOMAIN=${DOMAIN:-c.d}\n", "c.d"),
        (": ${DOMAIN:=a.b}\n", "a.b"),
        ("DOMAIN=a.b\n: ${DOMAIN:=c.d}\n", "a.b"),
        // References.
        ("HOST=a\nDOMAIN=$HOST.b\n", "a.b"),
        ("HOST=a\nDOMAIN=${HOST:+x}.b\n", "x.b"),
        ("DOMAIN=${HOST-a}.b\n", "a.b"),
        ("HOST=\nDOMAIN=x${HOST-a}.b\n", "x.b"),
        // Not what stands under a condition, in a function or in a here-document.
        ("DOMAIN=a.b\nif x; then DOMAIN=c.d; fi\n", "a.b"),
        ("DOMAIN=a.b\nx && DOMAIN=c.d\n", "a.b"),
        ("DOMAIN=a.b\nfor x in y; do DOMAIN=c.d; done\n", "a.b"),
        ("DOMAIN=a.b\nf() { DOMAIN=c.d; }\n", "a.b"),
        ("DOMAIN=a.b\nf() { :; }\nDOMAIN=c.d\n", "a.b"),
        ("DOMAIN=a.b\ncat <<E\nDOMAIN=c.d\nE\n", "a.b"),
        // But a plain value, when there is no other.
        ("DEV_MODE=no\nf() { DOMAIN=a.b; }\n", "a.b"),
        ("DEV_MODE=no\nf() { DOMAIN=${DOMAIN:-a.b}; }\n", "a.b"),
        ("DEV_MODE=no\nf() { :; }\nDOMAIN=a.b\n", "a.b"),
        // The function that sets most is the one of the settings.
        ("f() { DOMAIN=x.y; }\nsettings() { DOMAIN=a.b; DEV_MODE=no; }\n", "a.b"),
    ];
    for (text, expected) in table {
        let expected = format!("platform.domain = \"{expected}\"");
        assert!(values(text).contains(&expected), "for {text}: {:?}", values(text));
    }
}

#[test]
fn what_is_not_carried_over_says_why() {
    let table = [
        ("DOMAIN=$(hostname -f)", "DOMAIN (platform.domain), line 1: is the output of a command, which is not run"),
        ("\nDOMAIN=`hostname`", "DOMAIN (platform.domain), line 2: is the output of a command, which is not run"),
        ("DOMAIN=\nDOMAIN=$(hostname)", "DOMAIN (platform.domain), line 2: is the output of a command, which is not run"),
        ("HTTP_PORT=$((79 + 1))", "HTTP_PORT (network.http_port), line 1: is computed, and nothing is run"),
        ("FAST_DATA_DIR=$HOME/x", "FAST_DATA_DIR (data.fast_dir), line 1: refers to HOME, which the file does not set"),
        (
            "FAST_DATA_DIR=~/x",
            "FAST_DATA_DIR (data.fast_dir), line 1: begins with ~, the home directory of whoever ran the script",
        ),
        ("DOMAIN=$1", "DOMAIN (platform.domain), line 1: depends on how the script was called"),
        ("D=x.y\nDOMAIN=${D%.y}", "DOMAIN (platform.domain), line 2: is made out of D, and nothing is run"),
        (
            "D=/d\nif x; then D=/e; fi\nFAST_DATA_DIR=$D/f",
            "FAST_DATA_DIR (data.fast_dir), line 3: refers to D, which line 2 sets under a condition",
        ),
        ("D=$(x)\nFAST_DATA_DIR=$D/f", "FAST_DATA_DIR (data.fast_dir), line 2: refers to D, whose value is not known"),
        ("SLOW_DATA_DIR=(/a /b)", "SLOW_DATA_DIR (data.slow_dir), line 1: is an array, expected one value"),
        (
            "INSTANCE_NAME=Uni Klinik",
            "INSTANCE_NAME (platform.instance_name), line 1: is followed by another word; a value with blanks needs quotes",
        ),
        ("if x; then DOMAIN=a.b; fi", "DOMAIN (platform.domain), line 1: is set under a condition only"),
        (
            "f() { DOMAIN=a.b; }\ng() { DOMAIN=c.d; DEV_MODE=no; }\nh() { GPU_SUPPORT=no; }\ni() { GPU_SUPPORT=yes; }",
            "GPU_SUPPORT (deployment.gpu_support), line 3: is set to several values outside of the settings",
        ),
        (
            "CHART_PATH=./x.tgz",
            "CHART_PATH (deployment.chart_path), line 1: found the string \"./x.tgz\", expected an absolute path in quotes; a path that is not absolute depends on where the script was started",
        ),
        (
            "DEV_MODE=perhaps",
            "DEV_MODE (deployment.dev_mode), line 1: found the string \"perhaps\", expected true or false (without quotes)",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(not_carried(text), [expected], "for {text}");
        assert!(!of(text).is_complete(), "for {text}");
    }
}

#[test]
fn values_get_the_type_of_their_key() {
    let table = [
        ("DEV_MODE=True", "deployment.dev_mode = true"),
        ("DEV_MODE=\"no\"", "deployment.dev_mode = false"),
        ("DEV_MODE=1", "deployment.dev_mode = true"),
        ("GPU_SUPPORT=False", "deployment.gpu_support = false"),
        ("GPU_SUPPORT=auto", "deployment.gpu_support = \"auto\""),
        ("NO_HOOKS=--no-hooks", "deployment.no_hooks = true"),
        ("HTTPS_PORT=' 8443 '", "network.https_port = 8443"),
        ("MOUNT_POINTS_TO_MONITOR=/a", "data.mount_points_to_monitor = [\"/a\"]"),
        ("MOUNT_POINTS_TO_MONITOR='/a, /b'", "data.mount_points_to_monitor = [\"/a\", \"/b\"]"),
        ("CONTAINER_REGISTRY_URL=OCI://r.org/k/", "registry.url = \"r.org/k\""),
        ("VOLUME_SLOW_DATA=2Ti", "storage.volume_slow_data = \"2Ti\""),
        ("INSTANCE_NAME='a \"b\" \\c'", "platform.instance_name = 'a \"b\" \\c'"),
        ("http_proxy=http://p:1", "deployment.http_proxy = \"http://p:1\""),
    ];
    for (text, expected) in table {
        assert_eq!(values(text), [expected], "for {text}");
    }
}

#[test]
fn keys_of_other_releases_are_left_out_and_named() {
    let keys = |version: &str| {
        values(&format!("PLATFORM_VERSION={version}\nENABLE_NFS=true\nJOBS_NAMESPACE=jobs\nREPLICA_COUNT=2\n")).len()
    };
    assert_eq!((keys("0.2.0"), keys("0.5.1"), keys("0.6.0")), (3, 2, 2));
    assert_eq!(keys("7.1.0"), 4, "of a release that is not known nothing is said");
    let not_needed = of("PLATFORM_VERSION=0.6.0\nENABLE_NFS=true\n").not_needed;
    assert_eq!(not_needed[0].reason, "exists only in the releases 0.2, 0.3, 0.4, 0.5");
}

#[test]
fn a_registry_without_https_is_told() {
    let plain = "over plain HTTP";
    assert!(advice("CONTAINER_REGISTRY_URL=http://r.org").contains(plain));
    assert!(!advice("CONTAINER_REGISTRY_URL=https://r.org").contains(plain));
    assert!(advice("PLAIN_HTTP=true").contains(plain));
    assert!(!advice("PLAIN_HTTP=false").contains(plain));
    // With or without the key, the variable is accounted for.
    for text in ["PLAIN_HTTP=true", "PLAIN_HTTP=false"] {
        let import = of(text);
        assert_eq!(import.mapped.len() + import.unmapped.len() + import.not_needed.len(), 1, "{text}");
    }
}

#[test]
fn advice_names_what_a_person_should_know() {
    assert!(advice("DEV_MODE=true").contains("dev_mode is true:"));
    assert!(advice("PLATFORM_VERSION=0.6.0").contains("dev_mode is true by default"));
    assert!(!advice("DEV_MODE=false").contains("dev_mode is true"));
    assert!(
        advice("GRAFANA_PASSWORD=admin")
            .contains("default passwords, which everybody can look up: credentials.grafana.password;")
    );
    assert!(
        advice("DOMAIN=a.b").contains("credentials.minio.password, credentials.grafana.password, credentials.keycloak.password;")
    );
    assert!(advice("SMTP_PASSWORD=Planted1").contains("the fragment holds passwords: smtp.password"));
    assert!(advice("GPU_SUPPORT=false").contains("\"auto\""));
    assert!(
        advice("INSTANCE_UID=two\nSERVICES_NAMESPACE=two-services\nFAST_DATA_DIR=/d-two\n").matches("once more").count() == 2
    );
    assert!(advice("PLATFORM_VERSION=7.1.0").contains("Kaapana 7.1.0 are not known"));
    assert!(advice("DOMIAN=a.b").contains("DOMIAN (line 1, did you mean DOMAIN?)"));
    assert!(advice("set -e\nx=1\nQUIET=NA\n").starts_with("test sets no variable"));
    assert!(!advice("DOMAIN=$(x)").contains("the right file"), "what is not carried over is told already");
    let many: String = (0..30).map(|number| format!("SITE_{number}=x\n")).collect();
    assert!(advice(&many).contains("SITE_9 (line 10) and 20 more"));
}

#[test]
fn a_file_that_is_no_script_is_refused() {
    assert_eq!(import("x", b"A=1\nB=\0\n").unwrap_err(), ImportError::Binary { line: 2 });
    assert_eq!(import("x", &vec![b'#'; 1024 * 1024 + 1]).unwrap_err(), ImportError::TooLarge);
    let error = import("x", b"DOMAIN=a.b\nX='\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2: a single quote is opened here and never closed");
}

#[test]
fn what_cannot_be_read_behind_the_settings_does_no_harm() {
    let import = of("DOMAIN=a.b\nf() {\n echo '\n}\n");
    let told = "line 3: a single quote is opened here and never closed; what follows was not read";
    assert!(import.advice.iter().any(|advice| advice == told), "{:?}", import.advice);
    assert_eq!(import.mapped.len(), 1);
    let in_a_function = "f() { :; }\ns() {\nDOMAIN=a.b\nDEV_MODE=no\n}\necho '\n";
    assert_eq!(of(in_a_function).mapped.len(), 2);
    assert!(super::import("x", b"s() {\nDOMAIN=a.b\nDEV_MODE='no\n}\n").is_err());
}

#[test]
fn files_of_other_systems_are_read() {
    let dos = "\u{feff}#!/bin/bash\r\nDOMAIN=\"a.b\"\r\nHTTPS_PORT=8443 # x\r\nDEV_MODE=no";
    assert_eq!(values(dos), ["platform.domain = \"a.b\"", "deployment.dev_mode = false", "network.https_port = 8443"]);
    // Latin-1 in a comment is no matter, in a value it is.
    let latin = import("x", b"# f\xfcr uns\nDOMAIN=a.b\nINSTANCE_NAME=\"K\xf6ln\"\n").unwrap();
    assert_eq!(latin.mapped.len(), 1);
    assert_eq!(report::unmapped(&latin.unmapped[0]), "INSTANCE_NAME (platform.instance_name), line 3: is not UTF-8 text");
}

#[test]
fn a_whole_configuration_is_complete_and_valid() {
    let text = "PLATFORM_VERSION=0.6.0\nDOMAIN=a.b\nCONTAINER_REGISTRY_URL=r.org\nDEV_MODE=false\n";
    let import = of(text);
    assert!(import.is_complete(), "{import:?}");
    let mut fragments = Fragments::default();
    fragments.merge_text(Path::new("/x.toml"), &import.fragment).unwrap();
    assert_eq!(validate(&fragments).unwrap().unwrap().text("platform.domain"), "a.b");
    assert!(!of("PLATFORM_VERSION=0.6.0\nDOMAIN=a.b\n").is_complete(), "without a registry");
}

#[test]
fn nothing_that_is_told_holds_a_secret() {
    assert!(!format!("{:?}", of("SMTP_PASSWORD=Planted1")).contains("Planted1"));
    for value in ["Planted1", "7planted#x", "planted word", "pl\\nanted", "planted\u{7}", "\"planted\""] {
        let text = format!(
            "DOMAIN=a.b\nSMTP_PASSWORD='{value}'\nhttp_proxy='http://u:{value}@p:1'\nCONTAINER_REGISTRY_URL='https://u:{value}@r.org'\n\
             GRAFANA_PASSWORD=\"${{NONE:-{}}}\"\nFAST_DATA_DIR='u:{value}@x'\n",
            value.replace('"', "")
        );
        let mut import = of(&text);
        let fragment = std::mem::take(&mut import.fragment);
        let told = format!("{import:?} {}", report::report("x", &import));
        assert!(!told.to_lowercase().contains("planted") && !told.contains("anted"), "{told}");
        let comments: Vec<_> = fragment.lines().filter(|line| line.starts_with('#')).collect();
        assert!(!comments.join("").contains("anted"), "{fragment}");
    }
}

#[test]
fn no_command_of_the_script_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made").display().to_string();
    let text = format!(
        "A=$(touch {path})\nDOMAIN=`touch {path}`\nB=\"${{C:-$(touch {path})}}\"\ntouch {path}\nX=<(touch {path})\nE=$((a[$(touch {path})]))\n"
    );
    of(&text);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn raw_value(fragment: &str, key: &str) -> Option<Raw> {
    let mut fragments = Fragments::default();
    fragments.merge_text(Path::new("/x.toml"), fragment).unwrap();
    fragments.entries.get(key).map(|entry| entry.raw.clone())
}

proptest::proptest! {
    #[test]
    fn any_quoted_value_comes_through(value in "[^'\u{0}\r]{0,40}", text in proptest::prelude::any::<bool>()) {
        proptest::prop_assume!(!value.trim().is_empty());
        let (variable, key) = if text { ("SMTP_USERNAME", "smtp.username") } else { ("SMTP_PASSWORD", "smtp.password") };
        let import = import("x", format!("{variable}='{value}'").as_bytes()).unwrap();
        match raw_value(&import.fragment, key) {
            Some(raw) => proptest::prop_assert_eq!(raw, Raw::String(value)),
            None => proptest::prop_assert!(text && value.chars().any(char::is_control)),
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        import("x", &bytes).ok();
    }

    #[test]
    fn every_fragment_is_toml(lines in proptest::collection::vec(
        ("(DOMAIN|FAST_DATA_DIR|HTTP_PORT|DEV_MODE|GRAFANA_PASSWORD|MOUNT_POINTS_TO_MONITOR|CONTAINER_REGISTRY_URL|X)", "[ -~\n\u{e4}]{0,20}"), 0..8)
    ) {
        let text: String = lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        if let Ok(import) = import("a\nb", text.as_bytes()) {
            raw_value(&import.fragment, "x");
        }
    }
}
